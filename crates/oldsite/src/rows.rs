//! Rows on their way to a dump: values by table, in column order.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use crate::schema::{Table, Version, table};

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    /// A wall clock without a zone, exactly as the column holds it.
    Time(NaiveDateTime),
    /// MySQL's `0000-00-00 00:00:00`; PostgreSQL knows no such thing and gets NULL.
    ZeroDate,
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Int(v.into())
    }
}
impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.to_owned())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}
impl From<&String> for Value {
    fn from(v: &String) -> Self {
        Self::Text(v.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Self {
        Self::Bytes(v)
    }
}
impl From<NaiveDateTime> for Value {
    fn from(v: NaiveDateTime) -> Self {
        Self::Time(v)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// The rows of one database, by table name.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    version: Version,
    by_table: BTreeMap<&'static str, Vec<Vec<Value>>>,
}

impl Rows {
    /// No rows yet, of tables as `version` has them.
    pub(crate) fn of_version(version: Version) -> Self {
        Self { version, by_table: BTreeMap::new() }
    }

    /// Which version's tables these are rows of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The table called `name`, when this version has it.
    pub fn table(&self, name: &str) -> Option<&'static Table> {
        table(self.version, name)
    }

    /// Adds a row given as (column, value) pairs and returns its number within the table, from 1. Columns not named
    /// are NULL. Tables and columns are names in our own source, so a wrong one is a mistake a test finds.
    pub(crate) fn add(&mut self, name: &str, fields: Vec<(&str, Value)>) -> i64 {
        let table = self.table(name).expect("only tables of the schema are written");
        let mut row = vec![Value::Null; table.columns.len()];
        for (column, value) in fields {
            let at = table.position(column).expect("only columns of the schema are written");
            if let Some(field) = row.get_mut(at) {
                *field = value;
            }
        }
        let rows = self.by_table.entry(table.name).or_default();
        rows.push(row);
        i64::try_from(rows.len()).unwrap_or(i64::MAX)
    }

    /// The rows of a table, each in the order of [`Table::columns`].
    pub fn of(&self, table: &Table) -> &[Vec<Value>] {
        self.by_table.get(table.name).map_or(&[], Vec::as_slice)
    }

    /// How many rows a table has.
    pub fn count(&self, name: &str) -> usize {
        self.by_table.get(name).map_or(0, Vec::len)
    }

    /// The number of the next row of a table whose rows are numbered from 1 without gaps.
    pub(crate) fn next_number(&self, name: &str) -> i64 {
        i64::try_from(self.count(name)).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The number a new row of a self-numbered table may take.
    pub(crate) fn next(&self, name: &str, column: &str) -> i64 {
        self.values(name, column).into_iter().filter_map(|v| if let Value::Int(n) = v { Some(n) } else { None }).max().unwrap_or(0) + 1
    }

    /// One column of every row.
    pub fn values(&self, name: &str, column: &str) -> Vec<Value> {
        let Some(at) = self.table(name).and_then(|t| t.position(column)) else { return Vec::new() };
        self.by_table.get(name).into_iter().flatten().filter_map(|row| row.get(at).cloned()).collect()
    }

    /// Sets `column` to `to` in every row where `when` equals `is`; returns how many rows that were.
    pub(crate) fn set(&mut self, name: &str, when: &str, is: &Value, column: &str, to: &Value) -> usize {
        let mut changed = 0;
        self.each(name, |table, row| {
            let (Some(test), Some(target)) = (table.position(when), table.position(column)) else { return };
            if row.get(test) == Some(is)
                && let Some(field) = row.get_mut(target)
            {
                *field = to.clone();
                changed += 1;
            }
        });
        changed
    }

    /// Drops every row where `column` equals `is`; returns how many rows that were.
    pub(crate) fn drop(&mut self, name: &str, column: &str, is: &Value) -> usize {
        let Some(at) = self.table(name).and_then(|t| t.position(column)) else { return 0 };
        let Some(rows) = self.by_table.get_mut(name) else { return 0 };
        let before = rows.len();
        rows.retain(|row| row.get(at) != Some(is));
        before - rows.len()
    }

    /// Drops the first row where `column` equals `is`.
    pub(crate) fn drop_first(&mut self, name: &str, column: &str, is: &Value) {
        let Some(at) = self.table(name).and_then(|t| t.position(column)) else { return };
        let Some(rows) = self.by_table.get_mut(name) else { return };
        if let Some(first) = rows.iter().position(|row| row.get(at) == Some(is)) {
            rows.remove(first);
        }
    }

    /// Keeps the rows of a table that `keep` accepts.
    pub(crate) fn retain(&mut self, name: &str, keep: impl Fn(&Table, &[Value]) -> bool) {
        if let (Some(table), Some(rows)) = (self.table(name), self.by_table.get_mut(name)) {
            rows.retain(|row| keep(table, row));
        }
    }

    /// Visits every row of a table for change.
    pub(crate) fn each(&mut self, name: &str, mut change: impl FnMut(&Table, &mut Vec<Value>)) {
        let Some(table) = self.table(name) else { return };
        for row in self.by_table.get_mut(name).into_iter().flatten() {
            change(table, row);
        }
    }
}

/// Adds one row: `row!(rows, "AM_API"; API_ID = 1, API_NAME = "Orders")`.
macro_rules! row {
    ($rows:expr, $table:literal; $($column:ident = $value:expr),+ $(,)?) => {
        $rows.add($table, vec![$((stringify!($column), $crate::rows::Value::from($value))),+])
    };
}
pub(crate) use row;
