//! Tables and rows as every engine hands them out: columns found by name in any case, a column this version lacks reads as
//! absent, and a cell that does not fit says which table, column and row.

use std::{collections::HashMap, sync::Arc};

use chrono::NaiveDateTime;

use super::owned::{Whose, owner_of};
use super::value::{Kind, Misfit, Value};

/// A column as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name as the source spells it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table: its name as the source spells it, and its columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Name as the source spells it, without schema.
    pub name: String,
    /// Columns in the order rows carry them.
    pub columns: Vec<Column>,
    index: HashMap<String, usize>,
}

impl Table {
    /// Names may repeat only by a broken dump; the first one wins then.
    pub fn new(name: impl Into<String>, columns: Vec<Column>) -> Self {
        let mut index = HashMap::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            index.entry(column.name.to_ascii_uppercase()).or_insert(at);
        }
        Self { name: name.into(), columns, index }
    }

    /// Where a column stands, whatever the case of `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        match self.index.get(name) {
            Some(at) => Some(*at),
            None => self.index.get(&name.to_ascii_uppercase()).copied(),
        }
    }

    /// A column's name as the table spells it, which PostgreSQL wants.
    pub(super) fn spelled<'a>(&'a self, name: &'a str) -> &'a str {
        self.position(name).and_then(|at| self.columns.get(at)).map_or(name, |c| c.name.as_str())
    }

    /// Whether this version of the table has the column.
    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }
}

/// A cell that could not be read as asked. Shows where, never what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column} in row {row} {misfit}")]
pub struct CellError {
    /// Table.
    pub table: String,
    /// Column as asked for.
    pub column: String,
    /// Row, counted from 1 in reading order.
    pub row: u64,
    /// Why.
    pub misfit: Misfit,
    /// Whose row it is, where its table says so.
    pub owner: Option<Owner>,
}

/// Whose a row is, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What the cell names.
    pub whose: Whose,
    /// The cell; `None` for NULL.
    pub cell: Option<String>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    table: Arc<Table>,
    number: u64,
    values: Vec<Value>,
}

impl Row {
    /// A row of `table`; missing trailing values read as NULL.
    pub fn new(table: Arc<Table>, number: u64, values: Vec<Value>) -> Self {
        Self { table, number, values }
    }

    /// The table it came from.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Its place in reading order, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The cell, or `None` when this version has no such column.
    pub fn value(&self, column: &str) -> Option<&Value> {
        self.table.position(column).and_then(|at| self.values.get(at))
    }

    /// Characters; `None` for NULL or an absent column.
    ///
    /// # Errors
    ///
    /// When the cell is not text.
    pub fn text(&self, column: &str) -> Result<Option<String>, CellError> {
        self.read(column, Value::text)
    }

    /// A whole number; `None` for NULL or an absent column.
    ///
    /// # Errors
    ///
    /// When the cell is not a whole number.
    pub fn int(&self, column: &str) -> Result<Option<i64>, CellError> {
        self.read(column, Value::int)
    }

    /// True or false; `None` for NULL or an absent column.
    ///
    /// # Errors
    ///
    /// When the cell is neither.
    pub fn bool(&self, column: &str) -> Result<Option<bool>, CellError> {
        self.read(column, Value::bool)
    }

    /// Raw bytes; `None` for NULL or an absent column.
    ///
    /// # Errors
    ///
    /// When the cell is a number or a date.
    pub fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, CellError> {
        self.read(column, Value::bytes)
    }

    /// A wall clock without zone; `None` for NULL, a zero date or an absent column. Which zone it is in depends on the column:
    /// see [`crate::source::clock`].
    ///
    /// # Errors
    ///
    /// When the cell is not a date and time.
    pub fn timestamp(&self, column: &str) -> Result<Option<NaiveDateTime>, CellError> {
        self.read(column, Value::timestamp)
    }

    /// The error a caller raises about this row himself.
    pub fn misfit(&self, column: &str, misfit: Misfit) -> CellError {
        CellError { table: self.table.name.clone(), column: column.to_owned(), row: self.number, misfit, owner: owner_of(self) }
    }

    pub(crate) fn weight(&self) -> usize {
        self.values.iter().map(Value::weight).sum()
    }

    fn read<T>(&self, column: &str, how: impl Fn(&Value) -> Result<Option<T>, Misfit>) -> Result<Option<T>, CellError> {
        match self.value(column) {
            None => Ok(None),
            Some(cell) => how(cell).map_err(|misfit| self.misfit(column, misfit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let table = Table::new(
            "am_api",
            vec![Column { name: "api_id".into(), kind: Kind::Int }, Column { name: "CONTEXT".into(), kind: Kind::Text }],
        );
        Row::new(Arc::new(table), 7, vec![Value::Int(3), Value::Bytes(vec![0xff])])
    }

    #[test]
    fn columns_are_found_in_any_case_and_absent_ones_read_as_absent() {
        assert_eq!(row().int("API_ID").unwrap(), Some(3));
        assert_eq!(row().text("API_TIER").unwrap(), None);
        assert!(!row().table().has("API_TIER"));
    }

    #[test]
    fn an_error_names_table_column_and_row() {
        assert_eq!(row().text("Context").unwrap_err().to_string(), "am_api.Context in row 7 is not UTF-8 text");
    }
}
