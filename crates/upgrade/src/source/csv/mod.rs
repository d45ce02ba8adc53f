//! A folder with one file of comma-separated values for each table, for databases we have no driver for.
//!
//! `TABLE.csv` begins with a line of column names. `TABLE.del` is what DB2's EXPORT writes: it has none, so `_columns.csv` or
//! `_columns.del` must list them. An unquoted empty field or `\N` is NULL, a quoted empty one is an empty text; an unquoted field
//! `\x…` is bytes in hexadecimal. Opening reads every file once from end to end: it proves them well-formed and counts their rows. Rows
//! are never held beyond the batch on its way.

mod record;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use self::record::{Field, Records};
use super::{CELL_MAX_BYTES, Column, Kind, Row, Rows, SourceError, Table, Value, rows::Filling};

/// Files in a folder; an old installation has some two hundred tables.
const FILES_MAX: usize = 10_000;
const COLUMNS_MAX: usize = 2_000;

/// A folder that was read once and found well-formed.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// By upper-case name.
    files: BTreeMap<String, TableFile>,
}

#[derive(Debug)]
struct TableFile {
    path: PathBuf,
    table: Table,
    /// A first line of names.
    headed: bool,
    /// For each column, whether DB2 keeps its values in files of their own.
    in_files: Vec<bool>,
    length: u64,
    rows: u64,
}

/// A file that does not read, with the line to look at.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), super::dump::at(*line))]
pub struct CsvError {
    /// The file, or the folder.
    pub path: PathBuf,
    /// Counted from 1; 0 for the whole file.
    pub line: u64,
    /// What is wrong there.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a CSV file. Never shows its data.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] std::io::Error),
    /// Nothing in the folder.
    #[error("the folder holds no TABLE.csv and no TABLE.del")]
    Empty,
    /// Two files are one table.
    #[error("there are two files for the table {0}")]
    Twice(String),
    /// No names of columns.
    #[error("the first line must name the columns")]
    NoHeader,
    /// A `.del` file nobody lists the columns of.
    #[error("nothing names its columns: export them to _columns.del, see docs/upgrade/sources.md")]
    NoColumns,
    /// The list of columns.
    #[error("a line of the list of columns must be TABLE,COLUMN,NUMBER,TYPE")]
    ColumnLine,
    /// A quote is open at the end.
    #[error("the file ends inside a quoted field that began in line {since}; it is cut off, make a new one")]
    Unfinished {
        /// Where.
        since: u64,
    },
    /// Something between the closing quote and the comma.
    #[error("a quoted field is followed by something else than a comma; quotes inside must be doubled")]
    AfterQuote,
    /// More or fewer fields than columns.
    #[error("a row has {found} fields for {expected} columns")]
    WrongWidth {
        /// Columns.
        expected: usize,
        /// Fields.
        found: usize,
    },
    /// A bound is passed.
    #[error("{what} is larger than {max} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// More than a folder or table has.
    #[error("there are more than {0}")]
    TooMany(usize),
    /// Hexadecimal that is none.
    #[error("bytes written \\x… must be hexadecimal digits in pairs")]
    Hex,
    /// A value kept in a file of its own.
    #[error("a large object must be named FILE.OFFSET.LENGTH/ with the file in the same folder")]
    LobPlace,
    /// Changed between two readings.
    #[error("the file changed while it was being read")]
    Changed,
}

impl Folder {
    /// Reads all files once.
    ///
    /// # Errors
    ///
    /// [`CsvError`] with file and line.
    pub fn open(path: &Path) -> Result<Self, CsvError> {
        let fail = |problem: Problem| CsvError { path: path.to_owned(), line: 0, problem };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| fail(e.into()))? {
            let file = entry.map_err(|e| fail(e.into()))?.path();
            if found.len() >= FILES_MAX {
                return Err(fail(Problem::TooMany(FILES_MAX)));
            }
            let ending = file.extension().map(|e| e.to_ascii_lowercase());
            if ending.is_some_and(|e| e == "csv" || e == "del") && file.is_file() {
                found.push(file);
            }
        }
        found.sort();
        let is_list = |file: &PathBuf| file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("_columns"));
        let mut listed = BTreeMap::new();
        for list in found.iter().filter(|file| is_list(file)) {
            columns(list, &mut listed)?;
        }
        let mut files = BTreeMap::new();
        for file in found.iter().filter(|file| !is_list(file)) {
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let key = name.to_ascii_uppercase();
            let opened = TableFile::open(file, &name, listed.get(&key))?;
            if files.insert(key.clone(), opened).is_some() {
                return Err(fail(Problem::Twice(key)));
            }
        }
        if files.is_empty() {
            return Err(fail(Problem::Empty));
        }
        Ok(Self { path: path.to_owned(), files })
    }

    /// The tables it holds.
    pub fn tables(&self) -> Vec<Table> {
        self.files.values().map(|file| file.table.clone()).collect()
    }

    /// How many rows it holds of a table.
    pub fn count(&self, table: &str) -> u64 {
        self.files.get(&table.to_ascii_uppercase()).map_or(0, |file| file.rows)
    }

    /// What an operator should know about it.
    pub fn notes(&self) -> Vec<String> {
        vec![format!(
            "{}: files of this kind end without a closing line, so nothing proves that they are whole; compare the numbers of rows with the \
             database's",
            self.path.display()
        )]
    }
}

/// Name, type and place of a column.
type Listed = BTreeMap<String, BTreeMap<u32, (String, String)>>;

/// Reads the list of columns: table, column, number, type.
fn columns(path: &Path, listed: &mut Listed) -> Result<(), CsvError> {
    let mut records = Records::open(path)?;
    while let Some(fields) = records.next()? {
        let texts: Vec<String> = fields.iter().map(|field| String::from_utf8_lossy(field.bytes()).trim().to_owned()).collect();
        let [table, column, number, kind] = texts.as_slice() else { return Err(records.fail(Problem::ColumnLine)) };
        // A first line of names.
        let Ok(number) = number.parse() else {
            if listed.is_empty() {
                continue;
            }
            return Err(records.fail(Problem::ColumnLine));
        };
        let columns = listed.entry(table.to_ascii_uppercase()).or_default();
        columns.insert(number, (column.clone(), kind.clone()));
        if columns.len() > COLUMNS_MAX {
            return Err(records.fail(Problem::TooMany(COLUMNS_MAX)));
        }
    }
    Ok(())
}

impl TableFile {
    fn open(path: &Path, name: &str, listed: Option<&BTreeMap<u32, (String, String)>>) -> Result<Self, CsvError> {
        let mut records = Records::open(path)?;
        let headed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let mut columns: Vec<Column> = Vec::new();
        let mut in_files = Vec::new();
        let types: BTreeMap<String, &str> =
            listed.into_iter().flat_map(|l| l.values()).map(|(column, kind)| (column.to_ascii_uppercase(), kind.as_str())).collect();
        let names: Vec<String> = if headed {
            let header = records.next()?.ok_or_else(|| records.fail(Problem::NoHeader))?;
            header.iter().map(|field| String::from_utf8_lossy(field.bytes()).trim().to_owned()).collect()
        } else {
            listed.ok_or_else(|| records.fail(Problem::NoColumns))?.values().map(|(column, _)| column.clone()).collect()
        };
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(records.fail(Problem::NoHeader));
        }
        if names.len() > COLUMNS_MAX {
            return Err(records.fail(Problem::TooMany(COLUMNS_MAX)));
        }
        for name in names {
            let declared = types.get(&name.to_ascii_uppercase()).copied().unwrap_or_default().to_ascii_uppercase();
            in_files.push(!headed && matches!(declared.as_str(), "BLOB" | "CLOB" | "DBCLOB"));
            columns.push(Column { name, kind: Kind::of_sql_type(&declared) });
        }
        let mut rows = 0;
        while let Some(fields) = records.next()? {
            if fields.len() != columns.len() {
                return Err(records.fail(Problem::WrongWidth { expected: columns.len(), found: fields.len() }));
            }
            rows += 1;
        }
        let length = std::fs::metadata(path).map_err(|e| CsvError { path: path.to_owned(), line: 0, problem: e.into() })?.len();
        Ok(Self { path: path.to_owned(), table: Table::new(name, columns), headed, in_files, length, rows })
    }
}

/// Streams the rows of one table.
pub(super) fn scan(folder: &Arc<Folder>, table: Arc<Table>) -> Rows {
    let (mut filling, rows) = Rows::channel(&table.name);
    let folder = Arc::clone(folder);
    tokio::task::spawn_blocking(move || {
        let outcome = fill(&folder, &table, &mut filling).map_err(SourceError::from);
        filling.finish_blocking(outcome);
    });
    rows
}

fn fill(folder: &Folder, table: &Arc<Table>, filling: &mut Filling) -> Result<(), CsvError> {
    let Some(file) = folder.files.get(&table.name.to_ascii_uppercase()) else { return Ok(()) };
    let mut records = Records::open(&file.path)?;
    if file.headed {
        records.next()?;
    }
    let mut number = 0;
    while let Some(fields) = records.next()? {
        if fields.len() != table.columns.len() {
            return Err(records.fail(Problem::Changed));
        }
        let mut values = Vec::with_capacity(fields.len());
        for (at, field) in fields.into_iter().enumerate() {
            let kind = table.columns.get(at).map_or(Kind::Other, |column| column.kind);
            let in_file = file.in_files.get(at).copied().unwrap_or(false);
            let value = if in_file { large_object(&folder.path, field, kind) } else { value(field, kind) };
            values.push(value.map_err(|problem| records.fail(problem))?);
        }
        number += 1;
        if !filling.push_blocking(Row::new(Arc::clone(table), number, values)) {
            return Ok(());
        }
    }
    let length = std::fs::metadata(&file.path).map(|m| m.len());
    if number != file.rows || length.is_ok_and(|length| length != file.length) {
        return Err(records.fail(Problem::Changed));
    }
    Ok(())
}

fn value(field: Field, kind: Kind) -> Result<Value, Problem> {
    Ok(match field {
        Field::Bare(bytes) if bytes.is_empty() || bytes == b"\\N" => Value::Null,
        Field::Bare(bytes) if bytes.starts_with(b"\\x") => Value::Bytes(super::dump::bytea(&bytes).ok_or(Problem::Hex)?),
        // Bytes have no text form of their own here; without `\x` they are a text's.
        Field::Bare(bytes) | Field::Quoted(bytes) if kind == Kind::Bytes => Value::from_text_form(Kind::Other, bytes),
        Field::Bare(bytes) | Field::Quoted(bytes) => Value::from_text_form(kind, bytes),
    })
}

/// DB2's `FILE.OFFSET.LENGTH/`, with the file beside the table's.
fn large_object(folder: &Path, field: Field, kind: Kind) -> Result<Value, Problem> {
    let bytes = match field {
        Field::Bare(bytes) if bytes.is_empty() => return Ok(Value::Null),
        Field::Bare(bytes) | Field::Quoted(bytes) => bytes,
    };
    let place = String::from_utf8(bytes).map_err(|_| Problem::LobPlace)?;
    let mut parts = place.trim().strip_suffix('/').ok_or(Problem::LobPlace)?.rsplitn(3, '.');
    let (length, offset, name) = (parts.next(), parts.next(), parts.next());
    let length: i64 = length.and_then(|l| l.parse().ok()).ok_or(Problem::LobPlace)?;
    let offset: u64 = offset.and_then(|o| o.parse().ok()).ok_or(Problem::LobPlace)?;
    // DB2 writes NULL so when told to.
    if length == -1 {
        return Ok(Value::Null);
    }
    let length = usize::try_from(length).map_err(|_| Problem::LobPlace)?;
    let name = name.filter(|name| !name.is_empty() && !name.contains(['/', '\\']) && *name != "..").ok_or(Problem::LobPlace)?;
    if length > CELL_MAX_BYTES {
        return Err(Problem::TooLarge { what: "a large object", max: CELL_MAX_BYTES });
    }
    let mut file = File::open(folder.join(name))?;
    file.seek(SeekFrom::Start(offset))?;
    let mut content = Vec::new();
    file.take(length as u64).read_to_end(&mut content)?;
    if content.len() != length {
        return Err(Problem::LobPlace);
    }
    Ok(if kind == Kind::Bytes { Value::Bytes(content) } else { Value::from_text_form(kind, content) })
}

#[cfg(test)]
mod tests;
