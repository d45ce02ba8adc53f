//! What a tenant keeps, as the library of its sequences.

use model::{SequencePlace, StoredSequence};

use crate::library::{Library, Source};

impl Library {
    /// Adds what sequences can refer to by name: the gateway's sequences, endpoints, local entries, templates and registry resources.
    /// Sequences that APIs name by id are not among it.
    #[must_use]
    pub fn with_kept<'s>(self, kept: impl IntoIterator<Item = &'s StoredSequence>) -> Self {
        kept.into_iter().fold(self, |library, stored| match stored.place {
            SequencePlace::Gateway => library.with_sequence(stored.name.as_str(), Source::of(stored)),
            SequencePlace::Endpoint => library.with_endpoint(stored.name.as_str(), Source::of(stored)),
            SequencePlace::LocalEntry if is_registry_key(&stored.name) => library.with_entry(stored.name.as_str(), Source::of(stored)),
            SequencePlace::LocalEntry => library.with_local_entry(&Source::of(stored)),
            SequencePlace::Shared(_) | SequencePlace::Api(..) => library,
        })
    }
}

impl Source {
    /// The text of a stored sequence, under the name of its file.
    #[must_use]
    pub fn of(stored: &StoredSequence) -> Self {
        Self::new(stored.file.as_str(), stored.text())
    }
}

/// Whether a key names a resource of the registry rather than a local entry.
#[must_use]
pub fn is_registry_key(key: &str) -> bool {
    key.starts_with("gov:") || key.starts_with("conf:")
}

#[cfg(test)]
mod tests {
    use model::{ApiId, Flow, Secret, TenantId};

    use super::*;

    fn stored(place: SequencePlace, name: &str, text: &[u8]) -> StoredSequence {
        StoredSequence {
            id: name.to_owned(),
            tenant: TenantId::SUPER,
            place,
            name: name.to_owned(),
            file: format!("{name}.xml"),
            content: Secret::new(text.to_vec()),
            additions: None,
        }
    }

    #[test]
    fn each_stands_where_its_place_puts_it() {
        let kept = [
            stored(SequencePlace::Gateway, "audit", b"\xef\xbb\xbf<sequence>\xc3\xa4</sequence>"),
            stored(SequencePlace::Shared(Flow::Out), "stamp", b"<sequence/>"),
            stored(SequencePlace::Api(ApiId::derived(&["x"]), Flow::In), "own", b"<sequence/>"),
            stored(SequencePlace::Endpoint, "auditor", b"<endpoint/>"),
            stored(SequencePlace::LocalEntry, "entry", b"<localEntry key='entry'>text</localEntry>"),
            stored(SequencePlace::LocalEntry, "gov:/x.json", b"{}"),
        ];
        let library = Library::new().with_kept(&kept);
        assert_eq!(library.sequence("audit").map(|s| &*s.text), Some("<sequence>\u{e4}</sequence>"));
        assert!(library.sequence("stamp").is_none() && library.sequence("own").is_none());
        assert!(library.endpoint("auditor").is_some());
        assert_eq!(library.entry("entry").map(|s| &*s.text), Some("text"));
        assert_eq!(library.entry("gov:/x.json").map(|s| &*s.text), Some("{}"));
    }
}
