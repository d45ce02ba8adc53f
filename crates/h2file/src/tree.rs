//! Walks one table's tree of data pages in key order, and finds one row by its key.
//!
//! It hands out rows as undecoded bytes. It trusts nothing: kinds, owners, parents and key order are checked on the way,
//! and the number of pages visited is bounded by the number of pages in the file, so damaged links cannot make a loop.

use crate::bytes::Bytes;
use crate::error::{Error, Fault};
use crate::page::{Page, Pages, kind};

/// A tree deeper than this would hold more rows than 64 bits can name.
const DEPTH_MAX: usize = 64;

/// A row whose values are not decoded yet.
#[derive(Debug, Clone)]
pub(crate) struct RawRow {
    pub(crate) key: i64,
    pub(crate) column_count: usize,
    bytes: RowBytes,
}

#[derive(Debug, Clone)]
enum RowBytes {
    /// The row begins at this byte of a page; where it ends, only its values tell.
    InPage(Page, usize),
    Whole(Vec<u8>),
}

impl RawRow {
    pub(crate) fn whole(key: i64, column_count: usize, bytes: Vec<u8>) -> RawRow {
        RawRow { key, column_count, bytes: RowBytes::Whole(bytes) }
    }

    pub(crate) fn bytes(&self) -> Bytes<'_> {
        match &self.bytes {
            RowBytes::InPage(page, at) => Bytes::from(&page.bytes, *at),
            RowBytes::Whole(bytes) => Bytes::new(bytes),
        }
    }
}

/// A table's tree: which table its pages must name, where it begins, how long a row may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) pages: &'a Pages,
    pub(crate) table_id: i32,
    pub(crate) root: u32,
    pub(crate) row_max_bytes: usize,
}

enum Branch {
    Empty,
    Leaf(Leaf),
    Node(Node),
}

struct Leaf {
    page: Page,
    column_count: usize,
    /// Key and the byte of the page where the row begins.
    rows: Vec<(i64, usize)>,
    /// First page of the continuation of this leaf's only row.
    overflow: Option<u32>,
}

struct Node {
    page: u32,
    /// Each child but the last, with its largest key.
    children: Vec<(u32, i64)>,
    last_child: u32,
    row_count: i32,
}

impl<'a> Tree<'a> {
    pub(crate) fn walk(self) -> Walk<'a> {
        Walk { tree: self, started: false, path: Vec::new(), leaf: None, last_key: None, visited: 0, stopped: false }
    }

    /// The row with this key.
    pub(crate) fn find(&self, key: i64) -> Result<Option<RawRow>, Error> {
        let (mut page, mut parent) = (self.root, 0);
        for _ in 0..DEPTH_MAX {
            match self.branch(page, parent)? {
                Branch::Empty => return Ok(None),
                Branch::Leaf(leaf) => {
                    return match leaf.rows.iter().position(|(found, _)| *found == key) {
                        Some(at) => self.row(&leaf, at).map(Some),
                        None => Ok(None),
                    };
                }
                Branch::Node(node) => {
                    parent = page;
                    page = node.children.iter().find(|(_, largest)| *largest >= key).map_or(node.last_child, |c| c.0);
                }
            }
        }
        Err(Error::BadPage { page, offset: 0, what: "the tree is too deep" })
    }

    /// The number of rows, when the root page tells.
    pub(crate) fn row_count(&self) -> Result<Option<u64>, Error> {
        Ok(match self.branch(self.root, 0)? {
            Branch::Empty => Some(0),
            Branch::Leaf(leaf) => Some(leaf.rows.len() as u64),
            Branch::Node(node) => u64::try_from(node.row_count).ok(),
        })
    }

    fn branch(&self, id: u32, parent: u32) -> Result<Branch, Error> {
        let page = self.pages.page(id)?;
        let read = match page.kind() {
            kind::DATA_NODE => self.node(&page, parent).map(Branch::Node),
            whole if whole == kind::DATA_LEAF | kind::LAST => self.leaf(&page, parent, false).map(Branch::Leaf),
            kind::DATA_LEAF => self.leaf(&page, parent, true).map(Branch::Leaf),
            // A table that never had a row may have a root page that was never written.
            kind::EMPTY if parent == 0 => Ok(Branch::Empty),
            found => return Err(Error::PageType { page: id, found, expected: "data leaf (1 or 17) or data node (2)" }),
        };
        read.map_err(|fault| fault.on_page(id))
    }

    fn owned<'p>(&self, page: &'p Page, parent: u32) -> Result<Bytes<'p>, Fault> {
        let mut bytes = Bytes::from(&page.bytes, 3);
        if bytes.u32()? != parent {
            return Err(Fault { offset: 3, what: "the page names another parent" });
        }
        if bytes.var_i32()? != self.table_id {
            return Err(Fault { offset: 7, what: "the page belongs to another table" });
        }
        Ok(bytes)
    }

    fn leaf(&self, page: &Page, parent: u32, overflows: bool) -> Result<Leaf, Fault> {
        let mut bytes = self.owned(page, parent)?;
        let column_count = usize::try_from(bytes.var_i32()?).map_err(|_| bytes.fault("a negative column count"))?;
        let entries = bytes.u16()?;
        let overflow = if overflows {
            if entries != 1 {
                return Err(bytes.fault("a page with a continued row holds not just that row"));
            }
            Some(bytes.u32()?)
        } else {
            None
        };
        let mut rows = Vec::with_capacity(usize::from(entries).min(bytes.remaining() / 3));
        for _ in 0..entries {
            rows.push((bytes.var_i64()?, usize::from(bytes.u16()?)));
        }
        if rows.iter().any(|(_, at)| *at < bytes.at() || *at > page.bytes.len()) {
            return Err(bytes.fault("a row begins outside the data area"));
        }
        Ok(Leaf { page: page.clone(), column_count, rows, overflow })
    }

    fn node(&self, page: &Page, parent: u32) -> Result<Node, Fault> {
        let mut bytes = self.owned(page, parent)?;
        let row_count = bytes.i32()?;
        let entries = bytes.u16()?;
        let last_child = bytes.u32()?;
        let mut children = Vec::with_capacity(usize::from(entries).min(bytes.remaining() / 5));
        for _ in 0..entries {
            children.push((bytes.u32()?, bytes.var_i64()?));
        }
        Ok(Node { page: page.id, children, last_child, row_count })
    }

    fn row(&self, leaf: &Leaf, at: usize) -> Result<RawRow, Error> {
        let page = &leaf.page;
        let Some(&(key, begin)) = leaf.rows.get(at) else {
            return Err(Error::BadPage { page: page.id, offset: 0, what: "no such row in the page" });
        };
        let bytes = match leaf.overflow {
            None => RowBytes::InPage(page.clone(), begin),
            Some(next) => RowBytes::Whole(self.continued(page, begin, next, key)?),
        };
        Ok(RawRow { key, column_count: leaf.column_count, bytes })
    }

    /// Puts together a row that goes on in overflow pages.
    fn continued(&self, leaf: &Page, begin: usize, first: u32, key: i64) -> Result<Vec<u8>, Error> {
        let mut row = leaf.bytes.get(begin..).unwrap_or_default().to_vec();
        let mut next = first;
        // Pages may hold no byte of the row only if they are damaged, so the count is bounded apart from the length.
        for _ in 0..self.pages.page_count() {
            let page = self.pages.page(next)?;
            let last = match page.kind() {
                kind::DATA_OVERFLOW => false,
                found if found == kind::DATA_OVERFLOW | kind::LAST => true,
                found => {
                    return Err(Error::PageType { page: next, found, expected: "data overflow (3 or 19)" });
                }
            };
            let mut bytes = Bytes::from(&page.bytes, 7);
            let step = (|| {
                if last {
                    let size = usize::from(bytes.u16()?);
                    Ok((0, bytes.take(size)?))
                } else {
                    let following = bytes.u32()?;
                    let rest = bytes.remaining();
                    Ok((following, bytes.take(rest)?))
                }
            })();
            let (following, part) = step.map_err(|fault: Fault| fault.on_page(next))?;
            if row.len() + part.len() > self.row_max_bytes {
                return Err(Error::RowTooLarge { table_id: self.table_id, key, limit_bytes: self.row_max_bytes });
            }
            row.extend_from_slice(part);
            // The writer ends a chain by a last page; the reader of H2 also takes a zero.
            if last || following == 0 {
                return Ok(row);
            }
            next = following;
        }
        Err(Error::BadPage { page: first, offset: 7, what: "a chain of overflow pages does not end" })
    }
}

/// All rows of a tree in key order. After the first error it ends.
pub(crate) struct Walk<'a> {
    tree: Tree<'a>,
    started: bool,
    path: Vec<Step>,
    leaf: Option<(Leaf, usize)>,
    last_key: Option<i64>,
    visited: u32,
    stopped: bool,
}

struct Step {
    page: u32,
    children: std::vec::IntoIter<u32>,
}

impl Walk<'_> {
    fn advance(&mut self) -> Result<Option<RawRow>, Error> {
        loop {
            if let Some((leaf, at)) = &mut self.leaf {
                if *at < leaf.rows.len() {
                    let row = self.tree.row(leaf, *at)?;
                    *at += 1;
                    if self.last_key.is_some_and(|last| last >= row.key) {
                        let page = leaf.page.id;
                        return Err(Error::BadPage { page, offset: 0, what: "keys are not in rising order" });
                    }
                    self.last_key = Some(row.key);
                    return Ok(Some(row));
                }
                self.leaf = None;
            }
            let Some((page, parent)) = self.next_page() else { return Ok(None) };
            self.visited += 1;
            if self.visited > self.tree.pages.page_count() {
                return Err(Error::BadPage { page, offset: 0, what: "the tree has more pages than the file" });
            }
            match self.tree.branch(page, parent)? {
                Branch::Empty => {}
                Branch::Leaf(leaf) => self.leaf = Some((leaf, 0)),
                Branch::Node(node) => {
                    if self.path.len() >= DEPTH_MAX {
                        return Err(Error::BadPage { page, offset: 0, what: "the tree is too deep" });
                    }
                    let mut children: Vec<u32> = node.children.iter().map(|(child, _)| *child).collect();
                    children.push(node.last_child);
                    self.path.push(Step { page: node.page, children: children.into_iter() });
                }
            }
        }
    }

    /// The next page to visit, and its parent.
    fn next_page(&mut self) -> Option<(u32, u32)> {
        if !self.started {
            self.started = true;
            return Some((self.tree.root, 0));
        }
        while let Some(step) = self.path.last_mut() {
            if let Some(child) = step.children.next() {
                return Some((child, step.page));
            }
            self.path.pop();
        }
        None
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<RawRow, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let row = self.advance().transpose();
        self.stopped = !matches!(row, Some(Ok(_)));
        row
    }
}
