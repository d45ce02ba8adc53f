//! Everything that can stop the reader, each with its own name and, where it helps, the next step.
//!
//! One enum for the crate: a caller who imports a database wants to tell "take another copy" from "this is another
//! kind of file" from "this file is damaged here", and nothing finer.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a database, a table, a row or a large object could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a read.
    #[error("cannot read {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// The file begins with neither header of an H2 database.
    #[error("{} is not an H2 database file (expected the text `-- H2 0.5/B --` or `H:2` at its start)", path.display())]
    NotH2 { path: PathBuf },

    /// The file is an H2 MVStore file of a later format: H2 2.x wrote it.
    #[error("{} is an H2 MVStore file of format {format}, newer than the {newest} this reader knows; export it with the H2 that wrote it", path.display())]
    MvStoreFormat { path: PathBuf, format: u64, newest: u64 },

    /// The file is encrypted (the database was created with `CIPHER=`).
    #[error("{} is encrypted; decrypt it first with H2's own ChangeFileEncryption tool", path.display())]
    Encrypted { path: PathBuf },

    /// The file says that readers of this format must not read it.
    #[error("H2 page store read version {read_version} is not supported (newest known is {newest})")]
    UnsupportedVersion { read_version: u8, newest: u8 },

    /// The file is larger than [`crate::Limits::file_max_bytes`].
    #[error("the file holds {bytes} bytes, more than the limit of {limit_bytes}; raise the limit if this is intended")]
    FileTooLarge { bytes: u64, limit_bytes: u64 },

    /// The file ends before something that must be there.
    #[error("the file is truncated: page {page} is needed but the file holds only {page_count} whole pages; take a new copy")]
    Truncated { page: u32, page_count: u32 },

    /// A header field has a value no page store has.
    #[error("the file header is damaged: {what}")]
    BadHeader { what: &'static str },

    /// The checksum of a page does not match its content.
    #[error("page {page} (byte {offset} of the file) is damaged: checksum mismatch; take a new copy of the file")]
    BadChecksum { page: u32, offset: u64 },

    /// A page is of another kind than its place in the file demands.
    #[error("page {page} has type {found}, expected {expected}")]
    PageType { page: u32, found: u8, expected: &'static str },

    /// A page contradicts itself or the pages that point to it.
    #[error("page {page} is damaged near its byte {offset}: {what}")]
    BadPage { page: u32, offset: usize, what: &'static str },

    /// A chunk of an MVStore file contradicts itself or the list of chunks.
    #[error("chunk {chunk:x} is damaged: {what}; take a new copy of the file")]
    BadChunk { chunk: u32, what: &'static str },

    /// A page of an MVStore file contradicts itself.
    #[error("the page at {page_offset} of chunk {chunk:x} is damaged near its byte {offset}: {what}; take a new copy of the file")]
    BadMvPage { chunk: u32, page_offset: u64, offset: usize, what: &'static str },

    /// A page of an MVStore file is larger than [`crate::Limits::row_max_bytes`] allows.
    #[error("a page of chunk {chunk:x} is larger than the limit of {limit_bytes} bytes")]
    PageTooLarge { chunk: u32, limit_bytes: usize },

    /// A row's bytes do not decode.
    #[error("row {key} of table id {table_id} is damaged near its byte {offset}: {what}")]
    BadRow { table_id: i32, key: i64, offset: usize, what: &'static str },

    /// A row is larger than [`crate::Limits::row_max_bytes`].
    #[error("row {key} of table id {table_id} is larger than the limit of {limit_bytes} bytes")]
    RowTooLarge { table_id: i32, key: i64, limit_bytes: usize },

    /// The catalogue has a statement we cannot read a table from.
    #[error("the catalogue entry {id} cannot be understood: {what}")]
    BadCatalogue { id: i32, what: &'static str },

    /// A table is in the catalogue but no pages belong to it (memory-only and linked tables).
    #[error("table {schema}.{name} keeps no rows in this file")]
    NoStorage { schema: String, name: String },

    /// The database was not closed cleanly and its redo log does not allow a certain recovery.
    #[error(
        "the database was not closed cleanly and cannot be recovered with certainty: {reason}; start the old server once and stop it normally, or take the copy while the server is down"
    )]
    NotClosedCleanly { reason: String },

    /// A row refers to a large object outside the file, and the folder of such objects is absent.
    #[error("large objects are kept in the folder {}, which does not exist; copy it together with the database file", folder.display())]
    LobFolderMissing { folder: PathBuf },

    /// A row refers to a large object outside the file, and that object's file is absent.
    #[error("the large object file {} does not exist; copy the whole folder again", file.display())]
    LobFileMissing { file: PathBuf },

    /// A large object's file or blocks do not have the expected form.
    #[error("large object {object} is damaged: {what}")]
    BadLob { object: String, what: &'static str },

    /// A large object inside the file lacks one of its parts.
    #[error("large object {lob} has no {part} in this database")]
    LobPartMissing { lob: i64, part: &'static str },

    /// A large object is larger than [`crate::Limits::lob_max_bytes`].
    #[error("large object {object} holds {bytes} bytes or more, over the limit of {limit_bytes}")]
    LobTooLarge { object: String, bytes: u64, limit_bytes: u64 },

    /// A large object is shorter or longer than its row says.
    #[error("large object {object} holds {found} {unit}, but its row says {expected}")]
    LobLength { object: String, unit: &'static str, found: u64, expected: u64 },

    /// A large object is compressed with a method this reader does not know.
    #[error("large object {object} is compressed with method {method}, which is not supported")]
    LobCompression { object: String, method: u8 },
}

/// What went wrong while decoding bytes, before it is known which page or row they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
}

impl Fault {
    pub(crate) fn on_page(self, page: u32) -> Error {
        Error::BadPage { page, offset: self.offset, what: self.what }
    }

    pub(crate) fn in_row(self, table_id: i32, key: i64) -> Error {
        Error::BadRow { table_id, key, offset: self.offset, what: self.what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}
