//! The texts that a sequence refers to by name. Who compiles gathers them; nothing is fetched here.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What people know it by: a path, a registry path. Stands in findings.
    pub file: Arc<str>,
    /// Content.
    pub text: Arc<str>,
}

impl Source {
    /// A text with the name people know it by.
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), text: text.into() }
    }
}

/// Sequences, endpoints and entries by the key that a sequence uses for them.
///
/// A key with a registry prefix (`gov:/apimgt/x.xml`, `conf:/x.xml`) is looked up as written, so add the text under that spelling.
#[derive(Debug, Clone, Default)]
pub struct Library {
    sequences: BTreeMap<String, Source>,
    endpoints: BTreeMap<String, Source>,
    entries: BTreeMap<String, Source>,
}

impl Library {
    /// Without a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sequence that `<sequence key="…"/>` and `onError="…"` can name. The document's own `name` is not looked at: the key counts.
    #[must_use]
    pub fn with_sequence(mut self, key: impl Into<String>, source: Source) -> Self {
        self.sequences.insert(key.into(), source);
        self
    }

    /// Adds an `<endpoint>` document that `<endpoint key="…"/>` can name.
    #[must_use]
    pub fn with_endpoint(mut self, key: impl Into<String>, source: Source) -> Self {
        self.endpoints.insert(key.into(), source);
        self
    }

    /// Adds a local entry or registry resource: the text of a `payloadFactory` format, a script, a schema.
    #[must_use]
    pub fn with_entry(mut self, key: impl Into<String>, source: Source) -> Self {
        self.entries.insert(key.into(), source);
        self
    }

    /// A sequence; a registry resource may be one too.
    #[must_use]
    pub fn sequence(&self, key: &str) -> Option<&Source> {
        self.sequences.get(key).or_else(|| self.entries.get(key))
    }

    /// An endpoint.
    #[must_use]
    pub fn endpoint(&self, key: &str) -> Option<&Source> {
        self.endpoints.get(key).or_else(|| self.entries.get(key))
    }

    /// Texts of all entries by key.
    pub(crate) fn texts(&self) -> BTreeMap<String, Arc<str>> {
        self.entries.iter().map(|(key, source)| (key.clone(), Arc::clone(&source.text))).collect()
    }

    /// An entry.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Source> {
        self.entries.get(key)
    }
}
