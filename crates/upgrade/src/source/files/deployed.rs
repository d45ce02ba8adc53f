//! What lies deployed on the old gateway: Synapse files by kind and tenant, and the secondary user stores.

use std::path::Path;

use super::{document, read};
use crate::packed::Squeezed;
use crate::source::{Element, SourceError};

/// The super tenant, which has no folder of its own.
pub(super) const SUPER_TENANT: i64 = -1234;
/// Files in one folder at most; beyond it the folder is not a gateway's.
const FILES_MAX: usize = 100_000;

/// A deployed Synapse file. Its bytes, which may hold a backend's password, do not print.
#[derive(Clone, PartialEq)]
pub struct SynapseFile {
    /// -1234 for the super tenant.
    pub tenant_id: i64,
    /// Its folder: `sequences`, `api`, `endpoints`, `proxy-services`, ...
    pub kind: String,
    /// File name without `.xml`; a sequence's own name stands inside.
    pub name: String,
    /// As on disk.
    pub bytes: Squeezed<Vec<u8>>,
}

impl std::fmt::Debug for SynapseFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SynapseFile({}/{} of tenant {})", self.kind, self.name, self.tenant_id)
    }
}

/// A secondary user store's definition.
#[derive(Debug, Clone)]
pub struct UserStoreFile {
    /// -1234 for the super tenant.
    pub tenant_id: i64,
    /// File name.
    pub file: String,
    /// `UserStoreManager` with its properties; holds passwords, does not print.
    pub definition: Element,
}

pub(super) fn synapse(root: &Path) -> Result<Vec<SynapseFile>, SourceError> {
    let mut found = Vec::new();
    for (tenant_id, folder) in tenants(root)? {
        let configs = folder.join("synapse-configs/default");
        for kind in folders(&configs)? {
            for (name, path) in xml_files(&configs.join(&kind))? {
                if let Some(bytes) = read(&path)? {
                    found.push(SynapseFile { tenant_id, kind: kind.clone(), name, bytes: Squeezed::new(&bytes) });
                }
            }
        }
    }
    Ok(found)
}

pub(super) fn user_stores(root: &Path) -> Result<Vec<UserStoreFile>, SourceError> {
    let mut found = Vec::new();
    for (tenant_id, folder) in tenants(root)? {
        for (file, path) in xml_files(&folder.join("userstores"))? {
            if let Some(definition) = document(&path)? {
                found.push(UserStoreFile { tenant_id, file, definition });
            }
        }
    }
    Ok(found)
}

fn tenants(root: &Path) -> Result<Vec<(i64, std::path::PathBuf)>, SourceError> {
    let mut found = vec![(SUPER_TENANT, root.join("repository/deployment/server"))];
    let folder = root.join("repository/tenants");
    for name in folders(&folder)? {
        if let Ok(id) = name.parse() {
            found.push((id, folder.join(name)));
        }
    }
    Ok(found)
}

fn folders(folder: &Path) -> Result<Vec<String>, SourceError> {
    entries(folder, |entry| entry.is_dir()).map(|found| found.into_iter().map(|(name, _)| name).collect())
}

fn xml_files(folder: &Path) -> Result<Vec<(String, std::path::PathBuf)>, SourceError> {
    let found = entries(folder, |path| path.is_file() && path.extension().is_some_and(|e| e == "xml"))?;
    Ok(found.into_iter().map(|(name, path)| (name.trim_end_matches(".xml").to_owned(), path)).collect())
}

/// By name; an absent folder is empty.
pub(super) fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<(String, std::path::PathBuf)>, SourceError> {
    let fail = |cause| SourceError::File { path: folder.to_owned(), cause };
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fail(e)),
    };
    let mut found = Vec::new();
    for entry in listing.take(FILES_MAX) {
        let path = entry.map_err(fail)?.path();
        if let Some(name) = path.file_name().map(|n| n.to_string_lossy().into_owned())
            && wanted(&path)
        {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}
