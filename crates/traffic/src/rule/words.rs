//! A query's words with their places.

use super::{Place, RuleFault};

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A name or a keyword; keywords are written in any letter case.
    Name(String),
    /// A quoted text.
    Text(String),
    /// A number without a fraction.
    Int(i64),
    /// A number with one.
    Real(f64),
    /// A sign.
    Sign(&'static str),
}

/// Longer signs first, so that `==` is not read as two of another.
const SIGNS: [&str; 23] =
    ["==", "!=", ">=", "<=", ">", "<", "(", ")", "[", "]", ",", ";", ":", ".", "#", "@", "+", "-", "*", "/", "%", "=", "`"];

/// The words of a text, and where the text ends.
pub(super) fn words(text: &str) -> Result<(Vec<(Word, Place)>, Place), RuleFault> {
    let mut reader = Reader { rest: text, place: Place { line: 1, column: 1 } };
    let mut found = Vec::new();
    loop {
        reader.skip_blanks()?;
        let place = reader.place;
        match reader.word()? {
            Some(word) => found.push((word, place)),
            None => return Ok((found, place)),
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
    place: Place,
}

impl<'t> Reader<'t> {
    /// Takes so many bytes, which end between two characters.
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in taken.chars() {
            match c {
                '\n' => self.place = Place { line: self.place.line + 1, column: 1 },
                _ => self.place.column += 1,
            }
        }
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    fn skip_blanks(&mut self) -> Result<(), RuleFault> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let place = self.place;
                let end = self.rest.find("*/").ok_or_else(|| RuleFault::at(place, "a comment is never closed"))?;
                self.take(end + 2);
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Result<Option<Word>, RuleFault> {
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let place = self.place;
        if first.is_ascii_alphabetic() || first == '_' {
            return Ok(Some(Word::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned())));
        }
        if first.is_ascii_digit() {
            return self.number(place).map(Some);
        }
        if first == '\'' || first == '"' {
            self.take(1);
            let text = self.take_while(|c| c != first && c != '\n').to_owned();
            if !self.rest.starts_with(first) {
                return Err(RuleFault::at(place, "a text is never closed"));
            }
            self.take(1);
            return Ok(Some(Word::Text(text)));
        }
        match SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            Some(sign) => {
                self.take(sign.len());
                Ok(Some(Word::Sign(sign)))
            }
            None => Err(RuleFault::at(place, format!("'{first}' means nothing in a query"))),
        }
    }

    /// `5`, `5L`, `1.5`, `1.5f`, `1.5d`.
    fn number(&mut self, place: Place) -> Result<Word, RuleFault> {
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '.');
        let kind = self.take_while(|c| c.is_ascii_alphanumeric());
        let no_number = || RuleFault::at(place, format!("'{digits}{kind}' is no number"));
        match kind {
            "l" | "L" => digits.parse().map(Word::Int).map_err(|_| no_number()),
            "" if !digits.contains('.') => digits.parse().map(Word::Int).map_err(|_| no_number()),
            "" | "f" | "F" | "d" | "D" => digits.parse().map(Word::Real).map_err(|_| no_number()),
            _ => Err(no_number()),
        }
    }
}
