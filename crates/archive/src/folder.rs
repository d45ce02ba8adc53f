//! The files of a project, zipped and unzipped. Every bound on what an archive may do to its reader is here.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::ArchiveError;

/// Most entries, folders included.
const ENTRIES_MAX: usize = 4096;
/// Most bytes, all files expanded; some six times the largest upload.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest path.
const PATH_MAX: usize = 512;
/// Deepest folder.
const DEPTH_MAX: usize = 12;
/// Length of the record that ends a zip file, without its comment.
const END_RECORD: usize = 22;

/// Files by their path from the project's folder, `/` between the parts.
// No `Debug`: a project may hold secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Folder {
    files: BTreeMap<String, Vec<u8>>,
}

impl Folder {
    /// Puts a file there, over an older one.
    pub fn put(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), bytes.into());
    }

    /// A file's bytes.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Takes a file out.
    pub fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(path)
    }

    /// All paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Files directly or deeper below a folder, with what of their path follows it.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let start = format!("{folder}/");
        let range = self.files.range(start..);
        range.map_while(move |(path, bytes)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, bytes.as_slice())))
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The folder as an archive with one root folder. The same files give the same bytes.
    ///
    /// # Errors
    /// [`ArchiveError::TooLarge`] beyond what the format can say.
    pub fn zip(&self, root: &str) -> Result<Vec<u8>, ArchiveError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in &self.files {
            writer.start_file(format!("{root}/{path}"), options).map_err(unwritten)?;
            writer.write_all(bytes).map_err(|_| ArchiveError::TooLarge(BYTES_MAX))?;
        }
        Ok(writer.finish().map_err(unwritten)?.into_inner())
    }

    /// Reads an archive; the one root folder that holds everything, if there is one, is left out of the paths.
    ///
    /// # Errors
    /// [`ArchiveError`]: names that lead elsewhere, links, duplicates, and more than the bounds.
    pub fn unzip(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut room = BYTES_MAX;
        Self::unzip_within(bytes, &mut room)
    }

    /// As [`Folder::unzip`], for an archive in another: what is left of the outer one's bound is all there is.
    pub(crate) fn unzip_within(bytes: &[u8], room: &mut usize) -> Result<Self, ArchiveError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unread)?;
        // The library keeps one of each name; what the file itself says of their number tells the others.
        let said = entries_said(bytes, archive.comment().len())?;
        if said > ENTRIES_MAX {
            return Err(ArchiveError::TooMany(ENTRIES_MAX));
        }
        if said != archive.len() {
            return Err(ArchiveError::Duplicate);
        }
        let mut folder = Self::default();
        for index in 0..archive.len() {
            let mut entry = archive.by_index_raw(index).map_err(unread)?;
            let path = safe(entry.name_raw())?;
            if entry.is_symlink() {
                return Err(ArchiveError::Link(path));
            }
            if entry.encrypted() {
                return Err(ArchiveError::Encrypted(path));
            }
            if entry.is_dir() {
                continue;
            }
            drop(entry);
            entry = archive.by_index(index).map_err(unread)?;
            let mut content = Vec::new();
            // One byte more than there is room for tells too much from just enough, whatever the head says of its length.
            let most = u64::try_from(*room).unwrap_or(u64::MAX).saturating_add(1);
            entry.take(most).read_to_end(&mut content).map_err(|fault| ArchiveError::NotZip(fault.to_string()))?;
            *room = room.checked_sub(content.len()).ok_or(ArchiveError::TooLarge(BYTES_MAX))?;
            if folder.files.insert(path, content).is_some() {
                return Err(ArchiveError::Duplicate);
            }
        }
        folder.without_root();
        Ok(folder)
    }

    /// Expanded bytes an archive may hold, to be shared with archives in it.
    pub(crate) fn room() -> usize {
        BYTES_MAX
    }

    fn without_root(&mut self) {
        let Some(root) = self.files.keys().next().and_then(|first| first.split_once('/')).map(|(root, _)| format!("{root}/")) else {
            return;
        };
        if self.files.keys().all(|path| path.starts_with(&root)) {
            self.files = std::mem::take(&mut self.files)
                .into_iter()
                .map(|(path, bytes)| (path.strip_prefix(&root).map(str::to_owned).unwrap_or(path), bytes))
                .collect();
        }
    }
}

/// How many entries the record at the end announces.
fn entries_said(bytes: &[u8], comment: usize) -> Result<usize, ArchiveError> {
    let start = bytes.len().checked_sub(END_RECORD + comment);
    let record = start.and_then(|start| bytes.get(start..)).filter(|record| record.starts_with(b"PK\x05\x06"));
    match record {
        Some(&[_, _, _, _, _, _, _, _, _, _, low, high, ..]) => Ok(usize::from(u16::from_le_bytes([low, high]))),
        _ => Err(ArchiveError::NotZip("its end is not where it should be".to_owned())),
    }
}

/// A path that stays below its folder on every system.
fn safe(raw: &[u8]) -> Result<String, ArchiveError> {
    let name = std::str::from_utf8(raw).map_err(|_| ArchiveError::UnsafeName(String::from_utf8_lossy(raw).into_owned()))?;
    let unsafe_name = || ArchiveError::UnsafeName(name.chars().take(PATH_MAX).filter(|c| !c.is_control()).collect());
    let path = name.strip_suffix('/').unwrap_or(name);
    let parts: Vec<&str> = path.split('/').collect();
    let fine = name.len() <= PATH_MAX
        && parts.len() <= DEPTH_MAX
        && !name.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
        && parts.iter().all(|part| !matches!(*part, "" | "." | ".."));
    if fine { Ok(path.to_owned()) } else { Err(unsafe_name()) }
}

fn unread(fault: zip::result::ZipError) -> ArchiveError {
    ArchiveError::NotZip(fault.to_string())
}

fn unwritten(_: zip::result::ZipError) -> ArchiveError {
    ArchiveError::TooLarge(BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        let mut folder = Folder::default();
        files.iter().for_each(|(path, text)| folder.put(*path, text.as_bytes()));
        folder
    }

    /// An archive with any names.
    fn named(names: &[&[u8]]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let stand_ins: Vec<Vec<u8>> = (0..names.len()).map(|i| format!("{i:0width$}", width = names[i].len()).into_bytes()).collect();
        for stand_in in &stand_ins {
            writer.start_file(String::from_utf8(stand_in.clone()).unwrap(), SimpleFileOptions::default()).unwrap();
            writer.write_all(b"x").unwrap();
        }
        let mut bytes = writer.finish().unwrap().into_inner();
        for (stand_in, name) in stand_ins.iter().zip(names) {
            let found: Vec<usize> = (0..bytes.len() - stand_in.len()).filter(|at| bytes[*at..].starts_with(stand_in)).collect();
            for at in found {
                bytes[at..at + name.len()].copy_from_slice(name);
            }
        }
        bytes
    }

    #[test]
    fn what_is_zipped_reads_the_same_and_is_the_same_bytes_again() {
        let there = folder(&[("api.yaml", "a"), ("Docs/d/document.yaml", "b"), ("Docs/d/file", "")]);
        let bytes = there.zip("Pizza-1.0.0").unwrap();
        let read = Folder::unzip(&bytes).unwrap();
        assert!(read == there);
        assert_eq!(read.zip("Pizza-1.0.0").unwrap(), bytes);
        let below: Vec<_> = read.below("Docs").map(|(path, _)| path).collect();
        assert_eq!(below, ["d/document.yaml", "d/file"]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in
            [&b"../../etc/x"[..], b"aaa/../../xxxx", b"/etc/passwdx", b"aaa\\..\\..\\bb", b"c:/windows/x", b"aaaa//bbbb", b"aaa/\x07bb/cc"]
        {
            let refused = Folder::unzip(&named(&[name]));
            assert!(matches!(refused, Err(ArchiveError::UnsafeName(_))), "{}", String::from_utf8_lossy(name));
        }
        assert!(matches!(Folder::unzip(&named(&[b"aaaa/\xff\xfebbb"])), Err(ArchiveError::UnsafeName(_))));
        assert!(Folder::unzip(&named(&[b"aaaa/bbbbb"])).is_ok());
    }

    #[test]
    fn one_name_twice_is_refused() {
        assert_eq!(Folder::unzip(&named(&[b"root/api.yaml", b"root/api.yaml"])).err(), Some(ArchiveError::Duplicate));
    }

    #[test]
    fn links_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("root/api.yaml", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        assert_eq!(Folder::unzip(&bytes).err(), Some(ArchiveError::Link("root/api.yaml".to_owned())));
    }

    #[test]
    fn a_bomb_is_not_expanded() {
        let mut there = Folder::default();
        there.put("zeros", vec![0; BYTES_MAX + 1]);
        let bytes = there.zip("root").unwrap();
        assert!(bytes.len() < 100 * 1024, "{}", bytes.len());
        assert_eq!(Folder::unzip(&bytes).err(), Some(ArchiveError::TooLarge(BYTES_MAX)));
        let many = folder(&(0..=ENTRIES_MAX).map(|i| (Box::leak(format!("f{i}").into_boxed_str()) as &str, "")).collect::<Vec<_>>());
        assert_eq!(Folder::unzip(&many.zip("root").unwrap()).err(), Some(ArchiveError::TooMany(ENTRIES_MAX)));
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        for bytes in [&b""[..], b"PK", b"type: api"] {
            assert!(matches!(Folder::unzip(bytes), Err(ArchiveError::NotZip(_))));
        }
        let whole = folder(&[("api.yaml", "abc")]).zip("r").unwrap();
        for cut in 0..whole.len() {
            assert!(Folder::unzip(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
