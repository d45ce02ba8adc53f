//! The layer between noun files and drivers: values to bind, rows to read, texts put together from parts.
//!
//! Noun files write one SQL text with `$1`, `$2`, … for both databases. What varies (search terms, lists) is put together with
//! [`Sql`], whose only way in for a value is a placeholder, numbered where the database wants numbers.

use std::str::FromStr;

use model::{
    ApiId, ApplicationId, CommentId, DocumentId, KeyMappingId, PolicyId, RatingId, RevisionId, SubscriptionId, TenantId, Timestamp,
    TokenId, UserId,
};
use sqlx::Row as _;

use crate::{Error, Result};

/// A value to bind. Each variant keeps its type when it is null, because PostgreSQL asks for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
}

macro_rules! bind_as {
    ($($from:ty => |$v:ident| $to:expr),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self {
                $to
            }
        }
    )+};
}

bind_as! {
    i64 => |v| Self::Int(Some(v)),
    u32 => |v| Self::Int(Some(v.into())),
    Option<i64> => |v| Self::Int(v),
    Timestamp => |v| Self::Int(Some(v.0)),
    Option<Timestamp> => |v| Self::Int(v.map(|t| t.0)),
    TenantId => |v| Self::Int(Some(v.0.into())),
    bool => |v| Self::Bool(v),
    &str => |v| Self::Text(Some(v.to_owned())),
    &String => |v| Self::Text(Some(v.clone())),
    String => |v| Self::Text(Some(v)),
    Option<String> => |v| Self::Text(v),
    Option<&str> => |v| Self::Text(v.map(str::to_owned)),
    &Option<String> => |v| Self::Text(v.clone()),
    Vec<u8> => |v| Self::Bytes(Some(v)),
    Option<Vec<u8>> => |v| Self::Bytes(v),
    ApiId => |v| Self::Text(Some(v.to_string())),
    ApplicationId => |v| Self::Text(Some(v.to_string())),
    KeyMappingId => |v| Self::Text(Some(v.to_string())),
    PolicyId => |v| Self::Text(Some(v.to_string())),
    RevisionId => |v| Self::Text(Some(v.to_string())),
    SubscriptionId => |v| Self::Text(Some(v.to_string())),
    TokenId => |v| Self::Text(Some(v.to_string())),
    DocumentId => |v| Self::Text(Some(v.to_string())),
    Option<DocumentId> => |v| Self::Text(v.map(|id| id.to_string())),
    CommentId => |v| Self::Text(Some(v.to_string())),
    Option<CommentId> => |v| Self::Text(v.map(|id| id.to_string())),
    RatingId => |v| Self::Text(Some(v.to_string())),
    UserId => |v| Self::Text(Some(v.to_string())),
}

/// The values of one statement, in the order of their placeholders.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::Value::from($value)),*] };
}
pub(crate) use args;

/// A row of either driver.
pub(crate) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

macro_rules! read_as {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty),+ $(,)?) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&self, column: &'static str) -> Result<$ty> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
            .map_err(Error::from)
        }
    )+};
}

impl Row {
    read_as! {
        int -> i64,
        opt_int -> Option<i64>,
        text -> String,
        opt_text -> Option<String>,
        bool -> bool,
        bytes -> Vec<u8>,
        opt_bytes -> Option<Vec<u8>>,
    }

    /// An id kept as text.
    pub(crate) fn id<T: FromStr>(&self, column: &'static str) -> Result<T> {
        self.text(column)?.parse().map_err(|_| Error::corrupt(column, "it is no id"))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.int(column).map(Timestamp)
    }

    pub(crate) fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.opt_int(column)?.map(Timestamp))
    }

    pub(crate) fn tenant(&self, column: &'static str) -> Result<TenantId> {
        self.int(column)?.try_into().map(TenantId).map_err(|_| Error::corrupt(column, "it is no tenant number"))
    }

    /// A whole number that cannot be negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u64> {
        self.int(column)?.try_into().map_err(|_| Error::corrupt(column, "it is negative"))
    }

    /// A stored word read by the noun's own `parse`.
    pub(crate) fn word<T>(&self, column: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word = self.text(column)?;
        parse(&word).ok_or_else(|| Error::corrupt(column, format!("'{word}' is no known word")))
    }
}

/// A statement put together from fixed text and bound values.
#[derive(Default, Clone)]
pub(crate) struct Sql {
    /// A `$` for each value. Fixed text holds none.
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Appends fixed text.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a placeholder bound to `value`.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push('$');
        self
    }

    /// Appends `(…, …)`; the caller makes sure there is at least one value.
    pub(crate) fn list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.text.push('(');
        for (n, value) in values.into_iter().enumerate() {
            if n > 0 {
                self.text.push_str(", ");
            }
            self.bind(value);
        }
        self.text.push(')');
        self
    }

    /// Appends everything of `other`.
    pub(crate) fn append(&mut self, other: &Self) -> &mut Self {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
        self
    }

    /// Text and values. SQLite looks for a placeholder with a name, which a number behind a `$` is, among all of them, once for each: of
    /// thousands that is most of a statement's time. Bare ones it counts.
    pub(crate) fn into_parts(self, numbered: bool) -> (String, Vec<Value>) {
        if !numbered {
            return (self.text.replace('$', "?"), self.values);
        }
        let mut text = String::with_capacity(self.text.len() + self.values.len() * 4);
        for (number, part) in self.text.split('$').enumerate() {
            if number > 0 {
                text.push('$');
                text.push_str(&number.to_string());
            }
            text.push_str(part);
        }
        (text, self.values)
    }
}

/// Lower case for the `_fold` columns and for what is compared with them.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// A `LIKE` pattern (escape character `\`) that finds `part` anywhere in a `_fold` column.
pub(crate) fn anywhere(part: &str) -> String {
    let escaped = fold(part).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// How many rows of `columns` values fit one statement: SQLite takes 32,766 values, PostgreSQL 65,535. Kept well below, so a
/// statement stays small enough to prepare quickly.
pub(crate) fn rows_per_statement(columns: usize) -> usize {
    (4_000 / columns.max(1)).max(1)
}

/// Cuts a list into pieces of `most`, and the rest into pieces of powers of two. Each length is a statement of its own, and a connection keeps
/// hundreds of statements ready: of a thousand different lengths that would be a hundred MiB.
pub(crate) fn evenly<T>(list: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let length = match rest.len() {
            0 => return None,
            n if n >= most => most,
            n => 1 << n.ilog2(),
        };
        let (piece, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_renumbered_when_parts_are_joined() {
        let mut part = Sql::new(" AND a = ");
        part.bind("x").push(" AND b IN ").list(["y", "z"]);
        let mut whole = Sql::new("SELECT 1 WHERE t = ");
        whole.bind(1_i64).append(&part).push(" LIMIT ").bind(2_i64);
        let (text, values) = whole.clone().into_parts(true);
        assert_eq!(text, "SELECT 1 WHERE t = $1 AND a = $2 AND b IN ($3, $4) LIMIT $5");
        assert_eq!(values.len(), 5);
        let (text, values) = whole.into_parts(false);
        assert_eq!(text, "SELECT 1 WHERE t = ? AND a = ? AND b IN (?, ?) LIMIT ?");
        assert_eq!(values.len(), 5);
    }

    #[test]
    fn wildcards_in_a_search_word_are_plain_characters() {
        assert_eq!(anywhere("50%_A\\"), "%50\\%\\_a\\\\%");
    }

    #[test]
    fn a_list_is_cut_into_few_lengths() {
        let list: Vec<usize> = (0..23).collect();
        let pieces: Vec<&[usize]> = evenly(&list, 10).collect();
        assert_eq!(pieces.iter().map(|p| p.len()).collect::<Vec<_>>(), [10, 10, 2, 1]);
        assert_eq!(pieces.concat(), list);
        assert_eq!(evenly::<u8>(&[], 10).count(), 0);
        assert_eq!(evenly(&[0; 9], 1).count(), 9);
    }
}
