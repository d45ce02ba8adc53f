//! What one run makes on disk before the new installation holds anything, so that it can be taken away again when that fails.

use std::path::{Path, PathBuf};

use super::KEY_FILE;

/// Paths that were not there before.
#[derive(Debug)]
pub(super) struct Made {
    files: Vec<PathBuf>,
    /// The deepest first.
    folders: Vec<PathBuf>,
}

impl Made {
    /// Of a data directory and a database that is a file, before they are made.
    pub(super) fn of(data_dir: &Path, database: Option<&Path>) -> Self {
        // SQLite puts files of its own beside a database.
        let beside = |path: &Path| {
            ["", "-wal", "-shm", "-journal"].map(|end| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            })
        };
        let files = database.into_iter().flat_map(beside).chain([data_dir.join(KEY_FILE)]);
        // A path that cannot be made absolute cannot be made at all.
        let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let folders = data_dir.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned);
        Self { files: files.filter(|file| !file.exists()).collect(), folders: folders.collect() }
    }

    /// Takes away what has been made since; folders only when nobody put anything else into them.
    pub(super) fn undo(self) {
        for file in self.files.iter().filter(|file| file.exists()) {
            if let Err(fault) = std::fs::remove_file(file) {
                tracing::warn!(file = %file.display(), %fault, "made by this run, and cannot be taken away");
            }
        }
        for folder in self.folders.iter().filter(|folder| folder.exists()) {
            if let Err(fault) = std::fs::remove_dir(folder) {
                tracing::warn!(folder = %folder.display(), %fault, "made by this run, and cannot be taken away");
                return;
            }
        }
    }
}
