//! What Oracle's and SQL Server's tools wrap around values: `TO_TIMESTAMP('…', '…')`, `HEXTORAW('…')`, `TO_CLOB('…') || TO_CLOB('…')`,
//! `q'[…]'`, `CAST(N'…' AS DateTime2)`. Only functions that tools write are known; any other is refused by name, since guessing one
//! would change data.

use super::{
    error::{DumpError, Problem},
    lexer::{Dialect, Lexer, Literal},
};
use crate::source::CELL_MAX_BYTES;

/// Values nest two or three deep.
const DEPTH_MAX: usize = 8;

impl Lexer {
    /// One value of an INSERT in a script. Without `keep` it is checked but not held.
    pub(super) fn expression(&mut self, keep: bool) -> Result<Literal, DumpError> {
        self.expression_at(keep, 0)
    }

    fn expression_at(&mut self, keep: bool, depth: usize) -> Result<Literal, DumpError> {
        if depth > DEPTH_MAX {
            return Err(self.fail(Problem::Malformed("value: it nests too deeply")));
        }
        self.blank_in_row()?;
        let mut value = self.term(keep, depth)?;
        loop {
            self.blank_in_row()?;
            match self.peek()? {
                Some(b'|') if self.dialect == Some(Dialect::Oracle) => {
                    self.next()?;
                    if self.next()? != Some(b'|') {
                        return Err(self.fail(Problem::Expected("`||`")));
                    }
                }
                Some(b'+') if self.dialect == Some(Dialect::SqlServer) => {
                    self.next()?;
                }
                _ => return Ok(value),
            }
            self.blank_in_row()?;
            let more = self.term(keep, depth)?;
            value = self.joined(value, more)?;
        }
    }

    fn joined(&self, first: Literal, second: Literal) -> Result<Literal, DumpError> {
        let joined = match (first, second) {
            // In Oracle nothing is the empty text.
            (Literal::Null, other) | (other, Literal::Null) if self.dialect == Some(Dialect::Oracle) => other,
            (Literal::Text(mut a), Literal::Text(b)) => {
                a.extend(b);
                Literal::Text(a)
            }
            (Literal::Raw(mut a), Literal::Raw(b)) => {
                a.extend(b);
                Literal::Raw(a)
            }
            _ => return Err(self.fail(Problem::Malformed("value: texts and bytes are joined"))),
        };
        match &joined {
            Literal::Text(bytes) | Literal::Raw(bytes) if bytes.len() > CELL_MAX_BYTES => {
                Err(self.fail(Problem::TooLarge { what: "a value", max: CELL_MAX_BYTES }))
            }
            _ => Ok(joined),
        }
    }

    fn term(&mut self, keep: bool, depth: usize) -> Result<Literal, DumpError> {
        match self.peek()? {
            Some(b'\'') => self.string(keep, false).map(Literal::Text),
            Some(b'(') => {
                self.next()?;
                let value = self.expression_at(keep, depth + 1)?;
                self.closing()?;
                Ok(value)
            }
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => self.number(keep),
            Some(b) if b.is_ascii_alphabetic() => self.called(keep, depth),
            _ => Err(self.fail(Problem::Expected("a value"))),
        }
    }

    /// A word: NULL, a prefix of a text, or a function.
    fn called(&mut self, keep: bool, depth: usize) -> Result<Literal, DumpError> {
        let word = self.word()?;
        if word == "NULL" {
            return Ok(Literal::Null);
        }
        self.blank_in_row()?;
        match (word.as_str(), self.peek()?) {
            ("N", Some(b'\'')) => return self.string(keep, false).map(Literal::Text),
            ("Q" | "NQ", Some(b'\'')) => return self.alternative_quote(keep).map(Literal::Text),
            ("DATE" | "TIMESTAMP", Some(b'\'')) => return self.string(keep, false).map(Literal::Text),
            (_, Some(b'(')) => {}
            _ => return Err(self.fail(Problem::Expected("a value"))),
        }
        self.next()?;
        match word.as_str() {
            "EMPTY_CLOB" | "EMPTY_NCLOB" => self.closing().map(|()| Literal::Text(Vec::new())),
            "EMPTY_BLOB" => self.closing().map(|()| Literal::Raw(Vec::new())),
            "TO_CLOB" | "TO_NCLOB" | "TO_CHAR" | "TO_NCHAR" | "TO_BLOB" | "TO_NUMBER" | "TO_BINARY_DOUBLE" => {
                let value = self.expression_at(keep, depth + 1)?;
                self.closing()?;
                Ok(value)
            }
            "HEXTORAW" => {
                let value = self.expression_at(keep, depth + 1)?;
                self.closing()?;
                let Literal::Text(hex) = value else { return Ok(value) };
                self.unhexed(&hex).map(Literal::Raw)
            }
            "CHR" | "NCHR" | "CHAR" | "NCHAR" => {
                let value = self.expression_at(true, depth + 1)?;
                self.closing()?;
                let Literal::Number(code) = value else { return Err(self.fail(Problem::Malformed("character number"))) };
                let found = code.parse().ok().and_then(char::from_u32).ok_or_else(|| self.fail(Problem::Malformed("character number")))?;
                Ok(Literal::Text(found.to_string().into_bytes()))
            }
            "UNISTR" => {
                let value = self.expression_at(keep, depth + 1)?;
                self.closing()?;
                let Literal::Text(text) = value else { return Ok(value) };
                unistr(&text).map(Literal::Text).ok_or_else(|| self.fail(Problem::Malformed("UNISTR escape")))
            }
            "TO_TIMESTAMP" | "TO_DATE" => self.timestamp(keep, depth),
            "CAST" => {
                let value = self.expression_at(keep, depth + 1)?;
                self.blank_in_row()?;
                if self.word()? != "AS" {
                    return Err(self.fail(Problem::Expected("AS and a type in CAST")));
                }
                self.skip_to_closing()?;
                Ok(value)
            }
            "CONVERT" => {
                // CONVERT(type[(length)], value[, style])
                self.blank_in_row()?;
                self.name()?;
                self.blank_in_row()?;
                if self.peek()? == Some(b'(') {
                    self.next()?;
                    self.skip_to_closing()?;
                    self.blank_in_row()?;
                }
                if self.next()? != Some(b',') {
                    return Err(self.fail(Problem::Expected("`,` behind the type in CONVERT")));
                }
                let value = self.expression_at(keep, depth + 1)?;
                self.skip_to_closing()?;
                Ok(value)
            }
            _ => Err(self.fail(Problem::UnknownFunction(word))),
        }
    }

    fn timestamp(&mut self, keep: bool, depth: usize) -> Result<Literal, DumpError> {
        let value = self.expression_at(keep, depth + 1)?;
        self.blank_in_row()?;
        if self.next()? != Some(b',') {
            return Err(self.fail(Problem::Expected("a format behind the text of TO_TIMESTAMP or TO_DATE")));
        }
        let format = self.expression_at(true, depth + 1)?;
        self.skip_to_closing()?;
        let (Literal::Text(text), true) = (&value, keep) else { return Ok(value) };
        let Literal::Text(format) = format else { return Err(self.fail(Problem::Malformed("date format"))) };
        let read = std::str::from_utf8(text).ok().zip(std::str::from_utf8(&format).ok());
        let read = read.and_then(|(text, format)| oracle_time(text, format));
        read.map(|text| Literal::Text(text.into_bytes()))
            .ok_or_else(|| self.fail(Problem::Malformed("date, or a date format we do not read")))
    }

    /// Oracle's `q'[…]'`: any character and its mirror.
    fn alternative_quote(&mut self, keep: bool) -> Result<Vec<u8>, DumpError> {
        let since = self.cursor.line();
        self.next()?;
        let open = self.must("a quoted text", since)?;
        let close = match open {
            b'[' => b']',
            b'{' => b'}',
            b'(' => b')',
            b'<' => b'>',
            other => other,
        };
        let mut text = Vec::new();
        let mut length = 0_usize;
        loop {
            let byte = self.must("a quoted text", since)?;
            if byte == close && self.peek()? == Some(b'\'') {
                self.next()?;
                return Ok(text);
            }
            length += 1;
            if length > CELL_MAX_BYTES {
                return Err(self.fail_at(since, Problem::TooLarge { what: "a value", max: CELL_MAX_BYTES }));
            }
            if keep {
                text.push(byte);
            }
        }
    }

    fn unhexed(&self, hex: &[u8]) -> Result<Vec<u8>, DumpError> {
        let digits: Option<Vec<u8>> = hex.iter().map(|digit| super::lexer::hex_digit(*digit)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| self.fail(Problem::Malformed("hexadecimal value")))?;
        Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
    }

    fn closing(&mut self) -> Result<(), DumpError> {
        self.blank_in_row()?;
        match self.next()? {
            Some(b')') => Ok(()),
            _ => Err(self.fail(Problem::Expected("`)` behind a value"))),
        }
    }

    /// Consumes a type, style or language up to the bracket that closes the call, past it.
    fn skip_to_closing(&mut self) -> Result<(), DumpError> {
        let since = self.cursor.line();
        let mut depth = 0_usize;
        for _ in 0..1024 {
            match self.must("a value", since)? {
                b'(' => depth += 1,
                b')' if depth == 0 => return Ok(()),
                b')' => depth -= 1,
                _ => {}
            }
        }
        Err(self.fail_at(since, Problem::Expected("`)` behind a value")))
    }
}

/// `\` and four hexadecimal digits stand for a UTF-16 unit, `\\` for itself.
fn unistr(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        units.extend(rest.get(..at)?.encode_utf16());
        rest = rest.get(at + 1..)?;
        if let Some(after) = rest.strip_prefix('\\') {
            units.push(u16::from(b'\\'));
            rest = after;
        } else {
            units.push(u16::from_str_radix(rest.get(..4)?, 16).ok()?);
            rest = rest.get(4..)?;
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16(&units).ok().map(String::into_bytes)
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// A time in one of Oracle's formats, as `YYYY-MM-DD HH:MM:SS.fraction`. `None` when the text does not follow the format, or the format
/// has a part whose meaning depends on a language.
fn oracle_time(text: &str, format: &str) -> Option<String> {
    let (mut year, mut month, mut day) = (None, None, None);
    let (mut hour, mut minute, mut second, mut fraction, mut afternoon) = (0_u32, 0_u32, 0_u32, String::new(), None);
    let mut text = text.trim();
    let format = format.to_ascii_uppercase();
    let mut format = format.as_str();
    while !format.is_empty() {
        let part = ["YYYY", "RRRR", "HH24", "HH12", "YY", "RR", "MM", "MON", "DD", "HH", "MI", "SS", "FF", "AM", "PM", "A.M.", "P.M.", "X"];
        let Some(name) = part.into_iter().find(|name| format.starts_with(name)) else {
            // A mark, or a text in double quotes; either stands in the value too.
            let literal = if format.starts_with('"') { format.get(1..)?.split('"').next()? } else { format.get(..1)? };
            format = format.get(if format.starts_with('"') { literal.len() + 2 } else { 1 }..)?;
            if literal.chars().all(|c| c.is_ascii_alphabetic()) && literal.len() > 1
                || literal.chars().all(|c| !c.is_ascii_alphanumeric())
                || literal == "T"
            {
                text = text
                    .get(..literal.len())
                    .filter(|t| t.eq_ignore_ascii_case(literal) || t.chars().all(|c| c.is_ascii_punctuation()))
                    .and_then(|_| text.get(literal.len()..))?;
                continue;
            }
            return None;
        };
        format = format.get(name.len()..)?;
        match name {
            "MON" => {
                // MONTH is spelled out and padded; only the short English names are the same everywhere.
                if format.starts_with("TH") {
                    return None;
                }
                let found = text.get(..3)?.to_ascii_uppercase();
                month = Some(1 + u32::try_from(MONTHS.iter().position(|m| *m == found)?).ok()?);
                text = text.get(3..)?;
            }
            "AM" | "PM" => {
                let found = text.get(..2)?.to_ascii_uppercase();
                afternoon = Some(match found.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                text = text.get(2..)?;
            }
            "A.M." | "P.M." => {
                afternoon = Some(text.get(..4)?.eq_ignore_ascii_case("P.M."));
                text = text.get(4..)?;
            }
            "X" => text = text.strip_prefix(['.', ','])?,
            "FF" => {
                format = format.trim_start_matches(|c: char| c.is_ascii_digit());
                let length = text.bytes().take_while(u8::is_ascii_digit).count();
                fraction = text.get(..length.min(9))?.to_owned();
                text = text.get(length..)?;
            }
            _ => {
                let most = if name.ends_with("YYYY") || name == "RRRR" { 4 } else { 2 };
                let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
                let digits = text.get(..length).filter(|digits| !digits.is_empty())?;
                let number: u32 = digits.parse().ok()?;
                text = text.get(length..)?;
                match name {
                    "YYYY" => year = Some(number),
                    "RRRR" if length > 2 => year = Some(number),
                    // Oracle's rule for a year of this half of the century.
                    "RR" | "RRRR" => year = Some(if number < 50 { 2000 + number } else { 1900 + number }),
                    "YY" => year = Some(2000 + number),
                    "MM" => month = Some(number),
                    "DD" => day = Some(number),
                    "HH24" | "HH" | "HH12" => hour = number,
                    "MI" => minute = number,
                    _ => second = number,
                }
            }
        }
    }
    if !text.trim().is_empty() {
        return None;
    }
    let hour = match afternoon {
        Some(false) if hour == 12 => 0,
        Some(true) if hour < 12 => hour + 12,
        _ => hour,
    };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Some(format!("{:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}{fraction}", year?, month?, day?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oracle_times_read_by_their_format() {
        for (text, format, expected) in [
            ("01-JUL-15 10.11.12.345000000 PM", "DD-MON-RR HH.MI.SSXFF AM", Some("2015-07-01 22:11:12.345000000")),
            ("01-JUL-15 12.00.00.000000000 AM", "DD-MON-RR HH12.MI.SSXFF AM", Some("2015-07-01 00:00:00.000000000")),
            ("2015-07-01 22:11:12", "YYYY-MM-DD HH24:MI:SS", Some("2015-07-01 22:11:12")),
            ("2015-07-01T22:11:12.5", "YYYY-MM-DD\"T\"HH24:MI:SS.FF3", Some("2015-07-01 22:11:12.5")),
            ("01-JUL-99", "DD-MON-RR", Some("1999-07-01 00:00:00")),
            ("01-JUIL-15", "DD-MON-RR", None),
            ("1 July 2015", "DD MONTH YYYY", None),
            ("2015-07-01 trailing", "YYYY-MM-DD", None),
        ] {
            assert_eq!(oracle_time(text, format).as_deref(), expected, "{text} {format}");
        }
        assert_eq!(unistr(b"\\00e4rger \\\\ \\d83d\\de00").unwrap(), "ärger \\ 😀".as_bytes());
    }
}
