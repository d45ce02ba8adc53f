//! The words, names, strings and numbers of a dump, in the spelling of `mysqldump`, of `pg_dump`, and of the INSERT scripts that the
//! tools of Oracle and SQL Server write. What these two wrap around values is read in [`super::expression`].

use std::path::PathBuf;

use super::{
    cursor::Cursor,
    error::{DumpError, Problem},
};
use crate::source::CELL_MAX_BYTES;

/// Statements other than data are short; a longer one is not read into memory.
const STATEMENT_MAX_BYTES: usize = 4 * 1024 * 1024;
const NAME_MAX_BYTES: usize = 512;
const COMMENT_KEPT_BYTES: usize = 512;

/// Who wrote the dump. Decides what a backslash means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    MySql,
    Postgres,
    /// SQL Developer's and SQLcl's scripts.
    Oracle,
    /// Management Studio's scripts: statements end with their line, batches with `GO`.
    SqlServer,
}

/// A value as written, before its column says what it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(Vec<u8>),
    /// Written as hex or bits: always bytes.
    Raw(Vec<u8>),
}

pub(super) struct Lexer {
    pub(super) cursor: Cursor,
    pub(super) dialect: Option<Dialect>,
    path: PathBuf,
}

impl Lexer {
    pub(super) fn new(cursor: Cursor, path: PathBuf, dialect: Option<Dialect>) -> Self {
        Self { cursor, dialect, path }
    }

    pub(super) fn fail(&self, problem: impl Into<Problem>) -> DumpError {
        self.fail_at(self.cursor.line(), problem)
    }

    pub(super) fn fail_at(&self, line: u64, problem: impl Into<Problem>) -> DumpError {
        DumpError { path: self.path.clone(), line, problem: problem.into() }
    }

    pub(super) fn peek(&mut self) -> Result<Option<u8>, DumpError> {
        self.cursor.peek().map_err(|e| self.fail(e))
    }

    pub(super) fn next(&mut self) -> Result<Option<u8>, DumpError> {
        self.cursor.next().map_err(|e| self.fail(e))
    }

    pub(super) fn must(&mut self, what: &'static str, since: u64) -> Result<u8, DumpError> {
        match self.next()? {
            Some(byte) => Ok(byte),
            None => Err(self.fail(Problem::Unfinished { what, since })),
        }
    }

    fn backslash_escapes(&self) -> bool {
        matches!(self.dialect, Some(Dialect::MySql) | None)
    }

    pub(super) fn is_script(&self) -> bool {
        matches!(self.dialect, Some(Dialect::Oracle | Dialect::SqlServer))
    }

    /// Skips white space and comments; hands each comment's beginning to `seen`.
    pub(super) fn skip_blank(&mut self, mut seen: impl FnMut(&str, u64)) -> Result<(), DumpError> {
        loop {
            match self.peek()? {
                Some(b) if b.is_ascii_whitespace() => {
                    self.next()?;
                }
                // A byte order mark, as some editors leave.
                Some(0xef | 0xbb | 0xbf) => {
                    self.next()?;
                }
                Some(b'-') => {
                    let since = self.cursor.line();
                    self.next()?;
                    if self.peek()? != Some(b'-') {
                        return Err(self.fail(Problem::Expected("a statement")));
                    }
                    self.next()?;
                    let text = self.rest_of_line()?;
                    seen(&text, since);
                }
                Some(b'#') if matches!(self.dialect, Some(Dialect::MySql) | None) => {
                    self.rest_of_line()?;
                }
                Some(b'/') => {
                    let since = self.cursor.line();
                    self.next()?;
                    // Alone on its line it makes Oracle's tools run what stood before it.
                    if self.dialect == Some(Dialect::Oracle) && self.peek()?.is_none_or(|b| b.is_ascii_whitespace()) {
                        continue;
                    }
                    if self.peek()? != Some(b'*') {
                        return Err(self.fail(Problem::Expected("a statement")));
                    }
                    self.next()?;
                    let text = self.rest_of_comment(since)?;
                    seen(&text, since);
                }
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn blank(&mut self) -> Result<(), DumpError> {
        self.skip_blank(|_, _| {})
    }

    /// The beginning of the rest of this line; all of it is read.
    pub(super) fn rest_of_line(&mut self) -> Result<String, DumpError> {
        let mut kept = Vec::new();
        while let Some(byte) = self.next()? {
            if byte == b'\n' {
                break;
            }
            if kept.len() < COMMENT_KEPT_BYTES {
                kept.push(byte);
            }
        }
        Ok(String::from_utf8_lossy(&kept).into_owned())
    }

    fn rest_of_comment(&mut self, since: u64) -> Result<String, DumpError> {
        let mut kept = Vec::new();
        let mut star = false;
        loop {
            let byte = self.must("a comment", since)?;
            if star && byte == b'/' {
                return Ok(String::from_utf8_lossy(&kept).into_owned());
            }
            star = byte == b'*';
            if kept.len() < COMMENT_KEPT_BYTES {
                kept.push(byte);
            }
        }
    }

    /// A bare word in upper case; empty when none stands here.
    pub(super) fn word(&mut self) -> Result<String, DumpError> {
        let mut word = String::new();
        while let Some(b) = self.peek()?.filter(|b| b.is_ascii_alphanumeric() || *b == b'_') {
            self.next()?;
            if word.len() >= NAME_MAX_BYTES {
                return Err(self.fail(Problem::TooLarge { what: "a word", max: NAME_MAX_BYTES }));
            }
            word.push(char::from(b.to_ascii_uppercase()));
        }
        Ok(word)
    }

    /// A name, quoted or bare, the last part of `schema.name`.
    pub(super) fn name(&mut self) -> Result<String, DumpError> {
        loop {
            self.blank()?;
            let part = self.name_part()?;
            self.blank()?;
            if self.peek()? != Some(b'.') {
                return Ok(part);
            }
            self.next()?;
        }
    }

    fn name_part(&mut self) -> Result<String, DumpError> {
        let since = self.cursor.line();
        let quote = match self.peek()? {
            Some(quote @ (b'`' | b'"')) => Some(quote),
            Some(b'[') if self.dialect == Some(Dialect::SqlServer) => Some(b']'),
            _ => None,
        };
        let mut name = Vec::new();
        if let Some(quote) = quote {
            self.next()?;
            loop {
                let byte = self.must("a name", since)?;
                if byte == quote {
                    if self.peek()? != Some(quote) {
                        break;
                    }
                    self.next()?;
                }
                name.push(byte);
                if name.len() > NAME_MAX_BYTES {
                    return Err(self.fail(Problem::TooLarge { what: "a name", max: NAME_MAX_BYTES }));
                }
            }
        } else {
            while let Some(b) = self.peek()?.filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80) {
                self.next()?;
                name.push(b);
                if name.len() > NAME_MAX_BYTES {
                    return Err(self.fail(Problem::TooLarge { what: "a name", max: NAME_MAX_BYTES }));
                }
            }
        }
        match String::from_utf8(name) {
            Ok(name) if !name.is_empty() => Ok(name),
            _ => Err(self.fail_at(since, Problem::Expected("a name"))),
        }
    }

    /// `(name, name, …)` when one stands here.
    pub(super) fn name_list(&mut self) -> Result<Option<Vec<String>>, DumpError> {
        self.blank()?;
        if self.peek()? != Some(b'(') {
            return Ok(None);
        }
        self.next()?;
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            match self.next()? {
                Some(b',') => {}
                Some(b')') => return Ok(Some(names)),
                _ => return Err(self.fail(Problem::Expected("`,` or `)` in a list of columns"))),
            }
        }
    }

    /// Consumes to the end of the statement, past its `;`. With `keep`, gives the text without comments.
    pub(super) fn statement(&mut self, keep: bool, since: u64) -> Result<String, DumpError> {
        if self.dialect == Some(Dialect::SqlServer) {
            return self.batch(since);
        }
        let mut kept = Vec::new();
        loop {
            let byte = self.must("a statement", since)?;
            match byte {
                b';' => break,
                b'\'' | b'"' | b'`' => self.quoted_in_statement(byte, keep.then_some(&mut kept), since)?,
                b'-' if self.peek()? == Some(b'-') => {
                    self.rest_of_line()?;
                    kept.push(b' ');
                }
                b'#' if self.dialect == Some(Dialect::MySql) => {
                    self.rest_of_line()?;
                }
                b'/' if self.peek()? == Some(b'*') => {
                    self.next()?;
                    self.rest_of_comment(since)?;
                    kept.push(b' ');
                }
                b'$' if !matches!(self.dialect, Some(Dialect::MySql | Dialect::Oracle)) => self.dollar_quoted(since)?,
                byte if keep => kept.push(byte),
                _ => {}
            }
            if kept.len() > STATEMENT_MAX_BYTES {
                return Err(self.fail_at(since, Problem::TooLarge { what: "a statement", max: STATEMENT_MAX_BYTES }));
            }
        }
        Ok(String::from_utf8_lossy(&kept).into_owned())
    }

    /// Consumes to the line `GO`, past it, or to the end of the file. Rows in between would be lost, and are refused.
    fn batch(&mut self, since: u64) -> Result<String, DumpError> {
        let mut kept = String::new();
        while self.peek()?.is_some() {
            let line = self.whole_line(since)?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some(word) if word.eq_ignore_ascii_case("GO") && words.next().is_none_or(|count| count.parse::<u32>().is_ok()) => break,
                Some(word) if word.eq_ignore_ascii_case("INSERT") => {
                    return Err(self.fail_at(since, Problem::Expected("the line GO between a statement and the rows behind it")));
                }
                _ => {}
            }
            kept.push_str(&line);
            kept.push('\n');
            if kept.len() > STATEMENT_MAX_BYTES {
                return Err(self.fail_at(since, Problem::TooLarge { what: "a statement", max: STATEMENT_MAX_BYTES }));
            }
        }
        Ok(kept)
    }

    fn whole_line(&mut self, since: u64) -> Result<String, DumpError> {
        let mut line = Vec::new();
        if !self.cursor.run_until(b"\n", Some(&mut line), STATEMENT_MAX_BYTES).map_err(|e| self.fail(e))? {
            return Err(self.fail_at(since, Problem::TooLarge { what: "a line", max: STATEMENT_MAX_BYTES }));
        }
        self.next()?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Consumes to the line `/`, past it: the end of what Oracle programs in its own language.
    pub(super) fn program(&mut self, since: u64) -> Result<(), DumpError> {
        while self.peek()?.is_some() {
            if self.rest_of_line()?.trim() == "/" {
                return Ok(());
            }
        }
        Err(self.fail(Problem::Unfinished { what: "a trigger, procedure or function (the line / is missing)", since }))
    }

    fn quoted_in_statement(&mut self, quote: u8, mut kept: Option<&mut Vec<u8>>, since: u64) -> Result<(), DumpError> {
        if let Some(kept) = kept.as_deref_mut() {
            kept.push(quote);
        }
        loop {
            let byte = self.must("a quoted text", since)?;
            let escaped =
                if byte == b'\\' && quote == b'\'' && self.backslash_escapes() { Some(self.must("a quoted text", since)?) } else { None };
            if let Some(kept) = kept.as_deref_mut() {
                kept.push(byte);
                kept.extend(escaped);
                if kept.len() > STATEMENT_MAX_BYTES {
                    return Err(self.fail_at(since, Problem::TooLarge { what: "a statement", max: STATEMENT_MAX_BYTES }));
                }
            }
            // A doubled quote simply begins the next quoted part.
            if byte == quote && escaped.is_none() {
                return Ok(());
            }
        }
    }

    /// After a `$`: skips `$tag$ … $tag$`; a `$` that begins no such thing is left alone.
    fn dollar_quoted(&mut self, since: u64) -> Result<(), DumpError> {
        let mut tag = vec![b'$'];
        loop {
            match self.peek()? {
                Some(b'$') => {
                    self.next()?;
                    tag.push(b'$');
                    break;
                }
                Some(b) if (b.is_ascii_alphanumeric() || b == b'_') && tag.len() < 64 => {
                    self.next()?;
                    tag.push(b);
                }
                _ => return Ok(()),
            }
        }
        let mut tail: Vec<u8> = Vec::with_capacity(tag.len());
        loop {
            let byte = self.must("a $-quoted text", since)?;
            if tail.len() == tag.len() {
                tail.remove(0);
            }
            tail.push(byte);
            if tail == tag {
                return Ok(());
            }
        }
    }

    /// One value of an INSERT. Without `keep` it is checked but not held.
    pub(super) fn literal(&mut self, keep: bool) -> Result<Literal, DumpError> {
        if self.is_script() {
            return self.expression(keep);
        }
        self.blank_in_row()?;
        let literal = match self.peek()? {
            Some(b'\'') => Literal::Text(self.string(keep, self.backslash_escapes())?),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => self.number(keep)?,
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => self.worded(keep)?,
            _ => return Err(self.fail(Problem::Expected("a value"))),
        };
        self.blank_in_row()?;
        // PostgreSQL may say the type behind the value.
        while self.peek()? == Some(b':') {
            self.next()?;
            if self.next()? != Some(b':') {
                return Err(self.fail(Problem::Expected("`::` and a type")));
            }
            self.name()?;
            self.blank_in_row()?;
        }
        Ok(literal)
    }

    /// Only white space may stand inside a row; a `-` there is a number.
    pub(super) fn blank_in_row(&mut self) -> Result<(), DumpError> {
        while self.peek()?.is_some_and(|b| b.is_ascii_whitespace()) {
            self.next()?;
        }
        Ok(())
    }

    pub(super) fn number(&mut self, keep: bool) -> Result<Literal, DumpError> {
        let mut text = String::new();
        while let Some(b) = self.peek()?.filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')) {
            self.next()?;
            text.push(char::from(b));
            if let Some("0x" | "0X") = text.get(..) {
                return self.hex_digits(keep, None).map(Literal::Raw);
            }
            if text.len() > 128 {
                return Err(self.fail(Problem::TooLarge { what: "a number", max: 128 }));
            }
        }
        if text.parse::<f64>().is_err() {
            return Err(self.fail(Problem::Malformed("number")));
        }
        Ok(Literal::Number(text))
    }

    fn worded(&mut self, keep: bool) -> Result<Literal, DumpError> {
        let word = self.word()?;
        match word.as_str() {
            "NULL" => return Ok(Literal::Null),
            "TRUE" => return Ok(Literal::Bool(true)),
            "FALSE" => return Ok(Literal::Bool(false)),
            _ => {}
        }
        self.blank_in_row()?;
        if self.peek()? == Some(b'\'') {
            match word.as_str() {
                "X" => {
                    self.next()?;
                    return self.hex_digits(keep, Some(b'\'')).map(Literal::Raw);
                }
                "B" => return self.bits(),
                "E" => return self.string(keep, true).map(Literal::Text),
                "N" => return self.string(keep, self.backslash_escapes()).map(Literal::Text),
                _ if word.starts_with('_') => return self.string(keep, self.backslash_escapes()).map(Literal::Text),
                _ => {}
            }
        }
        // `_binary 0x…`
        if word.starts_with('_') && self.peek()? == Some(b'0') {
            return self.number(keep);
        }
        Err(self.fail(Problem::Expected("a value")))
    }

    /// Hex digits up to `end`, or up to the first byte that is none.
    pub(super) fn hex_digits(&mut self, keep: bool, end: Option<u8>) -> Result<Vec<u8>, DumpError> {
        let mut bytes = Vec::new();
        let mut high: Option<u8> = None;
        let mut count = 0_usize;
        while let Some(digit) = self.peek()?.and_then(hex_digit) {
            self.next()?;
            count += 1;
            if count > 2 * CELL_MAX_BYTES {
                return Err(self.fail(Problem::TooLarge { what: "a value", max: CELL_MAX_BYTES }));
            }
            high = match high {
                None => Some(digit),
                Some(first) => {
                    if keep {
                        bytes.push(first << 4 | digit);
                    }
                    None
                }
            };
        }
        if high.is_some() {
            return Err(self.fail(Problem::Malformed("hex value")));
        }
        if let Some(end) = end
            && self.next()? != Some(end)
        {
            return Err(self.fail(Problem::Malformed("hex value")));
        }
        Ok(bytes)
    }

    fn bits(&mut self) -> Result<Literal, DumpError> {
        self.next()?;
        let mut bits = Vec::new();
        loop {
            match self.next()? {
                Some(bit @ (b'0' | b'1')) if bits.len() < 64 => bits.push(bit - b'0'),
                Some(b'\'') => break,
                _ => return Err(self.fail(Problem::Malformed("bit value"))),
            }
        }
        let bytes = bits.rchunks(8).rev().map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect();
        Ok(Literal::Raw(bytes))
    }

    /// A quoted text; adjacent `''` is one quote.
    pub(super) fn string(&mut self, keep: bool, backslash: bool) -> Result<Vec<u8>, DumpError> {
        let since = self.cursor.line();
        self.next()?;
        let stops: &[u8] = if backslash { b"'\\" } else { b"'" };
        let mut text = Vec::new();
        let mut skipped = 0_usize;
        loop {
            let within = self.cursor.run_until(stops, keep.then_some(&mut text), CELL_MAX_BYTES).map_err(|e| self.fail(e))?;
            skipped += 1;
            if !within || skipped > CELL_MAX_BYTES {
                return Err(self.fail_at(since, Problem::TooLarge { what: "a value", max: CELL_MAX_BYTES }));
            }
            let byte = self.must("a quoted text", since)?;
            if byte == b'\'' {
                if self.peek()? != Some(b'\'') {
                    return Ok(text);
                }
                self.next()?;
                if keep {
                    text.push(b'\'');
                }
            } else {
                self.escape(keep.then_some(&mut text), since)?;
            }
        }
    }

    fn escape(&mut self, text: Option<&mut Vec<u8>>, since: u64) -> Result<(), DumpError> {
        let byte = self.must("a quoted text", since)?;
        let mut sink = Vec::new();
        let text = text.unwrap_or(&mut sink);
        if self.dialect == Some(Dialect::Postgres) {
            let meant = match byte {
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'x' => self.coded(16, 2)?,
                b'0'..=b'7' => {
                    let rest = self.octal_after(byte)?;
                    text.push(rest);
                    return Ok(());
                }
                other => other,
            };
            text.push(meant);
            return Ok(());
        }
        match byte {
            b'0' => text.push(0),
            b'b' => text.push(0x08),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'Z' => text.push(0x1a),
            // In MySQL these two keep their backslash: they are patterns' escapes.
            b'%' | b'_' => text.extend([b'\\', byte]),
            other => text.push(other),
        }
        Ok(())
    }

    fn coded(&mut self, radix: u32, most: usize) -> Result<u8, DumpError> {
        let mut value = 0_u32;
        let mut count = 0;
        while count < most
            && let Some(digit) = self.peek()?.and_then(|b| char::from(b).to_digit(radix))
        {
            self.next()?;
            value = value * radix + digit;
            count += 1;
        }
        u8::try_from(value).ok().filter(|_| count > 0).ok_or_else(|| self.fail(Problem::Malformed("escape")))
    }

    fn octal_after(&mut self, first: u8) -> Result<u8, DumpError> {
        let mut value = u32::from(first - b'0');
        for _ in 0..2 {
            let Some(digit) = self.peek()?.and_then(|b| char::from(b).to_digit(8)) else { break };
            self.next()?;
            value = value * 8 + digit;
        }
        u8::try_from(value).map_err(|_| self.fail(Problem::Malformed("escape")))
    }
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok())
}
