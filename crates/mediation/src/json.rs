//! JSON as the old product treated it: order kept, and numbers as they were written (`1.0` stays `1.0`, a twenty-digit id keeps its
//! digits).

use std::fmt;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// A truth.
    Bool(bool),
    /// A number, as written.
    Number(Box<str>),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Self>),
    /// An object, in order.
    Object(Vec<(String, Self)>),
}

/// The text is no JSON we read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}")]
pub struct JsonFault {
    /// Place, in bytes from 0.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Json {
    /// Reads a text. `nesting` bounds how deep arrays and objects lie in each other.
    ///
    /// # Errors
    /// [`JsonFault`].
    pub fn parse(text: &str, nesting: usize) -> Result<Self, JsonFault> {
        let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, nesting };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at < reader.bytes.len() { Err(reader.fault("more follows the value")) } else { Ok(value) }
    }

    /// Member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets a member of an object, at its place or at the end.
    pub(crate) fn set(&mut self, name: &str, value: Self) {
        if let Self::Object(members) = self {
            match members.iter_mut().find(|(n, _)| n == name) {
                Some((_, old)) => *old = value,
                None => members.push((name.to_owned(), value)),
            }
        }
    }

    /// Writes it without needless space.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(number),
            Self::Text(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// As an expression's result reads: strings without quotes.
    pub(crate) fn bare(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

/// Whether a text is a number as JSON writes them.
pub(crate) fn is_number(text: &str) -> bool {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, nesting: 0 };
    matches!(reader.number(), Ok(Json::Number(_))) && reader.at == text.len()
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    escape(text, out);
    out.push('"');
}

/// Escapes what may not stand in a string.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || matches!(c, '\u{2028}' | '\u{2029}') => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

struct Reader<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    nesting: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> JsonFault {
        JsonFault { at: self.at, what }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonFault> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.fault("no value"))
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonFault> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= self.nesting => Err(self.fault("nested too deeply")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.fault("no value")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.fault("neither ',' nor ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        // Looking for a doubled name by walking would be quadratic in what a stranger sends.
        let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        self.space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("no name"));
            }
            let name = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.fault("no ':'"));
            }
            self.space();
            let value = self.value(depth + 1)?;
            // The last of a doubled name wins, at the place of the first.
            match places.get(&name).and_then(|place| members.get_mut(*place)) {
                Some((_, old)) => *old = value,
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, value));
                }
            }
            self.space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return Err(self.fault("neither ',' nor '}'"));
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(self.fault("no digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Json, JsonFault> {
        let from = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Json::Number(self.text.get(from..self.at).unwrap_or_default().into()))
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            out.push_str(self.text.get(from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let c = self.escaped()?;
                    out.push(c);
                }
                Some(_) => return Err(self.fault("a control character in a string")),
                None => return Err(self.fault("the string does not end")),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, JsonFault> {
        let letter = self.peek().ok_or_else(|| self.fault("the string does not end"))?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                if (0xd800..0xdc00).contains(&high) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
                    self.at += 2;
                    let low = self.hex()?;
                    let joined = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
                    return char::from_u32(joined)
                        .filter(|_| (0xdc00..0xe000).contains(&low))
                        .ok_or_else(|| self.fault("half a character"));
                }
                // Half a surrogate pair is no character; Java let it pass, we mark the place.
                char::from_u32(high).unwrap_or('\u{fffd}')
            }
            _ => return Err(self.fault("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|d| u32::from_str_radix(d, 16).ok()).ok_or_else(|| self.fault("no four hexadecimal digits"))?;
        self.at += 4;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_and_numbers_stay_as_written() {
        for text in
            ["{\"b\":1.0,\"a\":12345678901234567890,\"c\":[1e5,-0.10,true,false,null,\"x\\n\\\"\\\\\"],\"d\":{}}", "[]", "\"ä\"", "7"]
        {
            assert_eq!(Json::parse(text, 10).unwrap().to_string(), text);
        }
        assert_eq!(Json::parse(" { \"a\" : 1 , \"b\":2, \"a\" : 3 } ", 10).unwrap().to_string(), "{\"a\":3,\"b\":2}");
        assert_eq!(Json::parse("\"\\ud83d\\ude00\\u00e4\"", 1).unwrap(), Json::Text("😀ä".to_owned()));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{a:1}",
            "{'a':1}",
            "01",
            "1.",
            "-",
            "\"",
            "\"\\x\"",
            "\"\n\"",
            "nul",
            "1 2",
            "{\"a\" 1}",
            "\"\\u12\"",
            "\"\\ud83d\\u0041\"",
        ] {
            assert!(Json::parse(bad, 10).is_err(), "{bad}");
        }
        assert_eq!(Json::parse(&"[".repeat(100_000), 50).unwrap_err().what, "nested too deeply");
    }

    #[test]
    fn numbers_are_told_from_words() {
        assert!(is_number("-1.5e+3") && is_number("0"));
        assert!(!is_number("007") && !is_number("1.") && !is_number("") && !is_number("1a") && !is_number("0x1"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_the_same(text in r#"[\[\]{}",:0-9a-c\\nul .eE+-]{0,60}"#) {
            if let Ok(value) = Json::parse(&text, 20) {
                prop_assert_eq!(Json::parse(&value.to_string(), 20).unwrap(), value);
            }
        }
    }
}
