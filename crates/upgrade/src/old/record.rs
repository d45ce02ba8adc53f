//! Rows into plain structs. A struct names its table and, per field, its column; a column its version lacks reads as `None`.
//!
//! A row that does not fit is put aside with its place and the reading goes on: one bad cell must not stop an upgrade, and
//! must not be lost from its report either.

use chrono::NaiveDateTime;
use model::Secret;

use crate::packed::{Pack, Packed};
use crate::source::{CellError, Misfit, Row, Source, SourceError};

/// A struct read from one table.
pub trait Record: Sized {
    /// The table.
    const TABLE: &'static str;

    /// Reads one row.
    ///
    /// # Errors
    ///
    /// The first cell that does not fit.
    fn of(row: &Row) -> Result<Self, CellError>;
}

/// A field's type says how its cell is read. Types without `Option` must be there.
pub trait FromCell: Sized {
    /// Reads the cell.
    ///
    /// # Errors
    ///
    /// When it does not fit, or is NULL or absent where it must be there.
    fn from_cell(row: &Row, column: &str) -> Result<Self, CellError>;
}

macro_rules! from_cell {
    ($($ty:ty => $read:expr),* $(,)?) => {$(
        impl FromCell for Option<$ty> {
            fn from_cell(row: &Row, column: &str) -> Result<Self, CellError> {
                let read: fn(&Row, &str) -> Result<Option<$ty>, CellError> = $read;
                read(row, column)
            }
        }

        impl FromCell for $ty {
            fn from_cell(row: &Row, column: &str) -> Result<Self, CellError> {
                <Option<$ty>>::from_cell(row, column)?.ok_or_else(|| row.misfit(column, Misfit::Missing))
            }
        }
    )*};
}

from_cell! {
    i64 => |row, column| row.int(column),
    bool => |row, column| row.bool(column),
    String => |row, column| row.text(column),
    Vec<u8> => |row, column| row.bytes(column),
    NaiveDateTime => |row, column| row.timestamp(column),
    Secret<String> => |row, column| Ok(row.text(column)?.map(Secret::new)),
    Secret<Vec<u8>> => |row, column| Ok(row.bytes(column)?.map(Secret::new)),
}

/// Declares a [`Record`]: `Name from "TABLE" { field: Type = "COLUMN", … }`.
macro_rules! record {
    ($(#[$about:meta])* $name:ident from $table:literal { $($(#[$doc:meta])* $field:ident : $ty:ty = $column:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$doc])* #[doc = concat!("`", $column, "`")] pub $field: $ty,)*
        }

        impl $crate::old::record::Record for $name {
            const TABLE: &'static str = $table;

            fn of(row: &$crate::source::Row) -> Result<Self, $crate::source::CellError> {
                Ok(Self { $($field: $crate::old::record::FromCell::from_cell(row, $column)?,)* })
            }
        }

        $crate::packed::packs! { $name { $($field),* } }
    };
}
pub(crate) use record;

/// All rows of a record's table; none when the table is absent. Rows that do not fit go to `unreadable`.
pub(super) async fn all<R: Record>(source: &Source, unreadable: &mut Vec<CellError>) -> Result<Vec<R>, SourceError> {
    all_of(source, R::TABLE, unreadable).await
}

/// As [`all`], packed, in the order of their keys. Most databases give rows in that order; only where one does not are they all held at once.
pub(super) async fn packed<R: Record + Pack + Clone, K: Ord>(
    source: &Source,
    key: impl Fn(&R) -> K,
    unreadable: &mut Vec<CellError>,
) -> Result<Packed<R>, SourceError> {
    let mut rows = source.scan(R::TABLE);
    let mut found = Packed::default();
    let (mut last, mut is_sorted) = (None, true);
    while let Some(row) = rows.next().await? {
        match R::of(&row) {
            Ok(record) => {
                let this = Some(key(&record));
                is_sorted &= last <= this;
                last = this;
                found.push(record);
            }
            Err(fault) => unreadable.push(fault),
        }
    }
    if is_sorted {
        return Ok(found);
    }
    let mut all: Vec<R> = found.iter().collect();
    all.sort_by_key(key);
    Ok(all.into())
}

/// As [`all`], from another table of the same shape.
pub(super) async fn all_of<R: Record>(source: &Source, table: &str, unreadable: &mut Vec<CellError>) -> Result<Vec<R>, SourceError> {
    let mut rows = source.scan(table);
    let mut found = Vec::new();
    while let Some(row) = rows.next().await? {
        match R::of(&row) {
            Ok(record) => found.push(record),
            Err(fault) => unreadable.push(fault),
        }
    }
    // Growing doubles: of a large table up to half would be room for nothing.
    found.shrink_to_fit();
    Ok(found)
}
