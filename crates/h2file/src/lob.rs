//! Fetches large objects from their two homes: files beside the database, and blocks inside it.
//!
//! Each object is returned whole, up to a limit, and checked against the length its row gives: a copy that lost its tail
//! must not be taken for a shorter object.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::bytes::Bytes;
use crate::data;
use crate::error::Error;
use crate::inflate;
use crate::lzf;
use crate::page::MAGIC;
use crate::schema::Table;
use crate::store::Store;
use crate::tree::RawRow;
use crate::value::{LobKind, LobPlace, LobRef, Value};

const FILES_PER_FOLDER: i32 = 256;
const FOLDER_SUFFIX: &str = ".lobs.db";
const FILE_HEADER_BYTES: usize = 48;
const FILE_BLOCK_BYTES: usize = 16;

/// A block inside the database holds at most 20,000 bytes before compression; the bound is generous to other builds.
const BLOCK_MAX_BYTES: usize = 16 * 1024 * 1024;

const COMPRESS_NONE: u8 = 0;
const COMPRESS_LZF: u8 = 1;
const COMPRESS_DEFLATE: u8 = 2;

/// For each object its blocks: place in the object, and number.
type BlockMap = HashMap<i64, Vec<(i32, i64)>>;

/// Where this database keeps its large objects.
#[derive(Debug)]
pub(crate) struct Lobs {
    /// `<name>.lobs.db` beside the database file. It need not exist.
    folder: PathBuf,
    max_bytes: u64,
    blocks: Option<BlockTables>,
    /// For each object its blocks in order, read from the map table the first time one is asked for.
    map: OnceLock<BlockMap>,
}

/// The three tables of the in-database home, and the places of the columns that matter.
#[derive(Debug, Clone, Copy)]
struct BlockTables {
    map_id: i32,
    map_lob: usize,
    map_seq: usize,
    map_block: usize,
    data_id: i32,
    data_compressed: usize,
    data_content: usize,
    lobs_id: i32,
    lobs_byte_count: usize,
}

impl BlockTables {
    fn find(tables: &[Table]) -> Option<BlockTables> {
        let table = |name: &str| tables.iter().find(|table| table.schema == "INFORMATION_SCHEMA" && table.name == name);
        let (map, blocks, lobs) = (table("LOB_MAP")?, table("LOB_DATA")?, table("LOBS")?);
        // Blocks and objects are found by their number, which must therefore be the row's key.
        if blocks.key_column != blocks.column("BLOCK") || lobs.key_column != lobs.column("ID") {
            return None;
        }
        Some(BlockTables {
            map_id: map.id,
            map_lob: map.column("LOB")?,
            map_seq: map.column("SEQ")?,
            map_block: map.column("BLOCK")?,
            data_id: blocks.id,
            data_compressed: blocks.column("COMPRESSED")?,
            data_content: blocks.column("DATA")?,
            lobs_id: lobs.id,
            lobs_byte_count: lobs.column("BYTE_COUNT")?,
        })
    }
}

impl Lobs {
    pub(crate) fn new(folder: PathBuf, max_bytes: u64, tables: &[Table]) -> Lobs {
        Lobs { folder, max_bytes, blocks: BlockTables::find(tables), map: OnceLock::new() }
    }

    /// The object as a value.
    pub(crate) fn value(&self, store: &Store, lob: &LobRef) -> Result<Value, Error> {
        let bytes = self.bytes(store, lob)?;
        Ok(match lob.kind {
            LobKind::Blob => Value::Blob(bytes),
            LobKind::Clob => Value::Clob(text(bytes, lob)?),
        })
    }

    fn bytes(&self, store: &Store, lob: &LobRef) -> Result<Vec<u8>, Error> {
        let bytes = match lob.place {
            LobPlace::File { table_id, object_id, compressed } => self.file_bytes(&self.file_path(table_id, object_id), compressed)?,
            LobPlace::Blocks { lob: number } => self.block_bytes(store, number, lob)?,
        };
        if lob.kind == LobKind::Blob && lob.length > 0 && bytes.len() as u64 != lob.length.unsigned_abs() {
            return Err(Error::LobLength {
                object: self.name(lob),
                unit: "bytes",
                found: bytes.len() as u64,
                expected: lob.length.unsigned_abs(),
            });
        }
        Ok(bytes)
    }

    fn name(&self, lob: &LobRef) -> String {
        match lob.place {
            LobPlace::File { table_id, object_id, .. } => self.file_path(table_id, object_id).display().to_string(),
            LobPlace::Blocks { lob } => lob.to_string(),
        }
    }

    /// Objects are numbered; the digits of the number in base 256, but the last, name nested folders.
    fn file_path(&self, table_id: i32, object_id: i32) -> PathBuf {
        let mut folders = Vec::new();
        let mut rest = object_id / FILES_PER_FOLDER;
        while rest > 0 {
            folders.push(format!("{}{FOLDER_SUFFIX}", rest % FILES_PER_FOLDER));
            rest /= FILES_PER_FOLDER;
        }
        let mut path = self.folder.clone();
        path.extend(folders.iter().rev());
        path.join(format!("{object_id}.t{table_id}.lob.db"))
    }

    fn file_bytes(&self, path: &Path, compressed: bool) -> Result<Vec<u8>, Error> {
        let object = || path.display().to_string();
        let bad = |what| Error::BadLob { object: object(), what };
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(if self.folder.is_dir() {
                    Error::LobFileMissing { file: path.to_owned() }
                } else {
                    Error::LobFolderMissing { folder: self.folder.clone() }
                });
            }
            Err(error) => return Err(io(error)),
        };
        // Each chunk costs at most one block of padding and lengths on top of its content.
        let limit = self.max_bytes.saturating_mul(2).saturating_add(1024);
        let length = file.metadata().map_err(io)?.len();
        if length > limit {
            return Err(Error::LobTooLarge { object: object(), bytes: length, limit_bytes: self.max_bytes });
        }
        let mut whole = Vec::new();
        file.take(limit).read_to_end(&mut whole).map_err(io)?;
        match whole.get(..FILE_HEADER_BYTES) {
            Some(header) if !header.starts_with(MAGIC) => return Err(bad("its file has no H2 header")),
            Some(header) if !header.ends_with(MAGIC) => return Err(bad("its file is encrypted")),
            Some(_) => {}
            None => return Err(bad("its file is shorter than a header")),
        }
        let mut content = Vec::new();
        let mut at = FILE_HEADER_BYTES;
        while at < whole.len() {
            let short = |_| bad("its file ends within a chunk");
            let mut bytes = Bytes::from(&whole, at);
            let length = usize::try_from(bytes.i32().map_err(short)?).map_err(|_| bad("a chunk has a negative length"))?;
            if length == 0 {
                return Err(bad("a chunk is empty"));
            }
            let expanded = if compressed { Some(bytes.u32().map_err(short)?) } else { None };
            let chunk = bytes.take(length).map_err(short)?;
            let lengths = if compressed { 8 } else { 4 };
            match expanded {
                Some(expanded) => content.extend(self.expand(chunk, Some(expanded), &object())?),
                None => content.extend_from_slice(chunk),
            }
            if content.len() as u64 > self.max_bytes {
                let bytes = content.len() as u64;
                return Err(Error::LobTooLarge { object: object(), bytes, limit_bytes: self.max_bytes });
            }
            // The writer leaves room for two bytes it does not use, then fills the block.
            at += (lengths + length + 2).div_ceil(FILE_BLOCK_BYTES) * FILE_BLOCK_BYTES;
        }
        Ok(content)
    }

    fn block_bytes(&self, store: &Store, lob: i64, reference: &LobRef) -> Result<Vec<u8>, Error> {
        let tables = self.blocks.as_ref().ok_or(Error::LobPartMissing { lob, part: "table of blocks" })?;
        let blocks = self.map(store, tables)?.get(&lob).map(Vec::as_slice).unwrap_or_default();
        let object = lob.to_string();
        let byte_count = match (reference.kind, u64::try_from(reference.length)) {
            // A row tells a blob's length in bytes, so the entry in LOBS is not needed; H2 does not look at it either.
            (LobKind::Blob, Ok(length @ 1..)) => length,
            _ => {
                let entry = self.fields(store, tables.lobs_id, lob, [tables.lobs_byte_count])?;
                let [count] = entry.ok_or(Error::LobPartMissing { lob, part: "entry in LOBS" })?;
                let count = count.as_i64().and_then(|count| u64::try_from(count).ok());
                count.ok_or_else(|| Error::BadLob { object: object.clone(), what: "it has no length" })?
            }
        };
        if byte_count > 0 && blocks.is_empty() {
            return Err(Error::LobPartMissing { lob, part: "block" });
        }
        if byte_count > self.max_bytes {
            return Err(Error::LobTooLarge { object, bytes: byte_count, limit_bytes: self.max_bytes });
        }
        let mut content = Vec::new();
        for (expected, (seq, block)) in blocks.iter().enumerate() {
            if usize::try_from(*seq) != Ok(expected) {
                return Err(Error::LobPartMissing { lob, part: "block in the middle" });
            }
            let columns = [tables.data_compressed, tables.data_content];
            let [compressed, part] =
                self.fields(store, tables.data_id, *block, columns)?.ok_or(Error::LobPartMissing { lob, part: "block in LOB_DATA" })?;
            let Value::Bytes(part) = part else {
                return Err(Error::BadLob { object, what: "one of its blocks has no bytes" });
            };
            if compressed.as_i64() == Some(0) {
                content.extend(part);
            } else {
                content.extend(self.expand(&part, None, &object)?);
            }
            if content.len() as u64 > byte_count {
                break;
            }
        }
        if content.len() as u64 != byte_count {
            let found = content.len() as u64;
            return Err(Error::LobLength { object, unit: "bytes", found, expected: byte_count });
        }
        Ok(content)
    }

    /// The blocks of all objects. Memory: 16 bytes and some for each block of 20,000 bytes.
    fn map(&self, store: &Store, tables: &BlockTables) -> Result<&BlockMap, Error> {
        if let Some(map) = self.map.get() {
            return Ok(map);
        }
        let mut map: BlockMap = HashMap::new();
        for raw in store.rows(tables.map_id).into_iter().flatten() {
            let raw = raw?;
            let [lob, seq, block] = fields(&raw, tables.map_id, [tables.map_lob, tables.map_seq, tables.map_block])?;
            let bad = || Error::BadRow { table_id: tables.map_id, key: raw.key, offset: 0, what: "a number was expected" };
            let seq = seq.as_i64().and_then(|seq| i32::try_from(seq).ok()).ok_or_else(bad)?;
            map.entry(lob.as_i64().ok_or_else(bad)?).or_default().push((seq, block.as_i64().ok_or_else(bad)?));
        }
        for blocks in map.values_mut() {
            blocks.sort_unstable();
        }
        Ok(self.map.get_or_init(|| map))
    }

    fn fields<const N: usize>(&self, store: &Store, table_id: i32, key: i64, columns: [usize; N]) -> Result<Option<[Value; N]>, Error> {
        store.find(table_id, key)?.map(|raw| fields(&raw, table_id, columns)).transpose()
    }

    /// Expands a compressed chunk: a byte for the method, the length, then the packed bytes.
    fn expand(&self, chunk: &[u8], expected: Option<u32>, object: &str) -> Result<Vec<u8>, Error> {
        let bad = |what| Error::BadLob { object: object.to_owned(), what };
        let mut bytes = Bytes::new(chunk);
        let short = |_| bad("a compressed chunk ends too early");
        let method = bytes.u8().map_err(short)?;
        let length = compressed_length(&mut bytes).map_err(short)? as usize;
        if length > BLOCK_MAX_BYTES || expected.is_some_and(|expected| expected as usize != length) {
            return Err(bad("a compressed chunk has an impossible length"));
        }
        let rest = bytes.remaining();
        let packed = bytes.take(rest).map_err(short)?;
        match method {
            COMPRESS_NONE if packed.len() >= length => Ok(packed.iter().take(length).copied().collect()),
            COMPRESS_LZF => lzf::expand(packed, length).ok_or_else(|| bad("a compressed chunk does not expand")),
            COMPRESS_DEFLATE => inflate::expand(packed, length).ok_or_else(|| bad("a compressed chunk does not expand")),
            COMPRESS_NONE => Err(bad("a compressed chunk ends too early")),
            method => Err(Error::LobCompression { object: object.to_owned(), method }),
        }
    }
}

/// The length in front of compressed bytes: the count of leading one bits tells how many bytes follow the first.
fn compressed_length(bytes: &mut Bytes<'_>) -> Result<u32, crate::error::Fault> {
    let first = bytes.u8()?;
    let (mut length, more) = match first {
        0..=0x7f => (u32::from(first), 0),
        0x80..=0xbf => (u32::from(first & 0x3f), 1),
        0xc0..=0xdf => (u32::from(first & 0x1f), 2),
        0xe0..=0xef => (u32::from(first & 0x0f), 3),
        _ => (0, 4),
    };
    for _ in 0..more {
        length = length << 8 | u32::from(bytes.u8()?);
    }
    Ok(length)
}

/// Some columns of a row, decoding no further than the last of them.
fn fields<const N: usize>(raw: &RawRow, table_id: i32, columns: [usize; N]) -> Result<[Value; N], Error> {
    let mut found = [const { Value::Null }; N];
    let last = columns.iter().copied().max().unwrap_or(0);
    let mut bytes = raw.bytes();
    for at in 0..=last {
        let value = data::value(&mut bytes).map_err(|fault| fault.in_row(table_id, raw.key))?;
        if let Some(place) = columns.iter().position(|column| *column == at)
            && let Some(slot) = found.get_mut(place)
        {
            *slot = value;
        }
    }
    Ok(found)
}

pub(crate) fn text(bytes: Vec<u8>, lob: &LobRef) -> Result<String, Error> {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let units = text.chars().map(|c| c.len_utf16() as u64).sum::<u64>();
            if lob.length > 0 && units != lob.length.unsigned_abs() {
                let object = format!("{:?}", lob.place);
                return Err(Error::LobLength { object, unit: "characters", found: units, expected: lob.length.unsigned_abs() });
            }
            Ok(text)
        }
        // The old server showed unreadable bytes as U+FFFD too; the length can then not be compared.
        Err(error) => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_numbers_become_nested_folders() {
        let lobs = Lobs::new(PathBuf::from("X.lobs.db"), 1, &[]);
        assert_eq!(lobs.file_path(12, 3), Path::new("X.lobs.db/3.t12.lob.db"));
        assert_eq!(lobs.file_path(12, 515), Path::new("X.lobs.db/2.lobs.db/515.t12.lob.db"));
        assert_eq!(lobs.file_path(1, 65536 + 5), Path::new("X.lobs.db/1.lobs.db/0.lobs.db/65541.t1.lob.db"));
    }

    #[test]
    fn lengths_before_compressed_bytes() {
        for (bytes, length) in [(&[0x7f][..], 0x7f), (&[0x81, 2], 0x102), (&[0xc1, 2, 3], 0x10203), (&[0xe1, 2, 3, 4], 0x1020304)] {
            assert_eq!(compressed_length(&mut Bytes::new(bytes)), Ok(length));
        }
        assert!(compressed_length(&mut Bytes::new(&[0xf0, 1])).is_err());
    }
}
