//! The file as numbered pages: header, checksums, a small cache, and the overlay a recovery lays over the file.
//!
//! It knows no tables. Pages are read when asked for, so memory does not grow with the file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::bytes::Bytes;
use crate::error::Error;

pub(crate) const MAGIC: &[u8; 16] = b"-- H2 0.5/B -- \n";
const NEWEST_READ_VERSION: u8 = 3;
const HEADER_BYTES: usize = 64;
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// The catalogue of trees always begins here.
pub(crate) const META_ROOT_PAGE: u32 = 4;
const PAGE_COUNT_MIN: u32 = 5;

/// Page kinds, the first byte of every page. A set `LAST` bit means "no page continues this one".
pub(crate) mod kind {
    pub(crate) const EMPTY: u8 = 0;
    pub(crate) const DATA_LEAF: u8 = 1;
    pub(crate) const DATA_NODE: u8 = 2;
    pub(crate) const DATA_OVERFLOW: u8 = 3;
    pub(crate) const STREAM_TRUNK: u8 = 7;
    pub(crate) const STREAM_DATA: u8 = 8;
    pub(crate) const LAST: u8 = 16;
}

/// The two headers: the fixed one on page 0 and the changing one on page 1 (page 2 is its copy).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) page_size: usize,
    pub(crate) write_version: u8,
    pub(crate) read_version: u8,
    pub(crate) log_key: i32,
    /// First trunk page of the redo log; 0 when the database was closed cleanly.
    pub(crate) log_trunk_page: u32,
    pub(crate) log_data_page: u32,
}

/// One page's bytes, always `page_size` long.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) id: u32,
    pub(crate) bytes: Arc<[u8]>,
}

impl Page {
    pub(crate) fn kind(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(kind::EMPTY)
    }
}

/// An open page store file. Reading is behind a lock, so one `Pages` may be shared between threads.
#[derive(Debug)]
pub(crate) struct Pages {
    path: PathBuf,
    header: Header,
    page_count: u32,
    inner: Mutex<Inner>,
    /// Pages as the redo log says they were, by id. They come without checksum.
    overlay: HashMap<u32, Arc<[u8]>>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// A page may only sit in slot `id % cache.len()`: no order to keep, and a table scan cannot make it grow.
    cache: Vec<Option<Page>>,
}

impl Pages {
    pub(crate) fn open(path: &Path, file_max_bytes: u64) -> Result<Pages, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        if bytes > file_max_bytes {
            return Err(Error::FileTooLarge { bytes, limit_bytes: file_max_bytes });
        }
        let mut start = Vec::with_capacity(HEADER_BYTES);
        file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut start).map_err(io)?;
        let (page_size, write_version, read_version) = fixed_header(path, &start)?;

        let page_count = u32::try_from(bytes / page_size as u64).unwrap_or(u32::MAX);
        if page_count < PAGE_COUNT_MIN {
            return Err(Error::Truncated { page: META_ROOT_PAGE, page_count });
        }
        let header = changing_header(&mut file, page_size, write_version, read_version).map_err(|fault| match fault {
            HeaderFault::Io(source) => io(source),
            HeaderFault::BothDamaged => Error::BadHeader { what: "neither page 1 nor its copy on page 2 has a right checksum" },
        })?;
        let slots = (CACHE_BYTES / page_size).max(16);
        Ok(Pages {
            path: path.to_owned(),
            header,
            page_count,
            inner: Mutex::new(Inner { file, cache: vec![None; slots] }),
            overlay: HashMap::new(),
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn page_count(&self) -> u32 {
        self.page_count
    }

    pub(crate) fn page_size(&self) -> usize {
        self.header.page_size
    }

    pub(crate) fn set_overlay(&mut self, overlay: HashMap<u32, Arc<[u8]>>) {
        self.overlay = overlay;
    }

    /// The page as a recovered database has it.
    pub(crate) fn page(&self, id: u32) -> Result<Page, Error> {
        match self.overlay.get(&id) {
            Some(bytes) => Ok(Page { id, bytes: Arc::clone(bytes) }),
            None => self.page_in_file(id),
        }
    }

    /// The page as the file has it, whatever the redo log says.
    pub(crate) fn page_in_file(&self, id: u32) -> Result<Page, Error> {
        if id >= self.page_count {
            return Err(Error::Truncated { page: id, page_count: self.page_count });
        }
        // A thread that panicked while holding the lock cannot have left half a page: slots are written whole.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = id as usize % inner.cache.len();
        if let Some(Some(page)) = inner.cache.get(slot)
            && page.id == id
        {
            return Ok(page.clone());
        }
        let offset = u64::from(id) * self.header.page_size as u64;
        let mut bytes = vec![0; self.header.page_size];
        let read = inner.file.seek(SeekFrom::Start(offset)).and_then(|_| inner.file.read_exact(&mut bytes));
        read.map_err(|source| Error::Io { path: self.path.clone(), source })?;
        if !checksum_matches(&bytes, id) {
            return Err(Error::BadChecksum { page: id, offset });
        }
        let page = Page { id, bytes: bytes.into() };
        if let Some(place) = inner.cache.get_mut(slot) {
            *place = Some(page.clone());
        }
        Ok(page)
    }
}

fn fixed_header(path: &Path, start: &[u8]) -> Result<(usize, u8, u8), Error> {
    if start.starts_with(b"H2encrypt") {
        return Err(Error::Encrypted { path: path.to_owned() });
    }
    if !start.starts_with(MAGIC) {
        return Err(Error::NotH2 { path: path.to_owned() });
    }
    // The first copy of the text is always plain, the second is a salt, the third is encrypted with everything else.
    match start.get(32..48) {
        None => return Err(Error::Truncated { page: 0, page_count: 0 }),
        Some(third) if third != MAGIC => return Err(Error::Encrypted { path: path.to_owned() }),
        Some(_) => {}
    }
    let mut fields = Bytes::from(start, 48);
    let short = |_| Error::Truncated { page: 0, page_count: 0 };
    let page_size = fields.i32().map_err(short)?;
    let write_version = fields.u8().map_err(short)?;
    let read_version = fields.u8().map_err(short)?;
    if read_version > NEWEST_READ_VERSION {
        return Err(Error::UnsupportedVersion { read_version, newest: NEWEST_READ_VERSION });
    }
    if !(64..=32768).contains(&page_size) || page_size & (page_size - 1) != 0 {
        return Err(Error::BadHeader { what: "the page size is not a power of two between 64 and 32768" });
    }
    Ok((page_size as usize, write_version, read_version))
}

enum HeaderFault {
    Io(std::io::Error),
    BothDamaged,
}

fn changing_header(file: &mut File, page_size: usize, write_version: u8, read_version: u8) -> Result<Header, HeaderFault> {
    for copy in [1u64, 2] {
        let mut bytes = vec![0; page_size];
        file.seek(SeekFrom::Start(copy * page_size as u64)).and_then(|_| file.read_exact(&mut bytes)).map_err(HeaderFault::Io)?;
        let mut fields = Bytes::new(&bytes);
        let parts = (|| {
            let sum = fields.u32()?;
            let _write_count = fields.u64()?;
            Ok::<_, crate::error::Fault>((sum, fields.i32()?, fields.u32()?, fields.u32()?))
        })();
        let Ok((sum, log_key, log_trunk_page, log_data_page)) = parts else { continue };
        if bytes.get(4..).is_some_and(|rest| crc32(rest) == sum) {
            return Ok(Header { page_size, write_version, read_version, log_key, log_trunk_page, log_data_page });
        }
    }
    Err(HeaderFault::BothDamaged)
}

/// H2's page checksum looks at seven bytes only (its speed matters more to H2 than its strength), so most damage inside
/// a page is found later, by what the bytes mean.
pub(crate) fn checksum(bytes: &[u8], id: u32) -> [u8; 2] {
    let size = bytes.len();
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    let mut s1 = 255 + byte(0);
    let mut s2 = 255 + s1;
    for at in [6, (size / 2).wrapping_sub(1), size / 2, size.wrapping_sub(2), size.wrapping_sub(1)] {
        s1 += byte(at);
        s2 += s1;
    }
    let fold = |sum: u32| ((sum & 255) + (sum >> 8)) as u8;
    [fold(s1) ^ id as u8, fold(s2) ^ (id >> 8) as u8]
}

fn checksum_matches(bytes: &[u8], id: u32) -> bool {
    bytes.first() == Some(&kind::EMPTY) || bytes.get(1..3) == Some(&checksum(bytes, id)[..])
}

/// The usual CRC-32 (polynomial EDB88320), without a table: it runs over two pages per open file.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_of_the_usual_check_text() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_checksum_depends_on_the_page_id() {
        let page = [1u8; 64];
        assert_ne!(checksum(&page, 5), checksum(&page, 6));
        assert_ne!(checksum(&page, 5), checksum(&page, 5 + 256));
    }

    #[test]
    fn later_and_foreign_files_are_named() {
        let path = Path::new("x.h2.db");
        assert!(matches!(fixed_header(path, b"SQLite format 3\0"), Err(Error::NotH2 { .. })));
        assert!(matches!(fixed_header(path, b""), Err(Error::NotH2 { .. })));
        assert!(matches!(fixed_header(path, MAGIC), Err(Error::Truncated { .. })));
        let mut encrypted = [0u8; 64];
        encrypted[..16].copy_from_slice(MAGIC);
        assert!(matches!(fixed_header(path, &encrypted), Err(Error::Encrypted { .. })));
    }
}
