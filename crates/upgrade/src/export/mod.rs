//! Writes project archives of 4.0.0 from what an old installation translates to, for those who stay with the vendor.
//!
//! One road: what is exported is what would be taken over ([`crate::translate`]), so findings and accounts are those of `assess`. Bytes of
//! files come in the registry's order and are laid aside in the folder first; then one API and one application at a time is held.
//! What the archives cannot hold is written down beside them ([`left`]).

mod apis;
mod applications;
mod left;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub use archive::Format;
use archive::{ArchiveError, Folder, file_safe};
use model::{ApiId, TenantId};

use crate::old::registry::Registry;
use crate::plan::PlanError;
use crate::translate::Translation;
use left::Left;

/// Where and how to export.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// A folder that is not there yet, or empty.
    pub to: PathBuf,
    /// YAML or JSON.
    pub format: Format,
    /// Write backends' passwords and clients' secrets too. The folder is then as secret as they are.
    pub with_secrets: bool,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Archives of APIs.
    pub apis: u64,
    /// Archives of applications.
    pub applications: u64,
    /// Subscriptions in them.
    pub subscriptions: u64,
    /// Secrets that were left out for want of `with_secrets`.
    pub secrets_left_out: u64,
}

/// Why nothing, or not all, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something must be settled first.
    #[error("the old installation cannot be exported as it is; `assess` tells what must be settled first")]
    Blocked,
    /// What is in the folder would be mixed with what is written.
    #[error("the folder {} is not empty; name one that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// Writing failed.
    #[error("cannot write {}; what was written until then stays: remove the folder before you export into it again", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// The folder cannot be made, or is none.
    #[error("{} cannot be written into; name a folder that is not there yet, in one that is", .0.display())]
    NoFolder(PathBuf, #[source] io::Error),
    /// An API is too large for an archive.
    #[error("{0} cannot be archived")]
    Archive(String, #[source] ArchiveError),
    /// Reading files from the old registry failed.
    #[error("the files of the old registry cannot be read")]
    Source(#[from] PlanError),
}

impl Wanted {
    /// Whether the folder is free. Asked before the source is read, which may take long.
    ///
    /// # Errors
    ///
    /// [`ExportError::NotEmpty`], [`ExportError::NoFolder`].
    pub fn is_free(&self) -> Result<(), ExportError> {
        let mut entries = match fs::read_dir(&self.to) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|fault| ExportError::NoFolder(self.to.clone(), fault))?,
        };
        match entries.next() {
            Some(_) => Err(ExportError::NotEmpty(self.to.clone())),
            None => Ok(()),
        }
    }
}

/// Writes everything.
///
/// # Errors
///
/// [`ExportError`]. What was written until then stays, and is told by the missing `NOT-EXPORTED.md`.
pub async fn export(translation: &Translation, registry: &Registry, wanted: &Wanted) -> Result<Exported, ExportError> {
    if translation.is_blocked() {
        return Err(ExportError::Blocked);
    }
    let mut desk = Desk::open(translation, wanted)?;
    let files = apis::lay_aside(&mut desk, registry).await?;
    apis::write(&mut desk, &files)?;
    applications::write(&mut desk)?;
    let aside = desk.wanted.to.join(ASIDE);
    fs::remove_dir_all(&aside).map_err(|fault| ExportError::Write(aside, fault))?;
    let words = left::told(&desk.left, translation, desk.done);
    desk.put(&wanted.to.join("NOT-EXPORTED.md"), words.as_bytes())?;
    Ok(desk.done)
}

/// Folder in the folder for files that wait for their API.
const ASIDE: &str = ".laid-aside";

/// What the parts of an export share.
struct Desk<'a> {
    translation: &'a Translation,
    wanted: &'a Wanted,
    domains: HashMap<TenantId, &'a str>,
    exported: HashSet<ApiId>,
    taken: BTreeSet<PathBuf>,
    left: Left,
    done: Exported,
}

impl<'a> Desk<'a> {
    fn open(translation: &'a Translation, wanted: &'a Wanted) -> Result<Self, ExportError> {
        wanted.is_free()?;
        let mut domains: HashMap<TenantId, &str> = translation.tenants.iter().map(|t| (t.value.id, t.value.domain.as_str())).collect();
        domains.insert(TenantId::SUPER, model::SUPER_TENANT_DOMAIN);
        let (taken, left, done) = (BTreeSet::new(), Left::default(), Exported::default());
        let desk = Self { translation, wanted, domains, exported: HashSet::new(), taken, left, done };
        match desk.folder(&wanted.to.join(ASIDE)) {
            Err(ExportError::Write(_, fault)) => Err(ExportError::NoFolder(wanted.to.clone(), fault)),
            made => made.map(|()| desk),
        }
    }

    fn domain(&self, tenant: TenantId) -> &'a str {
        self.domains.get(&tenant).copied().unwrap_or(model::SUPER_TENANT_DOMAIN)
    }

    /// `<tenant>/<kind>/<stem>.zip`; where two names look alike once they are file names, the later one gets a number.
    fn place(&mut self, tenant: TenantId, kind: &str, stem: &str) -> PathBuf {
        let folder = self.wanted.to.join(file_safe(self.domain(tenant))).join(kind);
        let stem = file_safe(stem);
        let mut path = folder.join(format!("{stem}.zip"));
        let mut more = 2;
        // Some systems do not tell letter cases apart.
        while !self.taken.insert(PathBuf::from(path.to_string_lossy().to_lowercase())) {
            path = folder.join(format!("{stem}_{more}.zip"));
            more += 1;
        }
        path
    }

    fn archive(&self, path: &Path, folder: &Folder, root: &str) -> Result<(), ExportError> {
        let bytes = folder.zip(root).map_err(|fault| ExportError::Archive(root.to_owned(), fault))?;
        self.put(path, &bytes)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
        let unwritten = |fault| ExportError::Write(path.to_owned(), fault);
        if let Some(folder) = path.parent() {
            self.folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).and_then(|mut file| file.write_all(bytes)).map_err(unwritten)
    }

    /// Sequences and definitions may hold passwords, so the folders are their owner's alone.
    fn folder(&self, path: &Path) -> Result<(), ExportError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|fault| ExportError::Write(path.to_owned(), fault))
    }
}
