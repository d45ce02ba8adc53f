//! The trees of the file by table id, with the changes a recovery found laid over them.
//!
//! It knows ids and keys, not names and columns.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::iter::Peekable;
use std::sync::Arc;

use crate::bytes::Bytes;
use crate::data;
use crate::error::{Error, Fault};
use crate::page::{META_ROOT_PAGE, Pages};
use crate::tree::{RawRow, Tree, Walk};
use crate::value::Value;

/// The id under which the catalogue of trees itself appears in the redo log and on its pages.
pub(crate) const META_ID: i32 = -1;
const META_COLUMNS: usize = 6;

/// What the redo log does to one table.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The rows in the file do not count any more.
    pub(crate) emptied: bool,
    /// Rows added (with their bytes) and removed (`None`), by key.
    pub(crate) rows: BTreeMap<i64, Option<LoggedRow>>,
}

/// A row as the redo log has it.
#[derive(Debug, Clone)]
pub(crate) struct LoggedRow {
    pub(crate) column_count: usize,
    pub(crate) bytes: Vec<u8>,
}

/// One line of the catalogue of trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) id: i32,
    pub(crate) is_table: bool,
    pub(crate) parent: i32,
    pub(crate) root: u32,
    pub(crate) options: String,
    pub(crate) columns: String,
}

impl Meta {
    pub(crate) fn decode(raw: &RawRow) -> Result<Meta, Fault> {
        let mut bytes = raw.bytes();
        if raw.column_count != META_COLUMNS {
            return Err(bytes.fault("the catalogue of trees has another number of columns"));
        }
        let int = |bytes: &mut Bytes<'_>| match data::value(bytes)? {
            Value::Int(number) => Ok(number),
            _ => Err(bytes.fault("a number was expected")),
        };
        let id = int(&mut bytes)?;
        let is_table = int(&mut bytes)? == 0;
        let parent = int(&mut bytes)?;
        let root = u32::try_from(int(&mut bytes)?).map_err(|_| bytes.fault("a negative page number"))?;
        let text = |bytes: &mut Bytes<'_>| match data::value(bytes)? {
            Value::Text(text) => Ok(text),
            Value::Null => Ok(String::new()),
            _ => Err(bytes.fault("a text was expected")),
        };
        let options = text(&mut bytes)?;
        let columns = text(&mut bytes)?;
        Ok(Meta { id, is_table, parent, root, options, columns })
    }

    /// For the index that is only another name for the table's own key: the column that is the key.
    pub(crate) fn key_column(&self) -> Option<usize> {
        let delegates = !self.is_table && self.options.split(',').nth(3) == Some("d");
        let column = self.columns.split(['/', ',']).next()?;
        if delegates { column.parse().ok() } else { None }
    }
}

/// The trees and their changes.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) pages: Arc<Pages>,
    pub(crate) row_max_bytes: usize,
    pub(crate) roots: HashMap<i32, u32>,
    pub(crate) changes: HashMap<i32, Changes>,
}

impl Store {
    /// A store without recovery: only the catalogue of trees is read.
    pub(crate) fn new(pages: Pages, row_max_bytes: usize) -> Result<Store, Error> {
        let mut store = Store { pages: Arc::new(pages), row_max_bytes, roots: HashMap::new(), changes: HashMap::new() };
        store.roots.insert(META_ID, META_ROOT_PAGE);
        let metas = store.metas()?;
        store.roots.extend(metas.iter().filter(|meta| meta.is_table).map(|meta| (meta.id, meta.root)));
        Ok(store)
    }

    /// The catalogue of trees.
    pub(crate) fn metas(&self) -> Result<Vec<Meta>, Error> {
        let Some(rows) = self.rows(META_ID) else { return Ok(Vec::new()) };
        rows.map(|raw| {
            let raw = raw?;
            Meta::decode(&raw).map_err(|fault| fault.in_row(META_ID, raw.key))
        })
        .collect()
    }

    pub(crate) fn has(&self, table_id: i32) -> bool {
        self.roots.contains_key(&table_id)
    }

    fn tree(&self, table_id: i32) -> Option<Tree<'_>> {
        let root = *self.roots.get(&table_id)?;
        Some(Tree { pages: &self.pages, table_id, root, row_max_bytes: self.row_max_bytes })
    }

    /// All rows of a table in key order; `None` when the file has no such table.
    pub(crate) fn rows(&self, table_id: i32) -> Option<StoredRows<'_>> {
        let tree = self.tree(table_id)?;
        let changes = self.changes.get(&table_id);
        let emptied = changes.is_some_and(|changes| changes.emptied);
        Some(StoredRows {
            in_file: if emptied { None } else { Some(tree.walk().peekable()) },
            changed: changes.map(|changes| changes.rows.iter().peekable()),
        })
    }

    /// One row by its key.
    pub(crate) fn find(&self, table_id: i32, key: i64) -> Result<Option<RawRow>, Error> {
        if let Some(changes) = self.changes.get(&table_id) {
            match changes.rows.get(&key) {
                Some(Some(row)) => return Ok(Some(RawRow::whole(key, row.column_count, row.bytes.clone()))),
                Some(None) => return Ok(None),
                None if changes.emptied => return Ok(None),
                None => {}
            }
        }
        match self.tree(table_id) {
            Some(tree) => tree.find(key),
            None => Ok(None),
        }
    }

    /// The number of rows, when it can be had without reading the table.
    pub(crate) fn row_count(&self, table_id: i32) -> Result<Option<u64>, Error> {
        match (self.tree(table_id), self.changes.get(&table_id)) {
            (Some(tree), None) => tree.row_count(),
            _ => Ok(None),
        }
    }
}

/// The rows of the file merged with those of the redo log.
pub(crate) struct StoredRows<'a> {
    in_file: Option<Peekable<Walk<'a>>>,
    changed: Option<Peekable<btree_map::Iter<'a, i64, Option<LoggedRow>>>>,
}

impl Iterator for StoredRows<'_> {
    type Item = Result<RawRow, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let change_key = self.changed.as_mut().and_then(|changed| changed.peek()).map(|(key, _)| **key);
            let file_key = match self.in_file.as_mut().and_then(Peekable::peek) {
                Some(Ok(row)) => Some(row.key),
                Some(Err(_)) => {
                    // What follows a damaged page is unknown, so the log's later rows are not given as if all were well.
                    self.changed = None;
                    return self.in_file.take().and_then(|mut rows| rows.next());
                }
                None => None,
            };
            match (file_key, change_key) {
                (Some(file), Some(change)) if file < change => return self.in_file.as_mut()?.next(),
                (Some(_), None) => return self.in_file.as_mut()?.next(),
                (None, None) => return None,
                (file, Some(change)) => {
                    if file == Some(change) {
                        self.in_file.as_mut().and_then(Iterator::next);
                    }
                    let (key, row) = self.changed.as_mut()?.next()?;
                    if let Some(row) = row {
                        return Some(Ok(RawRow::whole(*key, row.column_count, row.bytes.clone())));
                    }
                }
            }
        }
    }
}
