//! The redo log of a database that was not closed, and its recovery in memory.
//!
//! The log is a stream spread over pages: trunk pages list data pages. It holds page images from before the last
//! checkpoint ("undo") and the row changes since ("add", "remove", "truncate"). Recovery first lays the images over the
//! file, which gives a sound older state, then replays the changes of committed transactions in order, exactly as H2
//! does when it next opens the file. Nothing is written: both live beside the file in memory.
//!
//! The end of the log is where a page does not belong to it or an entry is cut off; a crash leaves it so. Anything else
//! that does not fit (an unknown entry, a change that contradicts the tables, a transaction prepared but not decided)
//! is refused, because guessing would import wrong data.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::bytes::Bytes;
use crate::error::{Error, Fault};
use crate::lzf;
use crate::page::{Page, Pages, kind};
use crate::store::{Changes, LoggedRow, META_ID, Meta, Store};
use crate::tree::RawRow;

const TRUNK_HEAD_BYTES: usize = 3;
const DATA_HEAD_BYTES: usize = 11;

mod entry {
    pub(super) const NOOP: u8 = 0;
    pub(super) const UNDO: u8 = 1;
    pub(super) const COMMIT: u8 = 2;
    pub(super) const PREPARE_COMMIT: u8 = 3;
    pub(super) const ROLLBACK: u8 = 4;
    pub(super) const ADD: u8 = 5;
    pub(super) const REMOVE: u8 = 6;
    pub(super) const TRUNCATE: u8 = 7;
    pub(super) const CHECKPOINT: u8 = 8;
    pub(super) const FREE_LOG: u8 = 9;
}

/// What a recovery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Pages put back to the state of the last checkpoint.
    pub pages_restored: usize,
    /// Row changes and truncations replayed from committed transactions.
    pub changes_replayed: usize,
    /// Row changes and truncations left out because their transaction never committed.
    pub changes_dropped: usize,
}

/// Opens the trees of a database whose log is not empty.
pub(crate) fn recover(mut pages: Pages, row_max_bytes: usize, max_bytes: usize) -> Result<(Store, Recovery), Error> {
    let mut report = Recovery::default();
    let survey = survey(&pages, max_bytes)?;
    report.pages_restored = survey.images.len();
    pages.set_overlay(survey.images);
    let mut store = Store::new(pages, row_max_bytes)?;
    replay(&mut store, &survey.commits, max_bytes, &mut report)?;
    Ok((store, report))
}

fn refuse(reason: impl Into<String>) -> Error {
    Error::NotClosedCleanly { reason: reason.into() }
}

/// A point in the log. Sections are counted by checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    section: u32,
    entry: u64,
}

struct Survey {
    images: HashMap<u32, Arc<[u8]>>,
    /// The last commit of each session; session numbers are used again, but only after the session before committed.
    commits: HashMap<i32, Point>,
}

/// First reading: page images, and which sessions committed how far.
fn survey(pages: &Pages, max_bytes: usize) -> Result<Survey, Error> {
    let mut survey = Survey { images: HashMap::new(), commits: HashMap::new() };
    let mut undecided = HashSet::new();
    let empty: Arc<[u8]> = vec![0; pages.page_size()].into();
    let mut held = 0usize;
    let mut log = Log::new(pages);
    while let Some((at, entry)) = log.next()? {
        match entry {
            Entry::Undo { page, image } => {
                // Pages the file was about to grow by were empty before; that they are not there is the same.
                if page >= pages.page_count() && image.is_none() {
                    continue;
                }
                if page >= pages.page_count() {
                    return Err(refuse(format!("its log restores page {page}, which the file does not have")));
                }
                // The first image of a page is the oldest; later ones belong to later checkpoints.
                if survey.images.contains_key(&page) {
                    continue;
                }
                let image = match image {
                    None => Arc::clone(&empty),
                    Some(image) => {
                        held += image.len();
                        image.into()
                    }
                };
                if held > max_bytes {
                    return Err(refuse(format!("its log holds more than {max_bytes} bytes of page images")));
                }
                survey.images.insert(page, image);
            }
            Entry::Commit { session } => {
                survey.commits.insert(session, at);
                undecided.remove(&session);
            }
            Entry::Prepare { session } => {
                undecided.insert(session);
            }
            Entry::Rollback { session } => {
                undecided.remove(&session);
            }
            Entry::Add { .. } | Entry::Remove { .. } | Entry::Truncate { .. } | Entry::Nothing => {}
        }
    }
    if !undecided.is_empty() {
        return Err(refuse("a two-phase transaction was prepared but neither committed nor rolled back"));
    }
    Ok(survey)
}

/// Second reading: row changes of committed transactions, in order.
fn replay(store: &mut Store, commits: &HashMap<i32, Point>, max_bytes: usize, report: &mut Recovery) -> Result<(), Error> {
    let pages = Arc::clone(&store.pages);
    let mut log = Log::new(&pages);
    let mut held = 0usize;
    while let Some((at, entry)) = log.next()? {
        let session = match &entry {
            Entry::Add { session, .. } | Entry::Remove { session, .. } | Entry::Truncate { session, .. } => *session,
            _ => continue,
        };
        if commits.get(&session).is_none_or(|commit| *commit < at) {
            report.changes_dropped += 1;
            continue;
        }
        report.changes_replayed += 1;
        match entry {
            Entry::Add { table_id, key, row, .. } => {
                held += row.bytes.len();
                if held > max_bytes {
                    return Err(refuse(format!("its log holds more than {max_bytes} bytes of changed rows")));
                }
                add(store, table_id, key, row)?;
            }
            Entry::Remove { table_id, key, .. } => remove(store, table_id, key)?,
            Entry::Truncate { table_id, .. } => {
                known(store, table_id)?;
                store.changes.insert(table_id, Changes { emptied: true, ..Changes::default() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn known(store: &Store, table_id: i32) -> Result<(), Error> {
    if store.has(table_id) { Ok(()) } else { Err(refuse(format!("its log changes table id {table_id}, which does not exist"))) }
}

fn add(store: &mut Store, table_id: i32, key: i64, row: LoggedRow) -> Result<(), Error> {
    known(store, table_id)?;
    if store.find(table_id, key)?.is_some() {
        return Err(refuse(format!("its log adds row {key} to table id {table_id}, which already has it")));
    }
    if table_id == META_ID {
        let raw = RawRow::whole(key, row.column_count, row.bytes.clone());
        let meta = Meta::decode(&raw).map_err(|fault| fault.in_row(META_ID, key))?;
        if meta.is_table {
            // H2 clears the first page of a tree it creates again, whatever that page held before.
            store.roots.insert(meta.id, meta.root);
            store.changes.insert(meta.id, Changes { emptied: true, ..Changes::default() });
        }
    }
    store.changes.entry(table_id).or_default().rows.insert(key, Some(row));
    Ok(())
}

fn remove(store: &mut Store, table_id: i32, key: i64) -> Result<(), Error> {
    known(store, table_id)?;
    let Some(raw) = store.find(table_id, key)? else {
        return Err(refuse(format!("its log removes row {key} of table id {table_id}, which does not have it")));
    };
    if table_id == META_ID {
        let meta = Meta::decode(&raw).map_err(|fault| fault.in_row(META_ID, key))?;
        if meta.is_table {
            store.roots.remove(&meta.id);
            store.changes.remove(&meta.id);
        }
    }
    store.changes.entry(table_id).or_default().rows.insert(key, None);
    Ok(())
}

/// One entry of the log.
enum Entry {
    Nothing,
    /// A page as it was; `None` is a page of zeros.
    Undo {
        page: u32,
        image: Option<Vec<u8>>,
    },
    Commit {
        session: i32,
    },
    Prepare {
        session: i32,
    },
    Rollback {
        session: i32,
    },
    Add {
        session: i32,
        table_id: i32,
        key: i64,
        row: LoggedRow,
    },
    Remove {
        session: i32,
        table_id: i32,
        key: i64,
    },
    Truncate {
        session: i32,
        table_id: i32,
    },
}

/// Why an entry could not be read: the log ends there (as a crash leaves it), or it is not a log.
enum Stop {
    End,
    Refused(Error),
}

/// The log as entries.
struct Log<'a> {
    stream: Stream<'a>,
    point: Point,
}

impl<'a> Log<'a> {
    fn new(pages: &'a Pages) -> Log<'a> {
        Log { stream: Stream::new(pages), point: Point { section: 0, entry: 0 } }
    }

    fn next(&mut self) -> Result<Option<(Point, Entry)>, Error> {
        match self.read() {
            Ok(entry) => Ok(Some((self.point, entry))),
            Err(Stop::End) => Ok(None),
            Err(Stop::Refused(error)) => Err(error),
        }
    }

    fn read(&mut self) -> Result<Entry, Stop> {
        let kind = self.stream.u8()?;
        self.point.entry += 1;
        Ok(match kind {
            entry::NOOP => Entry::Nothing,
            entry::UNDO => self.undo()?,
            entry::COMMIT => Entry::Commit { session: self.stream.var_i32()? },
            entry::PREPARE_COMMIT => {
                let session = self.stream.var_i32()?;
                let units = self.length()?;
                self.skip_string(units)?;
                Entry::Prepare { session }
            }
            entry::ROLLBACK => Entry::Rollback { session: self.stream.var_i32()? },
            entry::ADD => {
                let (session, table_id) = (self.stream.var_i32()?, self.stream.var_i32()?);
                let key = self.stream.var_i64()?;
                let length = self.length()?;
                let bytes = self.stream.take(length)?;
                let row = logged_row(&bytes).map_err(|fault| Stop::Refused(fault.in_row(table_id, key)))?;
                Entry::Add { session, table_id, key, row }
            }
            entry::REMOVE => {
                let (session, table_id) = (self.stream.var_i32()?, self.stream.var_i32()?);
                Entry::Remove { session, table_id, key: self.stream.var_i64()? }
            }
            entry::TRUNCATE => Entry::Truncate { session: self.stream.var_i32()?, table_id: self.stream.var_i32()? },
            entry::CHECKPOINT => {
                self.point.section += 1;
                Entry::Nothing
            }
            entry::FREE_LOG => {
                for _ in 0..self.length()? {
                    self.stream.var_i32()?;
                }
                Entry::Nothing
            }
            unknown => return Err(Stop::Refused(refuse(format!("its log has an entry of unknown kind {unknown}")))),
        })
    }

    fn undo(&mut self) -> Result<Entry, Stop> {
        let page_size = self.stream.pages.page_size();
        let number = self.stream.var_i32()?;
        let page = u32::try_from(number).map_err(|_| Stop::Refused(refuse("its log restores a negative page")))?;
        let image = match self.length()? {
            0 => Some(self.stream.take(page_size)?),
            1 => None,
            length if length <= 2 * page_size => {
                let packed = self.stream.take(length)?;
                let image = lzf::expand(&packed, page_size);
                Some(image.ok_or_else(|| Stop::Refused(refuse(format!("the log's image of page {page} does not expand"))))?)
            }
            _ => return Err(Stop::Refused(refuse(format!("the log's image of page {page} is too long")))),
        };
        Ok(Entry::Undo { page, image })
    }

    fn length(&mut self) -> Result<usize, Stop> {
        let length = self.stream.var_i32()?;
        usize::try_from(length).map_err(|_| Stop::Refused(refuse("its log has a negative length")))
    }

    fn skip_string(&mut self, units: usize) -> Result<(), Stop> {
        for _ in 0..units {
            let more = match self.stream.u8()? {
                0..=0x7f => 0,
                0x80..=0xdf => 1,
                _ => 2,
            };
            for _ in 0..more {
                self.stream.u8()?;
            }
        }
        Ok(())
    }
}

fn logged_row(bytes: &[u8]) -> Result<LoggedRow, Fault> {
    let mut head = Bytes::new(bytes);
    let column_count = usize::try_from(head.var_i32()?).map_err(|_| head.fault("a negative column count"))?;
    Ok(LoggedRow { column_count, bytes: bytes.get(head.at()..).unwrap_or_default().to_vec() })
}

/// The log as bytes: data page after data page, trunk after trunk, each trunk's key one higher than the one before.
struct Stream<'a> {
    pages: &'a Pages,
    next_trunk: u32,
    previous_trunk: u32,
    key: i32,
    data_pages: std::vec::IntoIter<u32>,
    /// The data page the log begins with, until it is found; pages before it belong to a section that was let go.
    first_data_page: Option<u32>,
    current: Option<(Page, usize)>,
    trunks_left: u32,
}

impl<'a> Stream<'a> {
    fn new(pages: &'a Pages) -> Stream<'a> {
        let header = pages.header();
        Stream {
            pages,
            next_trunk: header.log_trunk_page,
            previous_trunk: 0,
            key: header.log_key.wrapping_sub(1),
            data_pages: Vec::new().into_iter(),
            first_data_page: Some(header.log_data_page),
            current: None,
            trunks_left: pages.page_count(),
        }
    }

    fn u8(&mut self) -> Result<u8, Stop> {
        loop {
            if let Some((page, at)) = &mut self.current
                && let Some(byte) = page.bytes.get(*at)
            {
                *at += 1;
                return Ok(*byte);
            }
            self.current = Some((self.next_data_page()?, DATA_HEAD_BYTES));
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        let mut taken = Vec::new();
        while taken.len() < count {
            if let Some((page, at)) = &mut self.current {
                let end = page.bytes.len().min(*at + (count - taken.len()));
                taken.extend_from_slice(page.bytes.get(*at..end).unwrap_or_default());
                *at = end;
            }
            if taken.len() < count {
                self.current = Some((self.next_data_page()?, DATA_HEAD_BYTES));
            }
        }
        Ok(taken)
    }

    fn var_i32(&mut self) -> Result<i32, Stop> {
        self.var(5).map(|value| value as i32)
    }

    fn var_i64(&mut self) -> Result<i64, Stop> {
        self.var(10).map(|value| value as i64)
    }

    fn var(&mut self, bytes_max: u32) -> Result<u64, Stop> {
        let mut value = 0u64;
        for step in 0..bytes_max {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * step);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Stop::Refused(refuse("its log has a number of too many bytes")))
    }

    fn next_data_page(&mut self) -> Result<Page, Stop> {
        loop {
            let Some(id) = self.data_pages.next() else {
                self.open_trunk()?;
                continue;
            };
            if self.first_data_page.is_some_and(|first| first != id) {
                continue;
            }
            self.first_data_page = None;
            let page = self.log_page(id, kind::STREAM_DATA)?;
            let key = Bytes::from(&page.bytes, 7).i32();
            return if key == Ok(self.key) { Ok(page) } else { Err(Stop::End) };
        }
    }

    fn open_trunk(&mut self) -> Result<(), Stop> {
        if self.next_trunk == 0 || self.trunks_left == 0 {
            return Err(Stop::End);
        }
        self.trunks_left -= 1;
        self.key = self.key.wrapping_add(1);
        let (page, next, ids) = match self.trunk() {
            // H2 writes the first trunk before the header that names it. Without it the log is not empty but lost, and
            // with it the images that would make the file sound; a copy taken from a running server looks like this.
            Err(Stop::End) if self.previous_trunk == 0 => {
                return Err(Stop::Refused(refuse("the first page of its log is not part of the log")));
            }
            trunk => trunk?,
        };
        if self.first_data_page.is_some_and(|first| !ids.contains(&first)) {
            return Err(Stop::Refused(refuse("the page its log begins with is not part of the log")));
        }
        self.previous_trunk = page;
        self.next_trunk = next;
        self.data_pages = ids.into_iter();
        Ok(())
    }

    /// Reads the next trunk: its page, the page of the trunk after it, and its data pages.
    fn trunk(&self) -> Result<(u32, u32, Vec<u32>), Stop> {
        let page = self.log_page(self.next_trunk, kind::STREAM_TRUNK)?;
        let mut bytes = Bytes::from(&page.bytes, TRUNK_HEAD_BYTES);
        let head = (|| Ok::<_, Fault>((bytes.u32()?, bytes.i32()?, bytes.u32()?, bytes.u16()?)))();
        let Ok((parent, key, next, count)) = head else { return Err(Stop::End) };
        if key != self.key || (self.previous_trunk != 0 && parent != self.previous_trunk) {
            return Err(Stop::End);
        }
        let ids: Result<Vec<u32>, Fault> = (0..count).map(|_| bytes.u32()).collect();
        let ids = ids.map_err(|fault| Stop::Refused(fault.on_page(page.id)))?;
        Ok((page.id, next, ids))
    }

    /// A page of the log. One that was not written before the crash has a wrong kind or checksum, or lies beyond the
    /// file: there the log ends. Failing to read is something else.
    fn log_page(&self, id: u32, kind: u8) -> Result<Page, Stop> {
        match self.pages.page_in_file(id) {
            Ok(page) if page.kind() == kind => Ok(page),
            Ok(_) | Err(Error::BadChecksum { .. } | Error::Truncated { .. }) => Err(Stop::End),
            Err(error) => Err(Stop::Refused(error)),
        }
    }
}
