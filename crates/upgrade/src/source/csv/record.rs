//! Records of a file of comma-separated values (RFC 4180), one at a time. Unlike the usual readers it tells a quoted field from a bare
//! one, because only that tells NULL from an empty text.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use super::{CsvError, Problem};
use crate::source::CELL_MAX_BYTES;

/// Of one record.
const RECORD_MAX_BYTES: usize = 2 * CELL_MAX_BYTES;
/// Columns of a record, above what any table has.
const FIELDS_MAX: usize = 4_000;

/// A field as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Bare(Vec<u8>),
    Quoted(Vec<u8>),
}

impl Field {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bare(bytes) | Self::Quoted(bytes) => bytes,
        }
    }
}

pub(super) struct Records {
    path: PathBuf,
    bytes: std::iter::Peekable<std::io::Bytes<BufReader<File>>>,
    line: u64,
}

impl Records {
    pub(super) fn open(path: &Path) -> Result<Self, CsvError> {
        let fail = |e: std::io::Error| CsvError { path: path.to_owned(), line: 0, problem: e.into() };
        let file = File::open(path).map_err(fail)?;
        let mut records = Self { path: path.to_owned(), bytes: BufReader::with_capacity(1 << 16, file).bytes().peekable(), line: 1 };
        // A byte order mark, as some tools write.
        for mark in [0xef, 0xbb, 0xbf] {
            if records.peek()? != Some(mark) {
                break;
            }
            records.take()?;
        }
        Ok(records)
    }

    pub(super) fn fail(&self, problem: Problem) -> CsvError {
        CsvError { path: self.path.clone(), line: self.line, problem }
    }

    fn peek(&mut self) -> Result<Option<u8>, CsvError> {
        match self.bytes.peek() {
            Some(Ok(byte)) => Ok(Some(*byte)),
            None => Ok(None),
            Some(Err(_)) => self.take(),
        }
    }

    fn take(&mut self) -> Result<Option<u8>, CsvError> {
        let byte = self.bytes.next().transpose().map_err(|e| self.fail(e.into()))?;
        if byte == Some(b'\n') {
            self.line += 1;
        }
        Ok(byte)
    }

    /// The next record; `None` at the end. Empty lines between records are skipped.
    pub(super) fn next(&mut self) -> Result<Option<Vec<Field>>, CsvError> {
        while matches!(self.peek()?, Some(b'\n' | b'\r')) {
            self.take()?;
        }
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        let mut room = RECORD_MAX_BYTES;
        loop {
            let field = self.field(&mut room)?;
            fields.push(field);
            if fields.len() > FIELDS_MAX {
                return Err(self.fail(Problem::TooMany(FIELDS_MAX)));
            }
            match self.take()? {
                Some(b',') => {}
                Some(b'\r') if self.peek()? == Some(b'\n') => {
                    self.take()?;
                    return Ok(Some(fields));
                }
                None | Some(b'\n' | b'\r') => return Ok(Some(fields)),
                Some(_) => return Err(self.fail(Problem::AfterQuote)),
            }
        }
    }

    fn field(&mut self, room: &mut usize) -> Result<Field, CsvError> {
        let mut bytes = Vec::new();
        let quoted = self.peek()? == Some(b'"');
        let since = self.line;
        if quoted {
            self.take()?;
        }
        loop {
            let next = self.peek()?;
            match next {
                None if quoted => return Err(self.fail(Problem::Unfinished { since })),
                None | Some(b',' | b'\n' | b'\r') if !quoted => return Ok(Field::Bare(bytes)),
                Some(b'"') if quoted => {
                    self.take()?;
                    if self.peek()? != Some(b'"') {
                        return Ok(Field::Quoted(bytes));
                    }
                }
                _ => {}
            }
            if let Some(byte) = self.take()? {
                bytes.push(byte);
            }
            *room = room.saturating_sub(1);
            if bytes.len() > CELL_MAX_BYTES || *room == 0 {
                return Err(self.fail(Problem::TooLarge { what: "a row", max: CELL_MAX_BYTES }));
            }
        }
    }
}
