//! The text `mysqldump` or `pg_dump` wrote, or a script with the tables and rows of an Oracle or SQL Server database, read without a
//! server.
//!
//! Opening reads the file once from end to end: it proves the dump whole, learns the tables and notes where each table's rows
//! stand. A scan then goes straight to those places. Rows are never held beyond the batch on its way, so a dump may be far
//! larger than memory.

mod cursor;
mod error;
mod expression;
mod lexer;
mod schema;
mod script;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::Tz;
pub(super) use error::at;
pub use error::{DumpError, Problem};

use self::{
    cursor::{Cursor, Place},
    lexer::{Dialect, Lexer, Literal, hex_digit},
    schema::Declared,
};
use super::{CELL_MAX_BYTES, Kind, Reading, Row, Rows, SourceError, Table, Value, rows::Filling};

/// A line of COPY data is one row.
const LINE_MAX_BYTES: usize = 4 * CELL_MAX_BYTES;

/// A dump that was read once and found whole.
#[derive(Debug)]
pub struct Dump {
    path: PathBuf,
    length: u64,
    dialect: Dialect,
    /// By upper-case name.
    tables: BTreeMap<String, Indexed>,
    /// TIMESTAMP values stand in UTC.
    in_utc: bool,
    /// Whether a closing line proves the dump whole.
    closed: bool,
    database_zone: Option<Tz>,
}

#[derive(Debug)]
struct Indexed {
    declared: Declared,
    segments: Vec<Segment>,
    rows: u64,
}

/// Where rows of one table stand.
#[derive(Debug, Clone)]
struct Segment {
    place: Place,
    form: Form,
    /// For each value, the column it belongs to. Shared by the many statements of a script that name the same columns.
    columns: Arc<[usize]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `(…),(…);`
    Tuples,
    /// Tab-separated lines up to `\.`
    Lines,
}

impl Dump {
    /// Reads the whole file once.
    ///
    /// # Errors
    ///
    /// [`DumpError`] with the line, when the file is cut off or does not read.
    pub fn open(path: &Path, reading: Reading) -> Result<Self, DumpError> {
        let opened = File::open(path).and_then(|file| file.metadata().map(|m| (file, m.len())));
        let (file, length) = opened.map_err(|e| DumpError { path: path.to_owned(), line: 0, problem: e.into() })?;
        let mut cursor = Cursor::new(file);
        let told = cursor.beginning().map(script::told);
        let told = told.map_err(|e| DumpError { path: path.to_owned(), line: 0, problem: e.into() })?;
        let mut index = Index {
            lexer: Lexer::new(cursor, path.to_owned(), told),
            tables: BTreeMap::new(),
            open_header: None,
            closed: false,
            in_utc: false,
        };
        index.run()?;
        Ok(Self {
            path: path.to_owned(),
            length,
            dialect: index.lexer.dialect.unwrap_or(Dialect::MySql),
            tables: index.tables,
            in_utc: index.in_utc,
            closed: index.closed,
            database_zone: reading.database_zone,
        })
    }

    /// The tables it declares.
    pub fn tables(&self) -> Vec<Table> {
        self.tables.values().map(|t| t.declared.table.clone()).collect()
    }

    /// How many rows it holds of a table.
    pub fn count(&self, table: &str) -> u64 {
        self.tables.get(&table.to_ascii_uppercase()).map_or(0, |t| t.rows)
    }

    /// What an operator should know about this dump.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.closed && matches!(self.dialect, Dialect::Oracle | Dialect::SqlServer) {
            notes.push(format!(
                "{}: scripts of this kind end without a closing line, so nothing proves that it is whole; compare the numbers of rows with the database's",
                self.path.display()
            ));
        } else if !self.closed {
            notes.push(format!(
                "{}: the dump carries no closing line (made with --compact or --skip-comments?), so nothing proves that it is whole",
                self.path.display()
            ));
        }
        if self.in_utc && self.database_zone.is_none() && self.tables.values().any(|t| t.declared.utc_moved.contains(&true)) {
            notes.push(format!(
                "{}: its TIMESTAMP values were written in UTC; unless the database server ran in UTC, say its zone with --database-timezone",
                self.path.display()
            ));
        }
        notes
    }
}

/// Decodes the text of a `bytea`: `\x` hex, or the older escapes.
pub(super) fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix(b"\\x") {
        if hex.len() % 2 != 0 {
            return None;
        }
        return hex
            .chunks_exact(2)
            .map(|pair| match pair {
                [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
                _ => None,
            })
            .collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let first = *rest.next()?;
        if first == b'\\' {
            bytes.push(b'\\');
            continue;
        }
        let octal = [first, *rest.next()?, *rest.next()?];
        let mut value = 0_u32;
        for digit in octal {
            value = value * 8 + char::from(digit).to_digit(8)?;
        }
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}

/// Streams the rows of one table.
pub(super) fn scan(dump: &Arc<Dump>, table: Arc<Table>) -> Rows {
    let (mut filling, rows) = Rows::channel(&table.name);
    let dump = Arc::clone(dump);
    tokio::task::spawn_blocking(move || {
        let outcome = fill(&dump, &table, &mut filling);
        filling.finish_blocking(outcome);
    });
    rows
}

fn fill(dump: &Dump, table: &Arc<Table>, filling: &mut Filling) -> Result<(), SourceError> {
    let Some(indexed) = dump.tables.get(&table.name.to_ascii_uppercase()) else { return Ok(()) };
    let fail = |problem: Problem| DumpError { path: dump.path.clone(), line: 0, problem };
    let file = File::open(&dump.path).map_err(|e| fail(e.into()))?;
    if file.metadata().map_err(|e| fail(e.into()))?.len() != dump.length {
        return Err(fail(Problem::Changed).into());
    }
    let mut lexer = Lexer::new(Cursor::new(file), dump.path.clone(), Some(dump.dialect));
    let zone = dump.database_zone.filter(|_| dump.in_utc);
    let mut number = 0;
    for segment in &indexed.segments {
        lexer.cursor.go(segment.place).map_err(|e| lexer.fail(e))?;
        let mut each = |values: Vec<Value>| {
            number += 1;
            filling.push_blocking(Row::new(Arc::clone(table), number, values))
        };
        let going_on = match segment.form {
            Form::Tuples => tuples(&mut lexer, indexed, segment, zone, &mut each)?,
            Form::Lines => lines(&mut lexer, indexed, segment, &mut each)?,
        };
        if !going_on {
            return Ok(());
        }
    }
    Ok(())
}

fn tuples(
    lexer: &mut Lexer,
    indexed: &Indexed,
    segment: &Segment,
    zone: Option<Tz>,
    each: &mut impl FnMut(Vec<Value>) -> bool,
) -> Result<bool, DumpError> {
    let declared = &indexed.declared;
    loop {
        let mut values = vec![Value::Null; declared.table.columns.len()];
        open_tuple(lexer)?;
        let mut at = 0;
        loop {
            let literal = lexer.literal(true)?;
            if let Some(column) = segment.columns.get(at).copied()
                && let (Some(slot), Some(kind)) = (values.get_mut(column), declared.table.columns.get(column).map(|c| c.kind))
            {
                let value = value(lexer, literal, kind)?;
                let moved = declared.utc_moved.get(column).copied().unwrap_or(false);
                *slot = match (value, zone) {
                    (Value::Timestamp(t), Some(zone)) if moved => Value::Timestamp(from_utc(t, zone)),
                    (value, _) => value,
                };
            }
            at += 1;
            if !next_in_tuple(lexer)? {
                break;
            }
        }
        if at != segment.columns.len() {
            return Err(wrong_width(lexer, declared, segment.columns.len(), at));
        }
        if !each(values) {
            return Ok(false);
        }
        if !next_tuple(lexer)? {
            return Ok(true);
        }
    }
}

fn lines(lexer: &mut Lexer, indexed: &Indexed, segment: &Segment, each: &mut impl FnMut(Vec<Value>) -> bool) -> Result<bool, DumpError> {
    let declared = &indexed.declared;
    let mut line = Vec::new();
    loop {
        if !copy_line(lexer, &mut line)? {
            return Ok(true);
        }
        let mut values = vec![Value::Null; declared.table.columns.len()];
        let mut at = 0;
        for field in line.split(|b| *b == b'\t') {
            if let Some(column) = segment.columns.get(at).copied()
                && let (Some(slot), Some(kind)) = (values.get_mut(column), declared.table.columns.get(column).map(|c| c.kind))
                && field != b"\\N"
            {
                let text = copy_text(field).ok_or_else(|| lexer.fail(Problem::Malformed("escape")))?;
                *slot = if kind == Kind::Bytes {
                    Value::Bytes(bytea(&text).ok_or_else(|| lexer.fail(Problem::Malformed("bytea value")))?)
                } else {
                    Value::from_text_form(kind, text)
                };
            }
            at += 1;
        }
        // A table without columns still writes an empty line for a row.
        if at != segment.columns.len() && !(segment.columns.is_empty() && line.is_empty()) {
            return Err(wrong_width(lexer, declared, segment.columns.len(), at));
        }
        if !each(values) {
            return Ok(false);
        }
    }
}

fn wrong_width(lexer: &Lexer, declared: &Declared, expected: usize, found: usize) -> DumpError {
    lexer.fail(Problem::WrongWidth { table: declared.table.name.clone(), expected, found })
}

fn value(lexer: &Lexer, literal: Literal, kind: Kind) -> Result<Value, DumpError> {
    Ok(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(b),
        Literal::Raw(bytes) => Value::Bytes(bytes),
        Literal::Number(text) => Value::from_text_form(if kind == Kind::Bytes { Kind::Text } else { kind }, text.into_bytes()),
        Literal::Text(bytes) if kind == Kind::Bytes && lexer.dialect == Some(Dialect::Postgres) => {
            Value::Bytes(bytea(&bytes).ok_or_else(|| lexer.fail(Problem::Malformed("bytea value")))?)
        }
        Literal::Text(bytes) if kind == Kind::Bytes => Value::Bytes(bytes),
        Literal::Text(bytes) => Value::from_text_form(kind, bytes),
    })
}

fn from_utc(t: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    zone.from_utc_datetime(&t).naive_local()
}

/// Undoes COPY's escapes.
fn copy_text(field: &[u8]) -> Option<Vec<u8>> {
    if !field.contains(&b'\\') {
        return Some(field.to_vec());
    }
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next()? {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0b),
            b'x' => {
                let mut value = 0_u8;
                let mut digits = 0;
                while digits < 2
                    && let Some(digit) = rest.peek().copied().and_then(hex_digit)
                {
                    rest.next();
                    value = value << 4 | digit;
                    digits += 1;
                }
                out.push(if digits == 0 { b'x' } else { value });
            }
            first @ b'0'..=b'7' => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(digit) = rest.peek().and_then(|b| char::from(*b).to_digit(8)) else { break };
                    rest.next();
                    value = value * 8 + digit;
                }
                out.push(u8::try_from(value).ok()?);
            }
            other => out.push(other),
        }
    }
    Some(out)
}

/// Reads one COPY line; `false` at the closing `\.`.
fn copy_line(lexer: &mut Lexer, line: &mut Vec<u8>) -> Result<bool, DumpError> {
    let since = lexer.cursor.line();
    line.clear();
    let within = lexer.cursor.run_until(b"\n", Some(line), LINE_MAX_BYTES).map_err(|e| lexer.fail(e))?;
    if !within {
        return Err(lexer.fail_at(since, Problem::TooLarge { what: "a line", max: LINE_MAX_BYTES }));
    }
    if lexer.next()?.is_none() {
        return Err(lexer.fail(Problem::Unfinished { what: "COPY data", since }));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line.as_slice() != b"\\.")
}

fn open_tuple(lexer: &mut Lexer) -> Result<(), DumpError> {
    lexer.blank_in_row()?;
    match lexer.next()? {
        Some(b'(') => Ok(()),
        _ => Err(lexer.fail(Problem::Expected("`(` before a row's values"))),
    }
}

/// After a value: `true` for a further value, `false` at the row's end.
fn next_in_tuple(lexer: &mut Lexer) -> Result<bool, DumpError> {
    match lexer.next()? {
        Some(b',') => Ok(true),
        Some(b')') => Ok(false),
        Some(_) => Err(lexer.fail(Problem::Expected("`,` or `)` after a value"))),
        None => Err(lexer.fail(Problem::Unfinished { what: "a row", since: lexer.cursor.line() })),
    }
}

/// After a row: `true` for a further row, `false` at the statement's end, which is consumed.
fn next_tuple(lexer: &mut Lexer) -> Result<bool, DumpError> {
    let since = lexer.cursor.line();
    lexer.blank_in_row()?;
    match lexer.peek()? {
        Some(b',') => {
            lexer.next()?;
            Ok(true)
        }
        Some(b';') => {
            lexer.next()?;
            Ok(false)
        }
        // SQL Server's end with their line; what follows is the next statement.
        _ if lexer.dialect == Some(Dialect::SqlServer) => Ok(false),
        // `ON CONFLICT DO NOTHING` and the like.
        Some(b) if b.is_ascii_alphabetic() => lexer.statement(false, since).map(|_| false),
        Some(_) => Err(lexer.fail(Problem::Expected("`,` or `;` after a row"))),
        None => Err(lexer.fail(Problem::Unfinished { what: "an INSERT", since })),
    }
}

/// The first reading.
struct Index {
    lexer: Lexer,
    tables: BTreeMap<String, Indexed>,
    /// The closing line owed by the last header seen.
    open_header: Option<&'static str>,
    closed: bool,
    in_utc: bool,
}

impl Index {
    fn run(&mut self) -> Result<(), DumpError> {
        loop {
            let mut comments = Vec::new();
            self.lexer.skip_blank(|text, line| comments.push((text.to_owned(), line)))?;
            for (text, line) in comments {
                self.comment(&text, line)?;
            }
            let since = self.lexer.cursor.line();
            match self.lexer.peek()? {
                None => break,
                Some(b';') => {
                    self.lexer.next()?;
                }
                // A command of psql, such as \connect or \restrict.
                Some(b'\\') => {
                    self.lexer.rest_of_line()?;
                }
                // A name in brackets has no word before it; none begins a statement.
                Some(b'@') if self.lexer.is_script() => {
                    self.lexer.rest_of_line()?;
                }
                Some(_) => {
                    let word = self.lexer.word()?;
                    self.statement(&word, since)?;
                }
            }
        }
        match self.open_header {
            Some(trailer) => Err(self.lexer.fail(Problem::NoTrailer(trailer))),
            None => Ok(()),
        }
    }

    fn comment(&mut self, text: &str, line: u64) -> Result<(), DumpError> {
        let text = text.trim();
        if text.starts_with("Dump completed") || text.ends_with("database dump complete") || text.ends_with("cluster dump complete") {
            self.open_header = None;
            self.closed = true;
            return Ok(());
        }
        let header = if text.starts_with("MySQL dump") || text.starts_with("MariaDB dump") {
            Some((Dialect::MySql, "-- Dump completed"))
        } else if text == "PostgreSQL database dump" {
            Some((Dialect::Postgres, "-- PostgreSQL database dump complete"))
        } else {
            None
        };
        if let Some((dialect, trailer)) = header {
            // A second dump begins although the first has not ended.
            if let Some(owed) = self.open_header {
                return Err(self.lexer.fail_at(line, Problem::NoTrailer(owed)));
            }
            self.lexer.dialect = Some(dialect);
            self.open_header = Some(trailer);
            self.closed = false;
        }
        if text.starts_with('!') {
            self.set(text);
        }
        Ok(())
    }

    fn set(&mut self, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        if text.contains("TIME_ZONE='+00:00'") && !text.contains("@OLD_TIME_ZONE=") {
            self.in_utc = true;
        }
    }

    fn statement(&mut self, word: &str, since: u64) -> Result<(), DumpError> {
        if self.lexer.is_script() && script::is_one_line(word) {
            return self.lexer.rest_of_line().map(drop);
        }
        match word {
            "INSERT" | "REPLACE" => self.insert(since),
            "COPY" => self.copy(since),
            "CREATE" => self.create(since),
            "SET" => {
                let text = self.lexer.statement(true, since)?;
                self.set(&text);
                Ok(())
            }
            "DELIMITER" => self.other_delimiter(since),
            "" => Err(self.lexer.fail(Problem::Expected("a statement"))),
            _ => self.lexer.statement(false, since).map(drop),
        }
    }

    /// Routines and triggers stand between `DELIMITER ;;` and `DELIMITER ;`; none of them is ours.
    fn other_delimiter(&mut self, since: u64) -> Result<(), DumpError> {
        if self.lexer.rest_of_line()?.trim() == ";" {
            return Ok(());
        }
        loop {
            if self.lexer.peek()?.is_none() {
                return Err(self.lexer.fail(Problem::Unfinished { what: "a DELIMITER section", since }));
            }
            let line = self.lexer.rest_of_line()?;
            let mut words = line.split_whitespace();
            if words.next().is_some_and(|w| w.eq_ignore_ascii_case("DELIMITER")) && words.next() == Some(";") {
                return Ok(());
            }
        }
    }

    fn create(&mut self, since: u64) -> Result<(), DumpError> {
        let text = if self.lexer.dialect == Some(Dialect::Oracle) {
            let mut words = String::new();
            // CREATE OR REPLACE EDITIONABLE TRIGGER at most.
            loop {
                self.lexer.blank()?;
                let word = self.lexer.word()?;
                if script::is_program(&word) {
                    return self.lexer.program(since);
                }
                words.push_str(&word);
                words.push(' ');
                if !matches!(word.as_str(), "OR" | "REPLACE" | "EDITIONABLE" | "NONEDITIONABLE" | "FORCE") {
                    break words + &self.lexer.statement(true, since)?;
                }
            }
        } else {
            self.lexer.statement(true, since)?
        };
        let Some(declared) = schema::create_table(&text) else { return Ok(()) };
        if self.lexer.dialect.is_none() {
            let mysql = text.contains('`') || text.to_ascii_uppercase().contains("ENGINE");
            self.lexer.dialect = Some(if mysql { Dialect::MySql } else { Dialect::Postgres });
        }
        let key = declared.table.name.to_ascii_uppercase();
        if self.tables.contains_key(&key) {
            return Err(self.lexer.fail_at(since, Problem::DeclaredTwice(declared.table.name)));
        }
        self.tables.insert(key, Indexed { declared, segments: Vec::new(), rows: 0 });
        Ok(())
    }

    fn insert(&mut self, since: u64) -> Result<(), DumpError> {
        loop {
            self.lexer.blank_in_row()?;
            if self.lexer.dialect == Some(Dialect::SqlServer) && self.lexer.peek()? == Some(b'[') {
                break;
            }
            match self.lexer.word()?.as_str() {
                "INTO" => break,
                "" => return Err(self.lexer.fail_at(since, Problem::Expected("INSERT INTO"))),
                _ => {}
            }
        }
        let table = self.lexer.name()?;
        let named = self.lexer.name_list()?;
        loop {
            self.lexer.blank_in_row()?;
            match self.lexer.word()?.as_str() {
                "VALUES" | "VALUE" => break,
                // OVERRIDING SYSTEM VALUE ends in a word we must not take for the list.
                "OVERRIDING" => {
                    for _ in 0..2 {
                        self.lexer.blank_in_row()?;
                        self.lexer.word()?;
                    }
                }
                _ => return Err(self.lexer.fail_at(since, Problem::Expected("VALUES and rows"))),
            }
        }
        let segment = self.segment(&table, named, Form::Tuples, since)?;
        let width = segment.columns.len();
        let mut rows = 0;
        loop {
            open_tuple(&mut self.lexer)?;
            let mut at = 0;
            loop {
                self.lexer.literal(false)?;
                at += 1;
                if !next_in_tuple(&mut self.lexer)? {
                    break;
                }
            }
            if at != width {
                return Err(self.lexer.fail(Problem::WrongWidth { table, expected: width, found: at }));
            }
            rows += 1;
            if !next_tuple(&mut self.lexer)? {
                break;
            }
        }
        self.note(&table, segment, rows);
        Ok(())
    }

    fn copy(&mut self, since: u64) -> Result<(), DumpError> {
        self.lexer.dialect.get_or_insert(Dialect::Postgres);
        let table = self.lexer.name()?;
        let named = self.lexer.name_list()?;
        let tail = self.lexer.statement(true, since)?.to_ascii_uppercase();
        if tail.split_whitespace().ne(["FROM", "STDIN"]) {
            return Err(self.lexer.fail_at(since, Problem::Expected("COPY … FROM stdin;")));
        }
        self.lexer.rest_of_line()?;
        let segment = self.segment(&table, named, Form::Lines, since)?;
        let width = segment.columns.len();
        let mut rows = 0;
        let mut line = Vec::new();
        while copy_line(&mut self.lexer, &mut line)? {
            let found = line.split(|b| *b == b'\t').count();
            if found != width && !(width == 0 && line.is_empty()) {
                return Err(self.lexer.fail(Problem::WrongWidth { table, expected: width, found }));
            }
            rows += 1;
        }
        self.note(&table, segment, rows);
        Ok(())
    }

    fn segment(&self, table: &str, named: Option<Vec<String>>, form: Form, since: u64) -> Result<Segment, DumpError> {
        let Some(indexed) = self.tables.get(&table.to_ascii_uppercase()) else {
            return Err(self.lexer.fail_at(since, Problem::Undeclared(table.to_owned())));
        };
        let declared = &indexed.declared.table;
        let columns = match named {
            None => (0..declared.columns.len()).collect(),
            Some(names) => {
                let mut columns = Vec::with_capacity(names.len());
                for column in names {
                    let Some(at) = declared.position(&column) else {
                        return Err(self.lexer.fail_at(since, Problem::NoColumn { table: table.to_owned(), column }));
                    };
                    columns.push(at);
                }
                columns
            }
        };
        let columns: Vec<usize> = columns;
        let columns = match indexed.segments.last().map(|before| &before.columns) {
            Some(same) if **same == *columns => Arc::clone(same),
            _ => columns.into(),
        };
        Ok(Segment { place: self.lexer.cursor.place(), form, columns })
    }

    fn note(&mut self, table: &str, segment: Segment, rows: u64) {
        if let Some(indexed) = self.tables.get_mut(&table.to_ascii_uppercase()) {
            indexed.segments.push(segment);
            indexed.rows += rows;
        }
    }
}

#[cfg(test)]
mod tests;
