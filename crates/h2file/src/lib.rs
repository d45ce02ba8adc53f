//! Reads H2 databases, the page store files (`<name>.h2.db`) of H2 1.2 and 1.3 and the MVStore files (`<name>.mv.db`) of 1.4 (and of
//! 1.3 where it was told to), without Java and without writing.
//!
//! ```no_run
//! # fn main() -> Result<(), h2file::Error> {
//! let database = h2file::Database::open("SHOP.h2.db".as_ref())?;
//! for table in database.tables() {
//!     for row in database.rows(table)? {
//!         println!("{}: {:?}", table.name, row?);
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Both homes of large objects are read: the folder `<name>.lobs.db/` and the blocks inside the database. A database that
//! was not closed is recovered in memory (a page store from its redo log, an MVStore from its last whole chunk), or refused with
//! [`Error::NotClosedCleanly`].
//!
//! What it does not do: no SQL, no indexes, no views, no writing, no files of H2 2.x. From outermost to innermost: `schema`
//! and `lob` give rows their meaning, `store` knows trees by number, `log` recovers, `tree` walks, `data` decodes, `page`
//! reads the file. `mvstore` is all that is different in an MVStore file.

mod bytes;
mod data;
mod error;
mod inflate;
mod lob;
mod log;
mod lzf;
mod mvstore;
mod page;
mod schema;
mod store;
mod tree;
mod value;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use error::Error;
pub use log::Recovery;
pub use schema::{Column, SqlType, Table, TableKind};
pub use value::{CivilDate, CivilDateTime, Clock, LobKind, LobPlace, LobRef, Row, TimeOfDay, Value};

use lob::Lobs;
use mvstore::{MvRows, MvStore};
use page::Pages;
use schema::Statement;
use store::{Store, StoredRows};
use tree::RawRow;

/// H2 keeps the statements that make its objects in the table with this number.
const SYSTEM_TABLE_ID: i32 = 0;
const SYSTEM_COLUMNS: usize = 4;

/// How much the reader accepts before it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the database file. Default 8 GiB.
    pub file_max_bytes: u64,
    /// Size of one row, its large objects not counted. Default 64 MiB.
    pub row_max_bytes: usize,
    /// Size of one large object. Default 64 MiB.
    pub lob_max_bytes: u64,
    /// Memory a recovery may take for page images, and again for changed rows. Default 1 GiB.
    pub recovery_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { file_max_bytes: 8 << 30, row_max_bytes: 64 << 20, lob_max_bytes: 64 << 20, recovery_max_bytes: 1 << 30 }
    }
}

/// What the file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Of an MVStore, the size of a block.
    pub page_size: usize,
    /// Of an MVStore, the number of blocks.
    pub page_count: u32,
    /// Of an MVStore, its format number, twice.
    pub write_version: u8,
    pub read_version: u8,
    /// Build number of the H2 that created the database, 140 for 1.2.140. A later H2 may have written to it since.
    pub create_build: Option<u32>,
    /// Present when the database was not closed and had to be recovered in memory.
    pub recovery: Option<Recovery>,
}

/// An open database. Reading needs `&self` only, and may go on in several threads.
#[derive(Debug)]
pub struct Database {
    storage: Storage,
    tables: Vec<Table>,
    info: Info,
    lock_file: Option<PathBuf>,
}

/// The two kinds of files.
#[derive(Debug)]
enum Storage {
    Pages { store: Store, lobs: Lobs },
    Chunks(MvStore),
}

impl Database {
    /// Opens the file for reading, with default [`Limits`], and reads its catalogue.
    ///
    /// # Errors
    ///
    /// Any [`Error`] that names a file, a header, a page or the catalogue.
    pub fn open(path: &Path) -> Result<Database, Error> {
        Database::open_with(path, Limits::default())
    }

    /// Like [`Database::open`], with other limits.
    pub fn open_with(path: &Path, limits: Limits) -> Result<Database, Error> {
        let lock_file = beside(path, ".lock.db");
        let lock_file = lock_file.exists().then_some(lock_file);
        if is_mvstore(path)? {
            let mut store = MvStore::open(path, limits)?;
            let (tables, info) = (std::mem::take(&mut store.tables), store.info);
            return Ok(Database { storage: Storage::Chunks(store), tables, info, lock_file });
        }
        let pages = Pages::open(path, limits.file_max_bytes)?;
        let header = *pages.header();
        let page_count = pages.page_count();
        let (store, recovery) = if header.log_trunk_page == 0 {
            (Store::new(pages, limits.row_max_bytes)?, None)
        } else {
            let (store, recovery) = log::recover(pages, limits.row_max_bytes, limits.recovery_max_bytes)?;
            (store, Some(recovery))
        };
        let (tables, create_build) = catalogue(&store)?;
        let lobs = Lobs::new(beside(path, ".lobs.db"), limits.lob_max_bytes, &tables);
        let info = Info {
            page_size: header.page_size,
            page_count,
            write_version: header.write_version,
            read_version: header.read_version,
            create_build,
            recovery,
        };
        Ok(Database { storage: Storage::Pages { store, lobs }, tables, info, lock_file })
    }

    /// All tables, in the order H2 numbered them.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table of that name. Names are as H2 compares them: upper case unless they were quoted.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }

    pub fn info(&self) -> &Info {
        &self.info
    }

    /// `<name>.lock.db`, when it is there: a server has the database open, or was killed. What is read then may be older
    /// than what that server knows, and may change while it is read.
    pub fn lock_file(&self) -> Option<&Path> {
        self.lock_file.as_deref()
    }

    /// The rows of a table, in the order of their keys. Memory does not grow with the table.
    ///
    /// # Errors
    ///
    /// [`Error::NoStorage`] when the table keeps no rows in this file. Everything else comes with the rows.
    pub fn rows<'a>(&'a self, table: &'a Table) -> Result<Rows<'a>, Error> {
        let no_storage = || Error::NoStorage { schema: table.schema.clone(), name: table.name.clone() };
        let stored = match &self.storage {
            _ if table.kind == TableKind::Elsewhere => return Err(no_storage()),
            Storage::Pages { store, .. } => Stored::Pages(store.rows(table.id).ok_or_else(no_storage)?),
            Storage::Chunks(store) => Stored::Chunks(store.rows_of(table.id)),
        };
        Ok(Rows { database: self, table, stored, leave_lobs: false })
    }

    /// The number of rows, when the file tells it without reading the table.
    pub fn row_count(&self, table: &Table) -> Result<Option<u64>, Error> {
        match &self.storage {
            Storage::Pages { store, .. } => store.row_count(table.id),
            // What a page says about its rows counts those of unfinished transactions too.
            Storage::Chunks(_) => Ok(None),
        }
    }

    /// Fetches a large object that [`Rows::leave_lobs`] left behind: a [`Value::Clob`] or [`Value::Blob`].
    pub fn read_lob(&self, lob: &LobRef) -> Result<Value, Error> {
        match &self.storage {
            Storage::Pages { store, lobs } => lobs.value(store, lob),
            Storage::Chunks(store) => store.lob(lob),
        }
    }

    fn decode(&self, table: &Table, raw: &RawRow, leave_lobs: bool) -> Result<Row, Error> {
        let mut bytes = raw.bytes();
        if raw.column_count != table.columns.len() {
            return Err(bytes.fault("the row has another number of columns than its table").in_row(table.id, raw.key));
        }
        let mut row = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            row.push(match data::value(&mut bytes).map_err(|fault| fault.in_row(table.id, raw.key))? {
                Value::Null if table.key_column == Some(at) => key_value(raw.key, &column.sql_type),
                Value::Lob(lob) if !leave_lobs => self.read_lob(&lob)?,
                value => value,
            });
        }
        Ok(row)
    }

    /// A row whose values are decoded already.
    fn complete(&self, table: &Table, key: i64, row: Row, leave_lobs: bool) -> Result<Row, Error> {
        if row.len() != table.columns.len() {
            let what = "the row has another number of columns than its table";
            return Err(Error::BadRow { table_id: table.id, key, offset: 0, what });
        }
        if leave_lobs {
            return Ok(row);
        }
        row.into_iter()
            .map(|value| match value {
                Value::Lob(lob) => self.read_lob(&lob),
                value => Ok(value),
            })
            .collect()
    }
}

/// The rows of one table. A row whose values or large objects cannot be read is an error, and the next row follows; a
/// damaged page ends the iteration after its error. Where it matters which row lost a large object (a killed H2 leaves
/// such rows), use [`Rows::leave_lobs`] and fetch each object on its own.
pub struct Rows<'a> {
    database: &'a Database,
    table: &'a Table,
    stored: Stored<'a>,
    leave_lobs: bool,
}

enum Stored<'a> {
    Pages(StoredRows<'a>),
    Chunks(MvRows<'a>),
}

impl Rows<'_> {
    /// Gives large objects that are kept outside the row as [`Value::Lob`], to be fetched by [`Database::read_lob`] or
    /// not at all. Short ones are in the row and come as they are.
    pub fn leave_lobs(mut self) -> Self {
        self.leave_lobs = true;
        self
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (database, table, leave_lobs) = (self.database, self.table, self.leave_lobs);
        Some(match &mut self.stored {
            Stored::Pages(rows) => rows.next()?.and_then(|raw| database.decode(table, &raw, leave_lobs)),
            Stored::Chunks(rows) => rows.next()?.and_then(|(key, row)| database.complete(table, key, row, leave_lobs)),
        })
    }
}

/// A row's key in the form its column has.
fn key_value(key: i64, sql_type: &SqlType) -> Value {
    let narrow = match sql_type {
        SqlType::TinyInt => i8::try_from(key).ok().map(Value::TinyInt),
        SqlType::SmallInt => i16::try_from(key).ok().map(Value::SmallInt),
        SqlType::Integer => i32::try_from(key).ok().map(Value::Int),
        _ => None,
    };
    narrow.unwrap_or(Value::Long(key))
}

/// Reads the tables, and the build that created the database, from the system table.
fn catalogue(store: &Store) -> Result<(Vec<Table>, Option<u32>), Error> {
    let metas = store.metas()?;
    let mut tables = Vec::new();
    let mut create_build = None;
    for raw in store.rows(SYSTEM_TABLE_ID).into_iter().flatten() {
        let raw = raw?;
        let (id, sql) = system_row(&raw)?;
        match schema::statement(id, &sql)? {
            Statement::Table(mut table) => {
                table.key_column = metas.iter().filter(|meta| meta.parent == table.id).find_map(|meta| meta.key_column());
                tables.push(table);
            }
            Statement::CreateBuild(build) => create_build = Some(build),
            Statement::Other => {}
        }
    }
    Ok((tables, create_build))
}

/// The number and the statement of a row of the system table.
fn system_row(raw: &RawRow) -> Result<(i32, String), Error> {
    let mut bytes = raw.bytes();
    let row = (|| {
        if raw.column_count != SYSTEM_COLUMNS {
            return Err(bytes.fault("the system table has another number of columns"));
        }
        let mut values = [const { Value::Null }; SYSTEM_COLUMNS];
        for value in &mut values {
            *value = data::value(&mut bytes)?;
        }
        Ok(values)
    })();
    let [id, _head, _kind, sql] = row.map_err(|fault| fault.in_row(SYSTEM_TABLE_ID, raw.key))?;
    // The number is the row's key, so it may be absent from the row.
    let id = id.as_i64().unwrap_or(raw.key);
    let id = i32::try_from(id).map_err(|_| Error::BadCatalogue { id: 0, what: "its number is too large" })?;
    match sql {
        Value::Text(sql) => Ok((id, sql)),
        _ => Err(Error::BadCatalogue { id, what: "it has no statement" }),
    }
}

/// Whether the file begins as an MVStore does. What it is otherwise, the page store's reader says.
fn is_mvstore(path: &Path) -> Result<bool, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).map_err(io)?.take(4).read_to_end(&mut start).map_err(io)?;
    Ok(start.starts_with(b"H:"))
}

/// The file or folder that stands beside the database under the same name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let text = name.to_string_lossy();
    let mut name = match text.strip_suffix(".h2.db").or_else(|| text.strip_suffix(".mv.db")) {
        Some(stem) => OsString::from(stem),
        None => path.file_stem().unwrap_or_default().to_owned(),
    };
    name.push(suffix);
    path.with_file_name(name)
}
