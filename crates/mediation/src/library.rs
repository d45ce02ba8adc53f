//! The texts that a sequence refers to by name. Who compiles gathers them; nothing is fetched here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::mediators::validate::Schemas;
use crate::obstacle::Note;
use crate::xml;
use crate::xslt::Stylesheet;

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

/// Which of the old product's mediation engines sequences were written for. Where they differ is said at the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Of 1.8 and 1.9: a `payloadFactory` leaves the message's type as it was, so that an XML format answers a JSON request in JSON unless a
    /// `messageType` follows.
    V1,
    /// Of 1.10, 2.x and later: a `payloadFactory` makes the message one of its own type.
    #[default]
    V2,
}

/// Sequences, endpoints and entries by the key that a sequence uses for them.
///
/// A key with a registry prefix (`gov:/apimgt/x.xml`, `conf:/x.xml`) is looked up as written, so add the text under that spelling.
#[derive(Debug, Clone, Default)]
pub struct Library {
    dialect: Dialect,
    sequences: BTreeMap<String, Source>,
    endpoints: BTreeMap<String, Source>,
    entries: BTreeMap<String, Source>,
    templates: BTreeMap<String, Source>,
    made: Made,
}

/// What entries were compiled to. Sequences of many APIs name the same ones, and a stylesheet or schema is dear to make and to hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    pub(crate) sheets: Once<Stylesheet>,
    pub(crate) schemas: Once<Schemas>,
}

/// Values made once for all programs of a library.
#[derive(Debug)]
pub(crate) struct Once<T>(Arc<Mutex<ByName<T>>>);

type ByName<T> = BTreeMap<String, (Arc<T>, Vec<Note>)>;

impl<T> Clone for Once<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Once<T> {
    /// The value of a name with the notes that belong to it; made by `make` the first time. One that cannot be made is tried again.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> Option<(T, Vec<Note>)>) -> Option<(Arc<T>, Vec<Note>)> {
        // A map that a thread left behind in the middle of an insertion is whole: values go in as one.
        if let Some((value, notes)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some((Arc::clone(value), notes.clone()));
        }
        let (value, notes) = make()?;
        let value = Arc::new(value);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), (Arc::clone(&value), notes.clone()));
        Some((value, notes))
    }
}

impl Library {
    /// Without a text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which engine the sequences were written for; [`Dialect::V2`] without.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Which engine the sequences were written for.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
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
        self.made = Made::default();
        self
    }

    /// Keys of all sequences.
    pub(crate) fn sequence_keys(&self) -> Vec<String> {
        self.sequences.keys().cloned().collect()
    }

    /// Adds a `<localEntry key="…">` document under its own key: what stands inside, as text or as XML; or a `<template name="…">` document
    /// under its name. One that is no such document, or is empty because it names a `src`, adds nothing.
    #[must_use]
    pub fn with_local_entry(self, document: &Source) -> Self {
        if let Some(name) = template_name(&document.text) {
            let mut library = self;
            library.templates.insert(name, document.clone());
            return library;
        }
        let Some((key, text)) = local_entry(&document.text) else { return self };
        self.with_entry(key, Source::new(Arc::clone(&document.file), text))
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

    /// A template; a registry resource may be one too.
    #[must_use]
    pub fn template(&self, name: &str) -> Option<&Source> {
        self.templates.get(name).or_else(|| self.entries.get(name))
    }

    /// All entries by key.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.entries.iter().map(|(key, source)| (key.as_str(), source))
    }

    /// Texts of all entries by key.
    pub(crate) fn texts(&self) -> BTreeMap<String, Arc<str>> {
        self.entries.iter().map(|(key, source)| (key.clone(), Arc::clone(&source.text))).collect()
    }

    pub(crate) fn made(&self) -> &Made {
        &self.made
    }

    /// An entry.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Source> {
        self.entries.get(key)
    }
}

/// Key of what lies at a path beside the document of a key.
#[must_use]
pub fn beside(key: &str, path: &str) -> Option<String> {
    let (folder, _) = key.rsplit_once('/')?;
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn template_name(document: &str) -> Option<String> {
    xml::read(document).ok().filter(|root| root.name == "template")?.attribute("name").map(|name| name.trim().to_owned())
}

/// Key and content of a local entry.
fn local_entry(document: &str) -> Option<(String, String)> {
    let root = xml::read(document).ok().filter(|root| root.name == "localEntry")?;
    let key = root.attribute("key")?.to_owned();
    if root.elements().next().is_none() {
        let text: String =
            root.children.iter().filter_map(|node| if let xml::Node::Text(text) = node { Some(text.as_str()) } else { None }).collect();
        let text = text.trim();
        return (!text.is_empty()).then(|| (key, text.to_owned()));
    }
    // XML is kept as the author wrote it: from the end of the root's start tag to the beginning of its end tag.
    let document = document.trim_start_matches('\u{feff}');
    let mut reader = Reader::from_str(document);
    let (mut depth, mut from) = (0_usize, 0_usize);
    loop {
        let at = usize::try_from(reader.buffer_position()).ok()?;
        match reader.read_event().ok()? {
            Event::Start(_) => {
                depth += 1;
                if depth == 1 {
                    from = usize::try_from(reader.buffer_position()).ok()?;
                }
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((key, document.get(from..at)?.trim().to_owned()));
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_entry_is_what_stands_inside() {
        let library = |text: &str| Library::new().with_local_entry(&Source::new("f", text));
        let of = |text: &str| library(text).entry("k").map(|s| s.text.to_string());
        assert_eq!(of("<localEntry xmlns='u' key='k'> a &lt; <![CDATA[b<c]]> </localEntry>").as_deref(), Some("a < b<c"));
        assert_eq!(of("\u{feff}<localEntry key='k'>\n <a><b>x</b></a> </localEntry>").as_deref(), Some("<a><b>x</b></a>"));
        for none in ["<localEntry key='k' src='file:x'/>", "<other key='k'>x</other>", "<localEntry>x</localEntry>", "torn<"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
