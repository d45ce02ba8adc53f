//! Databases in an MVStore file (`<name>.mv.db`): what H2 1.4 writes, and 1.3 where it was told to.
//!
//! The catalogue, rows and values are those of the older files in other clothes; what differs is all here. A row that a transaction
//! wrote and did not commit before its server died is given as it was before, as H2 would after its next start. From outermost to
//! innermost: this file gives maps their meaning, `tree` walks and decodes, `chunks` reads the file and settles on a moment.

mod chunks;
mod fields;
mod object;
mod tree;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use self::chunks::Chunks;
use self::fields::Fields;
use self::object::Object;
use self::tree::{Entry, Keys, Version, Walk};
use crate::bytes::Bytes;
use crate::error::Error;
use crate::schema::{self, Statement, Table};
use crate::value::{LobKind, LobPlace, LobRef, Row, Value};
use crate::{Info, Limits, Recovery};

const CATALOGUE: i32 = 0;
const CATALOGUE_COLUMNS: usize = 4;
/// A large object's parts may be listed in a part of their own, and so on; no real one goes deeper.
const LISTS_MAX: usize = 8;

/// Where a map's tree begins.
#[derive(Debug, Clone, Copy)]
struct Map {
    id: u32,
    root: u64,
}

/// An open database of this kind.
#[derive(Debug)]
pub(crate) struct MvStore {
    chunks: Chunks,
    /// By name.
    maps: HashMap<String, Map>,
    /// Transactions that were committed but not yet cleared away.
    ended: HashSet<u64>,
    lob_max_bytes: u64,
    pub(crate) tables: Vec<Table>,
    pub(crate) info: Info,
}

impl MvStore {
    pub(crate) fn open(path: &Path, limits: Limits) -> Result<MvStore, Error> {
        let chunks = Chunks::open(path, limits.file_max_bytes, limits.row_max_bytes)?;
        let maps = maps(&chunks)?;
        let mut ended = HashSet::new();
        let mut open = 0;
        for (name, map) in &maps {
            let Some(rest) = name.strip_prefix("undoLog") else { continue };
            if rest.is_empty() && map.root != 0 {
                // Builds before 1.4.198 wrote unfinished rows in another form.
                let reason = "a transaction of an H2 before 1.4.198 was not finished".to_owned();
                return Err(Error::NotClosedCleanly { reason });
            }
            if let Some(number) = rest.strip_prefix('-').and_then(|number| number.parse().ok()) {
                ended.insert(number);
            } else if map.root != 0 {
                open += 1;
            }
        }
        let left_out = chunks.left_out;
        let recovery = (open > 0 || left_out > 0 || !ended.is_empty()).then_some(Recovery {
            pages_restored: left_out,
            changes_replayed: ended.len(),
            changes_dropped: open,
        });
        let info = Info {
            page_size: chunks::BLOCK as usize,
            page_count: u32::try_from(chunks.blocks()).unwrap_or(u32::MAX),
            write_version: u8::try_from(chunks.format).unwrap_or(u8::MAX),
            read_version: u8::try_from(chunks.format).unwrap_or(u8::MAX),
            create_build: None,
            recovery,
        };
        let mut store = MvStore { chunks, maps, ended, lob_max_bytes: limits.lob_max_bytes, tables: Vec::new(), info };
        store.read_catalogue()?;
        Ok(store)
    }

    fn read_catalogue(&mut self) -> Result<(), Error> {
        let mut tables = Vec::new();
        let mut build = None;
        for row in self.rows_of(CATALOGUE) {
            let (key, row) = row?;
            let bad = |what| Error::BadCatalogue { id: i32::try_from(key).unwrap_or(0), what };
            let Ok([id, _head, _kind, sql]) = <[Value; CATALOGUE_COLUMNS]>::try_from(row) else {
                return Err(bad("the system table has another number of columns"));
            };
            let id = id.as_i64().and_then(|id| i32::try_from(id).ok()).ok_or_else(|| bad("it has no number"))?;
            let Value::Text(sql) = sql else { return Err(bad("it has no statement")) };
            match schema::statement(id, &sql)? {
                Statement::Table(table) => tables.push(table),
                Statement::CreateBuild(found) => build = Some(found),
                Statement::Other => {}
            }
        }
        tables.sort_by_key(Table::id);
        self.tables = tables;
        self.info.create_build = build;
        Ok(())
    }

    /// The rows of a table by its number. A table whose map was never made has none, as for H2.
    pub(crate) fn rows_of(&self, table_id: i32) -> MvRows<'_> {
        let map = self.maps.get(&format!("table.{table_id}")).copied().unwrap_or(Map { id: 0, root: 0 });
        MvRows { ended: &self.ended, walk: Walk::new(&self.chunks, map.root, map.id, Keys::Row) }
    }

    /// Fetches a large object.
    pub(crate) fn lob(&self, lob: &LobRef) -> Result<Value, Error> {
        let LobPlace::Blocks { lob: number } = lob.place else {
            return Err(Error::BadLob { object: format!("{:?}", lob.place), what: "it is not kept inside the file" });
        };
        let bad = |what| Error::BadLob { object: number.to_string(), what };
        let missing = |part| Error::LobPartMissing { lob: number, part };
        let map = self.maps.get("lobMap").ok_or_else(|| missing("entry"))?;
        let entry = tree::find(&self.chunks, map.root, map.id, number)?.ok_or_else(|| missing("entry"))?;
        let Object::List(entry) = entry else { return Err(bad("its entry is no list")) };
        let (Some(Object::Bytes(parts)), Some(Object::Number(length))) = (entry.first(), entry.get(2)) else {
            return Err(bad("its entry lacks the parts or the length"));
        };
        let expected = u64::try_from(*length).map_err(|_| bad("its length is negative"))?;
        if expected > self.lob_max_bytes {
            return Err(Error::LobTooLarge { object: number.to_string(), bytes: expected, limit_bytes: self.lob_max_bytes });
        }
        let mut content = Vec::new();
        self.append(parts, number, expected, LISTS_MAX, &mut content)?;
        if content.len() as u64 != expected {
            return Err(Error::LobLength { object: number.to_string(), unit: "bytes", found: content.len() as u64, expected });
        }
        Ok(match lob.kind {
            LobKind::Blob => Value::Blob(content),
            LobKind::Clob => Value::Clob(crate::lob::text(content, lob)?),
        })
    }

    /// Appends the parts a list names: bytes in place, blocks, and further lists.
    fn append(&self, parts: &[u8], lob: i64, max: u64, lists_left: usize, content: &mut Vec<u8>) -> Result<(), Error> {
        let bad = |what| Error::BadLob { object: lob.to_string(), what };
        let short = |_| bad("its list of parts ends too early");
        let mut bytes = Bytes::new(parts);
        while bytes.remaining() > 0 {
            match bytes.u8().map_err(short)? {
                0 => {
                    let length = bytes.length().map_err(short)?;
                    content.extend_from_slice(bytes.take(length).map_err(short)?);
                }
                1 => {
                    let length = bytes.var_i32().map_err(short)?;
                    let block = self.block(lob, bytes.var_i64().map_err(short)?)?;
                    if usize::try_from(length).ok() != Some(block.len()) {
                        return Err(bad("a part has another length than its list says"));
                    }
                    content.extend(block);
                }
                2 => {
                    bytes.var_i64().map_err(short)?;
                    let list = self.block(lob, bytes.var_i64().map_err(short)?)?;
                    let left = lists_left.checked_sub(1).ok_or_else(|| bad("its lists nest too deeply"))?;
                    self.append(&list, lob, max, left, content)?;
                }
                _ => return Err(bad("a part is of an unknown kind")),
            }
            if content.len() as u64 > max {
                return Err(bad("its parts are longer than the object"));
            }
        }
        Ok(())
    }

    fn block(&self, lob: i64, key: i64) -> Result<Vec<u8>, Error> {
        let map = self.maps.get("lobData").ok_or(Error::LobPartMissing { lob, part: "block" })?;
        match tree::find(&self.chunks, map.root, map.id, key)? {
            Some(Object::Bytes(bytes)) => Ok(bytes),
            Some(_) => Err(Error::BadLob { object: lob.to_string(), what: "a block holds something else than bytes" }),
            None => Err(Error::LobPartMissing { lob, part: "block" }),
        }
    }
}

/// The maps the list names, with their roots.
fn maps(chunks: &Chunks) -> Result<HashMap<String, Map>, Error> {
    let list = chunks.list()?;
    let bad = || Error::BadHeader { what: "the list of maps cannot be read" };
    let mut found = HashMap::new();
    for (key, text) in &list {
        let Some(id) = key.strip_prefix("map.") else { continue };
        let name = Fields::parse(text).ok_or_else(bad)?.text("name").map(str::to_owned);
        let number = fields::hex(id).and_then(|id| u32::try_from(id).ok()).ok_or_else(bad)?;
        let root = match list.get(&format!("root.{id}")) {
            Some(root) => fields::hex(root).ok_or_else(bad)?,
            None => 0,
        };
        if let Some(name) = name {
            found.insert(name, Map { id: number, root });
        }
    }
    Ok(found)
}

/// The rows of one table with their keys, uncommitted changes left out.
pub(crate) struct MvRows<'a> {
    ended: &'a HashSet<u64>,
    walk: Walk<'a>,
}

impl Iterator for MvRows<'_> {
    type Item = Result<(i64, Row), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.walk.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let Entry::Row(key, Version { transaction, current, committed }) = entry else { continue };
            let row = if transaction == 0 || self.ended.contains(&transaction) { current } else { committed };
            if let Some(row) = row {
                return Some(Ok((key, row)));
            }
        }
    }
}
