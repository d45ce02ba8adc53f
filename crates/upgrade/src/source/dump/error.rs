//! Where and why a dump does not read.

use std::path::PathBuf;

/// A dump that cannot be read, with the line to look at.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), at(*line))]
pub struct DumpError {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1; 0 where the fault is the file's as a whole.
    pub line: u64,
    /// What is wrong there.
    #[source]
    pub problem: Problem,
}

/// Where in a file; nothing for a fault of the whole.
pub(in crate::source) fn at(line: u64) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}

/// What is wrong with a dump. Never shows its data.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// The writer's closing line is missing: the dump was cut off or its writer failed.
    #[error("the dump ends without its closing line (`{0}`); it is truncated, make a new one")]
    NoTrailer(&'static str),
    /// The file ends inside something.
    #[error("the file ends inside {what} that began in line {since}; it is truncated, make a new one")]
    Unfinished {
        /// What.
        what: &'static str,
        /// Where it began.
        since: u64,
    },
    /// Something else stands where this was due.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A bound is passed.
    #[error("{what} is larger than {max} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// A row has more or fewer values than columns.
    #[error("a row of {table} has {found} values for {expected} columns")]
    WrongWidth {
        /// The table.
        table: String,
        /// Columns declared.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// Rows of a table nobody declared.
    #[error("rows of {0}, but no CREATE TABLE for it; dump the schema together with the data")]
    Undeclared(String),
    /// A row names a column its table lacks.
    #[error("{table} has no column {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// As named.
        column: String,
    },
    /// Two databases in one file hold the same table.
    #[error("{0} is declared twice; dump one database per file")]
    DeclaredTwice(String),
    /// An escape or a hex digit that does not exist.
    #[error("a malformed {0}")]
    Malformed(&'static str),
    /// A function around a value that tools do not write, or none we know.
    #[error("a value calls {0}, which is not read; export the table as CSV instead (csv:FOLDER)")]
    UnknownFunction(String),
    /// The file is not the one that was opened.
    #[error("the file changed while it was being read")]
    Changed,
}
