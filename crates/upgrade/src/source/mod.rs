//! The old databases and files, read as they are and never written to.
//!
//! Five engines stand behind one [`Source`]: an H2 file, a running MySQL or PostgreSQL in a read-only snapshot, the text of
//! a dump, and a folder of CSV files. Each gives its tables and streams their rows; what rows mean is the business of [`crate::old`].

pub mod clock;
pub mod csv;
pub mod dump;
mod error;
pub mod files;
mod h2;
pub mod keypairs;
pub mod keystore;
pub mod location;
mod mysql;
pub mod newer;
mod owned;
mod pkcs12;
mod postgres;
mod row;
mod rows;
mod site;
mod value;
mod version;
mod xml;

use std::{collections::BTreeMap, sync::Arc};

pub use error::{Cause, SourceError};
pub use location::{Location, LocationError, Server};
pub use owned::{Whose, whose};
pub use row::{CellError, Column, Owner, Row, Table};
pub use rows::Rows;
pub use site::{MountedRegistry, Site, SiteDatabases};
pub use value::{CELL_MAX_BYTES, Kind, Misfit, Value};
pub use version::{Version, detect};
pub use xml::{Element, XmlError, parse as parse_xml};

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// The time zone of the old database server, used only for `mysqldump` files that were written in UTC (`--tz-utc`, the
    /// default): their TIMESTAMP values are put back to the wall clock the old product saw. Without it they stay as dumped,
    /// which is right when that server ran in UTC.
    pub database_zone: Option<chrono_tz::Tz>,
    /// The time zone the old product ran in. H2 files need it to tell summer time; the other engines do not.
    pub source_zone: Option<chrono_tz::Tz>,
}

/// One old database, opened for reading.
#[derive(Debug)]
pub struct Source {
    shown: String,
    engine: Engine,
    /// By upper-case name.
    tables: BTreeMap<String, Arc<Table>>,
    taken_at_ms: i64,
}

/// What rows of one bucket come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Which bucket.
    pub bucket: u32,
    /// Rows, and the sum of their digests, as the engine writes them.
    pub words: String,
}

/// Some buckets of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The column rows are put into buckets by.
    pub key: String,
    /// How many buckets there are.
    pub of: u32,
    /// Which of them.
    pub some: Vec<u32>,
}

#[derive(Debug)]
enum Engine {
    H2(h2::H2),
    MySql(mysql::MySql),
    Postgres(postgres::Postgres),
    Dump(Arc<dump::Dump>),
    Csv(Arc<csv::Folder>),
}

impl Source {
    /// Opens a database and learns its tables. A running server gets one read-only transaction that sees one moment.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when it cannot be reached, opened or is damaged; a truncated dump is refused here.
    pub async fn open(location: &Location, reading: Reading) -> Result<Self, SourceError> {
        let shown = location.to_string();
        let (engine, tables) = match location {
            Location::H2(path) => {
                let (engine, tables) = h2::H2::open(path.clone(), reading).await?;
                (Engine::H2(engine), tables)
            }
            Location::MySql(server) => {
                let (engine, tables) = mysql::MySql::open(server).await?;
                (Engine::MySql(engine), tables)
            }
            Location::Postgres(server) => {
                let (engine, tables) = postgres::Postgres::open(server).await?;
                (Engine::Postgres(engine), tables)
            }
            Location::Dump(path) => {
                let path = path.clone();
                let shown_here = shown.clone();
                let dump = blocking(&shown_here, move || dump::Dump::open(&path, reading)).await??;
                let tables = dump.tables();
                (Engine::Dump(Arc::new(dump)), tables)
            }
            Location::Csv(path) => {
                let path = path.clone();
                let folder = blocking(&shown, move || csv::Folder::open(&path)).await??;
                let tables = folder.tables();
                (Engine::Csv(Arc::new(folder)), tables)
            }
        };
        let tables = tables.into_iter().map(|t| (t.name.to_ascii_uppercase(), Arc::new(t))).collect();
        Ok(Self { shown, engine, tables, taken_at_ms: chrono::Utc::now().timestamp_millis() })
    }

    /// The engine, in a word.
    pub fn engine_name(&self) -> &'static str {
        match &self.engine {
            Engine::H2(_) => "h2",
            Engine::MySql(_) => "mysql",
            Engine::Postgres(_) => "postgres",
            Engine::Dump(_) => "dump",
            Engine::Csv(_) => "csv",
        }
    }

    /// When it was opened, which for a running server is the moment its snapshot shows. Milliseconds since the epoch, UTC.
    pub fn taken_at_ms(&self) -> i64 {
        self.taken_at_ms
    }

    /// All tables, in upper-case name order.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// A table by name, in any case.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(&name.to_ascii_uppercase())
    }

    /// The columns of a table; none when it is absent.
    pub fn columns(&self, table: &str) -> &[Column] {
        self.table(table).map_or(&[], |t| &t.columns)
    }

    /// Whether the table exists and has the column.
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.table(table).is_some_and(|t| t.has(column))
    }

    /// Things about this source an operator should know, in his words.
    pub fn notes(&self) -> Vec<String> {
        match &self.engine {
            Engine::Dump(dump) => dump.notes(),
            Engine::Csv(folder) => folder.notes(),
            Engine::H2(h2) => h2.notes(),
            Engine::MySql(_) | Engine::Postgres(_) => Vec::new(),
        }
    }

    /// Streams a table's rows in the source's own order. An absent table has no rows.
    ///
    /// On a running server all scans share one connection: finish or drop one before the next gives rows.
    pub fn scan(&self, table: &str) -> Rows {
        let Some(table) = self.table(table) else { return Rows::empty(table) };
        let table = Arc::clone(table);
        match &self.engine {
            Engine::H2(h2) => h2.scan(table, &self.shown),
            Engine::MySql(mysql) => mysql.scan(table, &self.shown),
            Engine::Postgres(postgres) => postgres.scan(table, &self.shown),
            Engine::Dump(dump) => dump::scan(dump, table),
            Engine::Csv(folder) => csv::scan(folder, table),
        }
    }

    /// Sums a table by buckets of a key, where the engine can do that without sending the rows: for each bucket that has rows, their number and
    /// the sum of a digest of each row with all its columns. `None` where it cannot, or there is no such table or column.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when reading fails.
    pub async fn sums(&self, table: &str, key: &str, buckets: u32) -> Result<Option<Vec<Sum>>, SourceError> {
        let Some(found) = self.table(table).filter(|t| t.has(key)) else { return Ok(None) };
        match &self.engine {
            Engine::MySql(mysql) => mysql.sums(found, key, buckets, &self.shown).await.map(Some),
            Engine::Postgres(postgres) => postgres.sums(found, key, buckets, &self.shown).await.map(Some),
            Engine::H2(_) | Engine::Dump(_) | Engine::Csv(_) => Ok(None),
        }
    }

    /// As [`Source::scan`], of the rows in some of the buckets that [`Source::sums`] made. An engine that makes none gives all rows.
    pub fn scan_some(&self, table: &str, of: &Buckets) -> Rows {
        let Some(found) = self.table(table).filter(|t| t.has(&of.key)) else { return self.scan(table) };
        let found = Arc::clone(found);
        match &self.engine {
            Engine::MySql(mysql) => mysql.scan_some(found, of, &self.shown),
            Engine::Postgres(postgres) => postgres.scan_some(found, of, &self.shown),
            Engine::H2(_) | Engine::Dump(_) | Engine::Csv(_) => self.scan(table),
        }
    }

    /// Counts a table's rows. An absent table has none.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when reading fails.
    pub async fn count(&self, table: &str) -> Result<u64, SourceError> {
        let Some(found) = self.table(table) else { return Ok(0) };
        match &self.engine {
            Engine::H2(h2) => {
                if let Some(count) = h2.count(found, &self.shown).await? {
                    return Ok(count);
                }
                let mut rows = self.scan(table);
                let mut count = 0;
                while rows.next().await?.is_some() {
                    count += 1;
                }
                Ok(count)
            }
            Engine::MySql(mysql) => mysql.count(found, &self.shown).await,
            Engine::Postgres(postgres) => postgres.count(found, &self.shown).await,
            Engine::Dump(dump) => Ok(dump.count(&found.name)),
            Engine::Csv(folder) => Ok(folder.count(&found.name)),
        }
    }

    /// Counts a table's rows by what one of its columns holds; a cell that does not read counts as NULL. None without table or column.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when reading fails.
    pub async fn count_by(&self, table: &str, column: &str) -> Result<Vec<(Option<String>, u64)>, SourceError> {
        let Some(found) = self.table(table).filter(|t| t.has(column)) else { return Ok(Vec::new()) };
        match &self.engine {
            Engine::MySql(mysql) => mysql.count_by(found, column, &self.shown).await,
            Engine::Postgres(postgres) => postgres.count_by(found, column, &self.shown).await,
            Engine::H2(_) | Engine::Dump(_) | Engine::Csv(_) => {
                let mut rows = self.scan(table);
                let mut counts: BTreeMap<Option<String>, u64> = BTreeMap::new();
                while let Some(row) = rows.next().await? {
                    *counts.entry(row.text(column).ok().flatten()).or_default() += 1;
                }
                Ok(counts.into_iter().collect())
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Runs blocking file work off the async threads.
async fn blocking<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SourceError::Interrupted { table: what.to_owned() })
}
