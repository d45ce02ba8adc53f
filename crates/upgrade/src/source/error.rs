//! What can go wrong while reading an old installation. Addresses are shown, credentials never.

use std::path::PathBuf;

use super::row::CellError;

/// The cause below an engine's own error, kept for the log's chain.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Reading failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The word given for a database is none we know.
    #[error("{0}")]
    Location(#[from] super::location::LocationError),
    /// Nobody answers, or we are not let in.
    #[error("cannot open the {engine} database at {address}")]
    Unreachable {
        /// `MySQL` or `PostgreSQL`.
        engine: &'static str,
        /// `host:port/database`.
        address: String,
        /// The driver's reason.
        #[source]
        cause: Cause,
    },
    /// The connection or the file failed while reading.
    #[error("reading {table} from {from} failed")]
    Read {
        /// The table, or `the schema`.
        table: String,
        /// The source as it shows itself.
        from: String,
        /// The reason.
        #[source]
        cause: Cause,
    },
    /// A file cannot be opened or read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The reason.
        #[source]
        cause: std::io::Error,
    },
    /// A file is larger than we read.
    #[error("{} is larger than the {max_bytes} bytes we read", path.display())]
    FileTooLarge {
        /// Which.
        path: PathBuf,
        /// The bound.
        max_bytes: u64,
    },
    /// An H2 file cannot be opened.
    #[error("cannot open the H2 database {}", path.display())]
    H2 {
        /// Which.
        path: PathBuf,
        /// The reason.
        #[source]
        cause: Cause,
    },
    /// A dump file does not read.
    #[error("{}", .0)]
    Dump(#[from] super::dump::DumpError),
    /// A CSV file does not read.
    #[error("{}", .0)]
    Csv(#[from] super::csv::CsvError),
    /// An XML file does not read.
    #[error("{} is not readable XML: {reason}", path.display())]
    Xml {
        /// Which.
        path: PathBuf,
        /// The reason with its place.
        reason: String,
    },
    /// A cell does not fit.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// A scan ended without reaching the end of its table, which must never pass for an end.
    #[error("reading {table} stopped before its end")]
    Interrupted {
        /// Which.
        table: String,
    },
    /// The installation belongs to a version that is looked at, not taken over.
    #[error("this is an API Manager {found} database; `upgrade assess` tells what it holds, but only 1.8.0 to 2.6.0 are taken over")]
    AssessOnly {
        /// The version as far as it shows.
        found: String,
    },
    /// The database belongs to a version we do not upgrade from.
    #[error("this is an API Manager {found} database; `upgrade` takes over 1.8.0 to 2.6.0")]
    TooNew {
        /// The version as far as it shows.
        found: String,
    },
    /// The database holds no API Manager tables.
    #[error("{what} holds no API Manager database: no table AM_API")]
    NotApiManager {
        /// The sources looked at.
        what: String,
    },
    /// A part of the installation is not among the given sources.
    #[error("none of the given sources has {table}, which holds {what}")]
    PartMissing {
        /// A telling table.
        table: &'static str,
        /// What it is for.
        what: &'static str,
    },
    /// The folder is not an installation.
    #[error("{} is not a WSO2 API Manager folder: {reason}", path.display())]
    NotAHome {
        /// Which.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}
