//! What can be wrong with an archive.

/// Why an archive is not read. Names files of the archive, and nothing of what stands in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// No zip file, or a damaged one.
    #[error("the file is no readable zip archive: {0}")]
    NotZip(String),
    /// More files than are read.
    #[error("the archive has more than {0} entries")]
    TooMany(usize),
    /// Expands to more than is read.
    #[error("the archive expands to more than {0} bytes")]
    TooLarge(usize),
    /// A name that leads out of the archive, or that not every system can write.
    #[error("the archive has an entry with an unsafe name: {0}")]
    UnsafeName(String),
    /// The same name twice: readers would not agree on which counts.
    #[error("the archive has two entries of one name")]
    Duplicate,
    /// A symbolic link.
    #[error("the archive has a symbolic link: {0}")]
    Link(String),
    /// A password is needed.
    #[error("the archive's entry {0} is encrypted")]
    Encrypted(String),
    /// An archive with parameters has no project in it.
    #[error("the archive has parameters and no SourceArchive.zip they are for")]
    NoSource,
    /// A file that there must be.
    #[error("cannot find {0} in the project")]
    Missing(&'static str),
    /// A file that does not read.
    #[error("{file} cannot be read: {words}")]
    Unreadable {
        /// Path in the archive.
        file: String,
        /// What is wrong with it.
        words: String,
    },
    /// A file is of another kind than its place asks for.
    #[error("{file} is of type '{found}'; expected '{expected}'")]
    Type {
        /// Path in the archive.
        file: String,
        /// What it says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// Written by a version whose layout is not known here.
    #[error("{file} is of version '{found}'; projects of v4.0 are read")]
    Version {
        /// Path in the archive.
        file: String,
        /// What it says.
        found: String,
    },
    /// Parameters that cannot be applied.
    #[error("the parameters cannot be applied: {0}")]
    Params(String),
}
