//! Pages and the trees they make: from the bytes of a page to keys and values, in key order.
//!
//! The three kinds of keys and values that a database's file has are told apart by [`Keys`]; what a value means is said by the caller.

use std::sync::Arc;

use super::chunks::Chunks;
use super::object::{self, Object};
use crate::bytes::Bytes;
use crate::data;
use crate::error::{Error, Fault};
use crate::value::Value;
use crate::{inflate, lzf};

const NODE: u8 = 1;
const COMPRESSED: u8 = 2;
const COMPRESSED_HIGH: u8 = 4;
/// A tree of a file that fits any disk is far lower.
const DEPTH_MAX: usize = 40;

/// The number of the chunk in a page's position.
pub(super) fn chunk_of(position: u64) -> u32 {
    (position >> 38) as u32
}

/// Where in its chunk the page begins.
pub(super) fn offset_of(position: u64) -> u64 {
    position >> 6 & 0xffff_ffff
}

/// The longest it can be; `None` when it is so long that only the page tells.
pub(super) fn length_of(position: u64) -> Option<usize> {
    let code = position >> 1 & 31;
    (code != 31).then(|| ((2 + (code & 1)) << ((code >> 1) + 4)) as usize)
}

/// Whose keys and values they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// The list of chunks and maps: texts.
    Text,
    /// A map of the store's own: objects.
    Object,
    /// A table: SQL values, each with the transaction that wrote it.
    Row,
}

/// A page, its body expanded but not yet decoded.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) map: u32,
    position: u64,
    keys: usize,
    /// Of a node: positions of its children.
    children: Option<Vec<u64>>,
    body: Vec<u8>,
}

impl Page {
    pub(super) fn weight(&self) -> usize {
        self.body.len() + self.children.as_ref().map_or(0, |c| c.len() * 8)
    }

    fn fault(&self, fault: Fault) -> Error {
        bad_page(self.position, fault)
    }

    pub(super) fn decode(raw: &[u8], position: u64, map: u32, page_max: usize) -> Result<Page, Error> {
        let fail = |fault| bad_page(position, fault);
        let mut bytes = Bytes::new(raw);
        let length = bytes.u32().map_err(fail)?;
        let raw = usize::try_from(length).ok().and_then(|length| raw.get(..length)).filter(|raw| raw.len() >= 8);
        let raw = raw.ok_or_else(|| fail(bytes.fault("its length is not the one its position tells")))?;
        let mut bytes = Bytes::from(raw, 4);
        let check = bytes.u16().map_err(fail)?;
        let fold = |number: u32| (number >> 16) as u16 ^ number as u16;
        if check != fold(chunk_of(position)) ^ fold(offset_of(position) as u32) ^ fold(length) {
            return Err(fail(bytes.fault("its checksum is wrong")));
        }
        let found = bytes.var_i32().map_err(fail)?;
        if u32::try_from(found).ok() != Some(map) {
            return Err(fail(bytes.fault("it belongs to another map")));
        }
        let keys = bytes.length().map_err(fail);
        let kind_at = bytes.clone();
        // Compressed keys may be more than the bytes left; each still takes one when expanded.
        let keys = match keys {
            Ok(keys) => keys,
            Err(_) => {
                let mut again = Bytes::from(raw, 6);
                again.var_i32().map_err(fail)?;
                let keys = again.var_i32().map_err(fail)?;
                bytes = again;
                usize::try_from(keys).ok().filter(|keys| *keys <= page_max).ok_or_else(|| fail(kind_at.fault("it has too many keys")))?
            }
        };
        let kind = bytes.u8().map_err(fail)?;
        let children = if kind & NODE != 0 { Some(children(&mut bytes, keys).map_err(fail)?) } else { None };
        if children.is_some() != (position & 1 == 1) {
            return Err(fail(bytes.fault("it is not of the kind its position tells")));
        }
        let body = if kind & COMPRESSED == 0 {
            let left = bytes.remaining();
            bytes.take(left).map_err(fail)?.to_vec()
        } else {
            let more = bytes.var_i32().map_err(fail)?;
            let left = bytes.remaining();
            let packed = bytes.take(left).map_err(fail)?;
            let length = usize::try_from(more).ok().and_then(|more| packed.len().checked_add(more)).filter(|length| *length <= page_max);
            let length = length.ok_or(Error::PageTooLarge { chunk: chunk_of(position), limit_bytes: page_max })?;
            let expanded = if kind & COMPRESSED_HIGH != 0 { inflate::expand(packed, length) } else { lzf::expand(packed, length) };
            expanded.ok_or_else(|| fail(bytes.fault("it does not expand")))?
        };
        if keys > body.len() {
            return Err(fail(Fault { offset: 0, what: "it has more keys than bytes" }));
        }
        Ok(Page { map, position, keys, children, body })
    }
}

fn bad_page(position: u64, fault: Fault) -> Error {
    Error::BadMvPage { chunk: chunk_of(position), page_offset: offset_of(position), offset: fault.offset, what: fault.what }
}

fn children(bytes: &mut Bytes<'_>, keys: usize) -> Result<Vec<u64>, Fault> {
    let count = keys + 1;
    if count.saturating_mul(9) > bytes.remaining() {
        return Err(bytes.fault("it has more children than bytes"));
    }
    let positions = (0..count).map(|_| bytes.u64()).collect::<Result<Vec<_>, _>>()?;
    // How many entries each child has follows; H2 keeps it for its own arithmetic.
    for _ in 0..count {
        bytes.var_i64()?;
    }
    Ok(positions)
}

/// A key and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    Text(String, String),
    Object(Object, Object),
    Row(i64, Version),
}

/// A row as the table's map has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Version {
    /// The transaction that wrote it and had not ended, 0 for none.
    pub(super) transaction: u64,
    /// As that transaction left it; `None` when it removed the row.
    pub(super) current: Option<Vec<Value>>,
    /// As it was before.
    pub(super) committed: Option<Vec<Value>>,
}

/// Name and text of an entry of the list.
pub(super) fn texts(entry: &Entry) -> Result<(String, String), Error> {
    match entry {
        Entry::Text(name, text) => Ok((name.clone(), text.clone())),
        _ => Err(Error::BadHeader { what: "the list of chunks holds something else than texts" }),
    }
}

/// Operation numbers are a transaction's number and, below, that of its step.
const STEP_BITS: u32 = 40;

fn entries(page: &Page, keys: Keys) -> Result<Vec<Entry>, Error> {
    let mut bytes = Bytes::new(&page.body);
    decoded(&mut bytes, page.keys, keys).map_err(|fault| page.fault(fault))
}

fn decoded(bytes: &mut Bytes<'_>, count: usize, keys: Keys) -> Result<Vec<Entry>, Fault> {
    match keys {
        Keys::Text => {
            let names = (0..count).map(|_| bytes.counted_string()).collect::<Result<Vec<_>, _>>()?;
            names.into_iter().map(|name| Ok(Entry::Text(name, bytes.counted_string()?))).collect()
        }
        Keys::Object => {
            let names = (0..count).map(|_| object::object(bytes)).collect::<Result<Vec<_>, _>>()?;
            names.into_iter().map(|name| Ok(Entry::Object(name, object::object(bytes)?))).collect()
        }
        Keys::Row => {
            let numbers = (0..count).map(|_| row_key(bytes)).collect::<Result<Vec<_>, _>>()?;
            let plain = if count == 0 { true } else { bytes.u8()? == 0 };
            numbers.into_iter().map(|number| Ok(Entry::Row(number, if plain { committed(bytes)? } else { version(bytes)? }))).collect()
        }
    }
}

fn row_key(bytes: &mut Bytes<'_>) -> Result<i64, Fault> {
    let at = bytes.fault("a row's key is no number");
    data::mv_value(bytes)?.as_i64().ok_or(at)
}

fn row(bytes: &mut Bytes<'_>) -> Result<Vec<Value>, Fault> {
    let at = bytes.fault("a row is no list of values");
    match data::mv_value(bytes)? {
        Value::Array(values) => Ok(values),
        _ => Err(at),
    }
}

fn committed(bytes: &mut Bytes<'_>) -> Result<Version, Fault> {
    Ok(Version { transaction: 0, current: Some(row(bytes)?), committed: None })
}

fn version(bytes: &mut Bytes<'_>) -> Result<Version, Fault> {
    let operation = bytes.var_i64()? as u64;
    if operation == 0 {
        return committed(bytes);
    }
    let flags = bytes.u8()?;
    let current = if flags & 1 != 0 { Some(row(bytes)?) } else { None };
    let before = if flags & 2 != 0 { Some(row(bytes)?) } else { None };
    Ok(Version { transaction: operation >> STEP_BITS, current, committed: before })
}

/// All entries of a tree in key order. An error ends it.
pub(super) struct Walk<'a> {
    chunks: &'a Chunks,
    map: u32,
    keys: Keys,
    /// Nodes on the way down, each with the child to visit next.
    open: Vec<(Arc<Page>, usize)>,
    leaf: std::vec::IntoIter<Entry>,
    next: Option<u64>,
    pages_left: u64,
}

impl<'a> Walk<'a> {
    /// `root` is 0 for a map without entries.
    pub(super) fn new(chunks: &'a Chunks, root: u64, map: u32, keys: Keys) -> Walk<'a> {
        let next = (root != 0).then_some(root);
        Walk { chunks, map, keys, open: Vec::new(), leaf: Vec::new().into_iter(), next, pages_left: chunks.pages_max() }
    }

    /// Goes to the next leaf; `false` when there is none.
    fn descend(&mut self) -> Result<bool, Error> {
        loop {
            let position = match self.next.take() {
                Some(position) => position,
                None => {
                    let Some((node, at)) = self.open.last_mut() else { return Ok(false) };
                    let child = node.children.as_ref().and_then(|children| children.get(*at)).copied();
                    *at += 1;
                    match child {
                        // A child without pages is an empty one.
                        Some(0) => continue,
                        Some(child) => child,
                        None => {
                            self.open.pop();
                            continue;
                        }
                    }
                }
            };
            self.pages_left = self.pages_left.checked_sub(1).filter(|_| self.open.len() < DEPTH_MAX).ok_or_else(|| circle(position))?;
            let page = self.chunks.page(position, self.map)?;
            if page.children.is_some() {
                self.open.push((page, 0));
            } else {
                self.leaf = entries(&page, self.keys)?.into_iter();
                return Ok(true);
            }
        }
    }
}

fn circle(position: u64) -> Error {
    bad_page(position, Fault { offset: 0, what: "its tree runs in a circle" })
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(Ok(entry));
            }
            match self.descend() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.open.clear();
                    self.next = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The value under a number, in a map of objects.
pub(super) fn find(chunks: &Chunks, root: u64, map: u32, key: i64) -> Result<Option<Object>, Error> {
    let up_to = |bytes: &mut Bytes<'_>| match object::object(bytes)? {
        Object::Number(number) => Ok(number <= key),
        _ => Err(bytes.fault("a key is no number")),
    };
    let Some(leaf) = leaf(chunks, root, map, up_to)? else { return Ok(None) };
    Ok(entries(&leaf, Keys::Object)?.into_iter().find_map(|entry| match entry {
        Entry::Object(Object::Number(number), value) if number == key => Some(value),
        _ => None,
    }))
}

/// The text under a name, in the list.
pub(super) fn find_text(chunks: &Chunks, root: u64, map: u32, key: &str) -> Result<Option<String>, Error> {
    // Names are compared as Java does, by UTF-16 units.
    let up_to = |bytes: &mut Bytes<'_>| Ok(bytes.counted_string()?.encode_utf16().le(key.encode_utf16()));
    let Some(leaf) = leaf(chunks, root, map, up_to)? else { return Ok(None) };
    Ok(entries(&leaf, Keys::Text)?.into_iter().find_map(|entry| match entry {
        Entry::Text(name, text) if name == key => Some(text),
        _ => None,
    }))
}

/// The leaf that may hold a key. `up_to` reads a key and says whether it is not after the one sought.
fn leaf(chunks: &Chunks, root: u64, map: u32, up_to: impl Fn(&mut Bytes<'_>) -> Result<bool, Fault>) -> Result<Option<Arc<Page>>, Error> {
    let mut position = root;
    for _ in 0..DEPTH_MAX {
        if position == 0 {
            return Ok(None);
        }
        let page = chunks.page(position, map)?;
        let Some(children) = &page.children else { return Ok(Some(page)) };
        let mut bytes = Bytes::new(&page.body);
        let mut at = 0;
        // A node's key is the lowest of the child behind it.
        while at < page.keys && up_to(&mut bytes).map_err(|fault| page.fault(fault))? {
            at += 1;
        }
        position = children.get(at).copied().unwrap_or(0);
    }
    Err(circle(root))
}
