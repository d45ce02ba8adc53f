//! The file as chunks: which one is the newest that can be trusted, and where the others are.
//!
//! Every commit of the old server appended a chunk, which holds changed pages and the root of the map that lists all chunks and all
//! maps. A server that died may have left a half-written one; then the newest is taken whose list names only chunks that are there,
//! as H2 itself does. It knows no keys and values; those are [`super::tree`]'s.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fields::Fields;
use super::tree::{self, Keys, Page};
use crate::error::Error;

/// Everything in the file begins at a multiple of this.
pub(super) const BLOCK: u64 = 4096;
const FOOTER: u64 = 128;
const CHUNK_HEADER_MAX: usize = 1024;
const NEWEST_FORMAT: u64 = 1;
/// Page headers and lengths on top of the largest row.
const PAGE_SLACK: usize = 1 << 20;
const CACHE_PAGES: usize = 256;
/// Of one cached page; larger ones are read anew.
const CACHED_PAGE_MAX: usize = 64 << 10;

/// A chunk, out of its header or of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) id: u32,
    block: u64,
    /// In blocks.
    length: u64,
    version: u64,
    /// Page of the list's root, 0 for none.
    list_root: u64,
    next: u64,
}

impl Chunk {
    pub(super) fn of(fields: &Fields) -> Option<Chunk> {
        let number = |name| fields.number(name);
        Some(Chunk {
            id: u32::try_from(number("chunk")?).ok()?,
            block: number("block")?,
            length: number("len").filter(|length| *length > 0)?,
            version: number("version").or(number("chunk"))?,
            list_root: number("root").unwrap_or(0),
            next: number("next").unwrap_or(0),
        })
    }
}

/// A page and its position.
type Cached = (u64, Arc<Page>);

/// An open MVStore file, settled on one moment.
#[derive(Debug)]
pub(super) struct Chunks {
    path: PathBuf,
    file: Mutex<File>,
    bytes: u64,
    page_max: usize,
    /// By id, those of the moment settled on. Behind a lock because the list that names them has pages in them itself: while it is
    /// read for the first time they are looked up as they are met.
    chunks: Mutex<HashMap<u32, Chunk>>,
    /// Looked up at this moment; one that is needed to find itself is in a damaged list.
    sought: Mutex<HashSet<u32>>,
    /// Root page of the list.
    list_root: u64,
    pub(super) format: u64,
    /// Newer chunks that could not be trusted.
    pub(super) left_out: usize,
    cache: Mutex<Vec<Option<Cached>>>,
}

impl Chunks {
    pub(super) fn open(path: &Path, file_max_bytes: u64, row_max_bytes: usize) -> Result<Chunks, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        if bytes > file_max_bytes {
            return Err(Error::FileTooLarge { bytes, limit_bytes: file_max_bytes });
        }
        let mut start = Vec::new();
        file.by_ref().take(2 * BLOCK).read_to_end(&mut start).map_err(io)?;
        let headers: Vec<Fields> = start.chunks(BLOCK as usize).filter_map(Fields::checksummed).collect();
        if headers.is_empty() {
            return Err(Error::BadHeader { what: "neither copy of the file header has a right checksum" });
        }
        let newest = headers.iter().max_by_key(|header| header.number("version").unwrap_or(0));
        let format = newest.and_then(|h| h.number("formatRead").or(h.number("format"))).unwrap_or(1);
        if format > NEWEST_FORMAT {
            return Err(Error::MvStoreFormat { path: path.to_owned(), format, newest: NEWEST_FORMAT });
        }
        if newest.and_then(|h| h.number("blockSize")).is_some_and(|size| size != BLOCK) {
            return Err(Error::BadHeader { what: "the block size is not 4096" });
        }
        let mut store = Chunks {
            path: path.to_owned(),
            file: Mutex::new(file),
            bytes,
            page_max: row_max_bytes.saturating_add(PAGE_SLACK),
            chunks: Mutex::default(),
            sought: Mutex::default(),
            list_root: 0,
            format,
            left_out: 0,
            cache: Mutex::new(vec![None; CACHE_PAGES]),
        };
        store.settle(&headers)?;
        Ok(store)
    }

    /// Finds the newest chunk whose list holds.
    fn settle(&mut self, headers: &[Fields]) -> Result<(), Error> {
        let mut candidates: BTreeMap<(u64, u64), Chunk> = BTreeMap::new();
        let mut starts: Vec<u64> = headers.iter().filter_map(|header| header.number("block")).collect();
        // The last bytes of a file whose newest chunk is at its end are that chunk's footer.
        starts.extend(self.footer(self.bytes)?.and_then(|footer| footer.number("block")));
        for start in starts {
            let mut at = start;
            let mut before = None;
            while let Some(chunk) = self.chunk_at(at)? {
                if before.is_some_and(|id| chunk.id <= id) || candidates.insert((chunk.version, u64::MAX - chunk.block), chunk).is_some() {
                    break;
                }
                before = Some(chunk.id);
                at = chunk.next;
            }
        }
        let told = candidates.len();
        if self.try_each(&mut candidates, told)? {
            return Ok(());
        }
        // Neither headers nor footer lead to a whole one: look at every block.
        let seen: HashSet<u64> = candidates.values().map(|chunk| chunk.block).collect();
        for block in 2..self.bytes / BLOCK {
            if !seen.contains(&block)
                && let Some(chunk) = self.chunk_at(block)?
            {
                candidates.insert((chunk.version, u64::MAX - chunk.block), chunk);
            }
        }
        let told = candidates.len();
        if self.try_each(&mut candidates, told)? {
            return Ok(());
        }
        Err(Error::NotClosedCleanly { reason: "no chunk of the file has a list whose chunks are all there".into() })
    }

    /// Takes the newest candidate that holds. Chunks that a list names are candidates themselves, for the case that it does not.
    fn try_each(&mut self, candidates: &mut BTreeMap<(u64, u64), Chunk>, told: usize) -> Result<bool, Error> {
        let mut tried = 0;
        let mut refused: HashSet<u64> = HashSet::new();
        while let Some((_, chunk)) = candidates.pop_last() {
            if !refused.insert(chunk.block) {
                continue;
            }
            tried += 1;
            // Each costs a walk through its list; a file has few that fail.
            if tried > told + 64 {
                break;
            }
            self.chunks = Mutex::new(HashMap::from([(chunk.id, chunk)]));
            self.list_root = chunk.list_root;
            self.forget();
            let Ok(listed) = self.listed() else { continue };
            let mut whole = true;
            for named in listed {
                match self.chunk_at(named.block)? {
                    Some(found) if found.id == named.id => {
                        candidates.insert((found.version, u64::MAX - found.block), found);
                    }
                    _ => whole = false,
                }
                locked(&self.chunks).entry(named.id).or_insert(named);
            }
            if whole {
                self.left_out = refused.len() - 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The chunks named by the list.
    fn listed(&self) -> Result<Vec<Chunk>, Error> {
        let bad = |what| Error::BadChunk { chunk: tree::chunk_of(self.list_root), what };
        let mut found = Vec::new();
        for entry in tree::Walk::new(self, self.list_root, 0, Keys::Text) {
            let entry = entry?;
            let (name, text) = tree::texts(&entry)?;
            if name.starts_with("chunk.") {
                let fields = Fields::parse(&text).ok_or_else(|| bad("the list of chunks cannot be read"))?;
                found.push(Chunk::of(&fields).ok_or_else(|| bad("the list of chunks lacks a number"))?);
            }
        }
        Ok(found)
    }

    /// The list of chunks, maps and roots, by name.
    pub(super) fn list(&self) -> Result<HashMap<String, String>, Error> {
        tree::Walk::new(self, self.list_root, 0, Keys::Text).map(|entry| tree::texts(&entry?)).collect()
    }

    /// The chunk that begins there, when header and footer agree.
    fn chunk_at(&self, block: u64) -> Result<Option<Chunk>, Error> {
        // The first two blocks are the file's headers; 0 says "none".
        let Some(at) = block.checked_mul(BLOCK).filter(|at| block >= 2 && *at < self.bytes) else { return Ok(None) };
        let start = self.read(at, CHUNK_HEADER_MAX)?;
        let Some(end) = start.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let text = start.get(..end).and_then(|text| std::str::from_utf8(text).ok()).map(str::trim);
        let Some(chunk) = text.and_then(Fields::parse).as_ref().and_then(Chunk::of) else { return Ok(None) };
        let end = chunk.block.checked_add(chunk.length).and_then(|end| end.checked_mul(BLOCK)).filter(|end| *end <= self.bytes);
        let Some(end) = end.filter(|_| chunk.block == block) else { return Ok(None) };
        let footer = self.footer(end)?;
        Ok(footer.filter(|footer| footer.number("chunk") == Some(chunk.id.into())).map(|_| chunk))
    }

    fn footer(&self, end: u64) -> Result<Option<Fields>, Error> {
        let Some(at) = end.checked_sub(FOOTER) else { return Ok(None) };
        Ok(Fields::checksummed(&self.read(at, FOOTER as usize)?))
    }

    /// Up to `length` bytes; fewer at the end of the file.
    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Error> {
        let io = |source| Error::Io { path: self.path.clone(), source };
        let length = length.min(usize::try_from(self.bytes.saturating_sub(at)).unwrap_or(usize::MAX));
        let mut bytes = vec![0; length];
        // A seek and a read belong together; a thread that died between them leaves nothing behind that the next seek does not set.
        let mut file = locked(&self.file);
        file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes)).map_err(io)?;
        Ok(bytes)
    }

    pub(super) fn blocks(&self) -> u64 {
        self.bytes / BLOCK
    }

    /// How many pages a tree can have without naming one twice: none is shorter than eight bytes.
    pub(super) fn pages_max(&self) -> u64 {
        self.bytes / 8 + 1
    }

    /// The page at a position, as written for that map.
    pub(super) fn page(&self, position: u64, map: u32) -> Result<Arc<Page>, Error> {
        let slot = usize::try_from(position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap_or(0) % CACHE_PAGES;
        {
            let cache = locked(&self.cache);
            if let Some(Some((at, page))) = cache.get(slot)
                && *at == position
                && page.map == map
            {
                return Ok(Arc::clone(page));
            }
        }
        let page = Arc::new(self.read_page(position, map)?);
        if page.weight() <= CACHED_PAGE_MAX
            && let Some(place) = locked(&self.cache).get_mut(slot)
        {
            *place = Some((position, Arc::clone(&page)));
        }
        Ok(page)
    }

    fn chunk(&self, id: u32) -> Result<Option<Chunk>, Error> {
        if let Some(chunk) = locked(&self.chunks).get(&id) {
            return Ok(Some(*chunk));
        }
        if !locked(&self.sought).insert(id) {
            return Ok(None);
        }
        let text = tree::find_text(self, self.list_root, 0, &format!("chunk.{id:x}"));
        locked(&self.sought).remove(&id);
        let chunk = text?.as_deref().and_then(Fields::parse).as_ref().and_then(Chunk::of).filter(|chunk| chunk.id == id);
        if let Some(chunk) = chunk {
            locked(&self.chunks).insert(id, chunk);
        }
        Ok(chunk)
    }

    fn forget(&self) {
        locked(&self.cache).fill(None);
    }

    fn read_page(&self, position: u64, map: u32) -> Result<Page, Error> {
        let id = tree::chunk_of(position);
        let bad = |what| Error::BadChunk { chunk: id, what };
        let chunk = self.chunk(id)?.ok_or_else(|| bad("it is needed but not in the list of chunks"))?;
        let bounds = (|| {
            let start = chunk.block.checked_mul(BLOCK)?;
            let end = chunk.length.checked_mul(BLOCK)?.checked_add(start)?.min(self.bytes);
            let at = start.checked_add(tree::offset_of(position))?;
            Some((at, end.checked_sub(at)?))
        })();
        let (at, room) = bounds.ok_or_else(|| bad("a page lies behind its end"))?;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let told = match tree::length_of(position) {
            Some(length) => length,
            None => {
                let head = self.read(at, 4)?;
                let length = head.first_chunk().map(|length| u32::from_be_bytes(*length)).ok_or_else(|| bad("a page is cut off"))?;
                usize::try_from(length).map_err(|_| bad("a page has an impossible length"))?
            }
        };
        if told > self.page_max {
            return Err(Error::PageTooLarge { chunk: id, limit_bytes: self.page_max });
        }
        Page::decode(&self.read(at, told.min(room))?, position, map, self.page_max)
    }
}

/// What these locks guard is written whole, so a thread that panicked while it held one left nothing half done.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
