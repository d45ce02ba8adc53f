//! The data directory: the encryption key and, by default, the database.
//!
//! The key is made once and never overwritten. Where a database is already there and the key is not, a new key would open nothing, so
//! that is an error, not an occasion to make one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Secret;

use crate::DbUrl;

const KEY_FILE: &str = "encryption.key";
const DATABASE_FILE: &str = "tidegate.db";
/// A key file holds 44 characters; anything much longer is something else.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// The data directory, ready for use.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// The data directory or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeFault {
    /// Something that is no directory is in the way.
    #[error("the data directory {} is a file", path.display())]
    NotADirectory {
        /// Where.
        path: PathBuf,
    },
    /// The directory or a file in it cannot be made, read or written.
    #[error("cannot {doing} {}", path.display())]
    Denied {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is a database but no key.
    #[error(
        "{} is missing, but there is a database; put the key file back from your backup (a new key could not read what is stored)",
        key.display()
    )]
    KeyMissing {
        /// Where the key should be.
        key: PathBuf,
    },
    /// The key is not 32 bytes in Base64.
    #[error("the encryption key in {place} must be 32 bytes written in Base64 (44 characters)")]
    KeyMalformed {
        /// The file, or "the environment".
        place: String,
    },
    /// The system gave no random bytes.
    #[error("the operating system gave no random bytes for a new encryption key")]
    NoRandomness,
}

impl DataDir {
    /// Takes the directory at `path`, making it (readable by its owner only) where there is none, and checks that it can be written to.
    ///
    /// # Errors
    /// [`HomeFault::NotADirectory`] or [`HomeFault::Denied`].
    pub fn open_or_create(path: &Path) -> Result<Self, HomeFault> {
        let path = std::path::absolute(path).map_err(|e| denied("find", path, e))?;
        match fs::metadata(&path) {
            Ok(found) if !found.is_dir() => return Err(HomeFault::NotADirectory { path }),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => make(&path)?,
            Err(e) => return Err(denied("open the data directory", &path, e)),
        }
        try_writing(&path)?;
        Ok(Self { path })
    }

    /// The key kept in a directory that is there; writes nothing.
    ///
    /// # Errors
    /// [`HomeFault::KeyMissing`]; [`HomeFault::KeyMalformed`]; [`HomeFault::Denied`].
    pub fn present_key(path: &Path) -> Result<Secret<[u8; 32]>, HomeFault> {
        let file = path.join(KEY_FILE);
        kept_key(&file)?.ok_or(HomeFault::KeyMissing { key: file })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SQLite file used when no other database is configured.
    #[must_use]
    pub fn default_url(&self) -> DbUrl {
        DbUrl::sqlite(&self.path.join(DATABASE_FILE))
    }

    /// The encryption key for [`crate::Sealer::new`]: `given` (Base64, from the environment), else the key file, else a new key written
    /// there. A lost key of a database elsewhere is not seen here; [`crate::Db::open`] refuses the new one then.
    ///
    /// # Errors
    /// [`HomeFault::KeyMissing`] when there is a database here but no key; [`HomeFault::KeyMalformed`]; [`HomeFault::Denied`].
    pub fn encryption_key(&self, given: Option<&Secret<String>>) -> Result<Secret<[u8; 32]>, HomeFault> {
        if let Some(text) = given {
            return decode(text.expose(), "the environment");
        }
        let file = self.path.join(KEY_FILE);
        // Asked before the key is looked for: another process starting now makes the key first and the database after.
        let has_database = self.path.join(DATABASE_FILE).exists();
        match kept_key(&file)? {
            Some(key) => Ok(key),
            None if has_database => Err(HomeFault::KeyMissing { key: file }),
            None => new_key(&file),
        }
    }
}

fn kept_key(file: &Path) -> Result<Option<Secret<[u8; 32]>>, HomeFault> {
    match read_key(file) {
        Ok(text) => decode(text.expose(), &file.display().to_string()).map(Some),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(denied("read", file, e)),
    }
}

/// Makes a key, unless another process was faster, whose key it then is.
fn new_key(file: &Path) -> Result<Secret<[u8; 32]>, HomeFault> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| HomeFault::NoRandomness)?;
    let key = Secret::new(key);
    match write_key(file, &key) {
        Ok(()) => {
            tracing::info!(file = %file.display(), "made a new encryption key; keep a copy of it with your backups");
            Ok(key)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => kept_key(file)?.ok_or_else(|| HomeFault::KeyMissing { key: file.to_owned() }),
        Err(e) => Err(denied("write", file, e)),
    }
}

fn make(path: &Path) -> Result<(), HomeFault> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| denied("make the data directory", path, e))
}

fn try_writing(path: &Path) -> Result<(), HomeFault> {
    let probe = path.join(format!(".probe-{}", uuid::Uuid::new_v4()));
    let tried = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    tried.and_then(|_| fs::remove_file(&probe)).map_err(|e| denied("write to the data directory", path, e))
}

fn read_key(file: &Path) -> io::Result<Secret<String>> {
    let mut text = String::new();
    let opened = File::open(file)?;
    if opened.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "the encryption key can be read by other users of this machine; chmod 600 it");
    }
    opened.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Secret::new(text))
}

/// Writes beside and links into place: a key is there whole or not at all, and one that is there is never overwritten, not even by a second
/// process that starts at the same moment.
fn write_key(file: &Path, key: &Secret<[u8; 32]>) -> io::Result<()> {
    let draft = file.with_extension(format!("key-{}", uuid::Uuid::new_v4()));
    let text = Secret::new(format!("{}\n", STANDARD.encode(key.expose())));
    let written = write_new(&draft, text.expose().as_bytes()).and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    written?;
    file.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn decode(text: &str, place: &str) -> Result<Secret<[u8; 32]>, HomeFault> {
    let malformed = || HomeFault::KeyMalformed { place: place.to_owned() };
    let bytes = Secret::new(STANDARD.decode(text.trim()).map_err(|_| malformed())?);
    bytes.expose().as_slice().try_into().map(Secret::new).map_err(|_| malformed())
}

fn denied(doing: &'static str, path: &Path, source: io::Error) -> HomeFault {
    HomeFault::Denied { doing, path: path.to_owned(), source }
}
