//! Mediation sequences as a tenant keeps them: the author's text, and where on a call's way it stands.

use crate::{ApiId, Secret, TenantId};

/// A part of a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// The request, before the backend is called.
    In,
    /// The response.
    Out,
    /// An error.
    Fault,
}

impl Flow {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Out, Self::Fault];

    /// `in`, `out`, `fault`: the folder names of the old registry, and what [`crate::MediationPolicyRef::flow`] says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Fault => "fault",
        }
    }

    /// Reads the name, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.name().eq_ignore_ascii_case(text))
    }
}

/// Who may use a stored sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SequencePlace {
    /// Any API of the tenant, in one flow.
    Shared(Flow),
    /// One API, in one flow.
    Api(ApiId, Flow),
    /// The tenant's gateway by name: error handlers (`_auth_failure_handler_`), extensions of every call (`WSO2AM--Ext--In`), and what other
    /// sequences call by name.
    Gateway,
    /// A local entry, which sequences refer to by key.
    LocalEntry,
    /// A named endpoint, which sequences send to.
    Endpoint,
}

impl SequencePlace {
    /// Stored word, flow and API.
    #[must_use]
    pub fn parts(self) -> (&'static str, Option<Flow>, Option<ApiId>) {
        match self {
            Self::Shared(flow) => ("SHARED", Some(flow), None),
            Self::Api(api, flow) => ("API", Some(flow), Some(api)),
            Self::Gateway => ("GATEWAY", None, None),
            Self::LocalEntry => ("LOCAL_ENTRY", None, None),
            Self::Endpoint => ("ENDPOINT", None, None),
        }
    }

    /// Puts [`SequencePlace::parts`] together again; `None` when they do not fit each other.
    #[must_use]
    pub fn of_parts(word: &str, flow: Option<Flow>, api: Option<ApiId>) -> Option<Self> {
        Some(match (word, flow, api) {
            ("SHARED", Some(flow), None) => Self::Shared(flow),
            ("API", Some(flow), Some(api)) => Self::Api(api, flow),
            ("GATEWAY", None, None) => Self::Gateway,
            ("LOCAL_ENTRY", None, None) => Self::LocalEntry,
            ("ENDPOINT", None, None) => Self::Endpoint,
            _ => return None,
        })
    }
}

/// A sequence of the gateway's that answers where calls are refused or fail. A site may have its own under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorHandler {
    /// Authentication or authorization failed.
    AuthFailure,
    /// A limit was reached, or a deny policy matched.
    ThrottleOut,
    /// The API has no such resource, or the resource has no such verb.
    ResourceMismatch,
    /// A production key, and the API has no production backend.
    ProductionKey,
    /// A sandbox key, and the API has no sandbox backend.
    SandboxKey,
    /// The key desk behind `/token` and its like gave no answer.
    TokenFault,
    /// A backend or a sequence failed, and the API has no fault sequence of its own. The handlers of resources and keys end in it as well.
    Fault,
    /// No API has the path, or the API is not offered over this transport.
    Main,
    /// Adds the cross-origin headers; stock handlers end with it.
    Cors,
}

impl ErrorHandler {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::AuthFailure,
        Self::ThrottleOut,
        Self::ResourceMismatch,
        Self::ProductionKey,
        Self::SandboxKey,
        Self::TokenFault,
        Self::Fault,
        Self::Main,
        Self::Cors,
    ];

    /// Name of the sequence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthFailure => "_auth_failure_handler_",
            Self::ThrottleOut => "_throttle_out_handler_",
            Self::ResourceMismatch => "_resource_mismatch_handler_",
            Self::ProductionKey => "_production_key_error_",
            Self::SandboxKey => "_sandbox_key_error_",
            Self::TokenFault => "_token_fault_",
            Self::Fault => "fault",
            Self::Main => "main",
            Self::Cors => "_cors_request_handler_",
        }
    }

    /// The handler of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|handler| handler.name() == name)
    }
}

/// A sequence, local entry or endpoint in the author's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSequence {
    /// Stable id; the old registry's where there was one.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who may use it.
    pub place: SequencePlace,
    /// The `name` (or `key`) inside, by which it is called. Not unique: two files may say the same name, and then the first file counts.
    pub name: String,
    /// File name it came under, unique in its place.
    pub file: String,
    /// The bytes, as they were. Authors write passwords into sequences, so they are not shown.
    pub content: Secret<Vec<u8>>,
    /// Of an error handler that is stock, or stock with something added: what was added, as a sequence of its own, empty for stock itself.
    /// It runs over the gateway's own answer; without, the whole text runs in the answer's place.
    pub additions: Option<Secret<String>>,
}

impl StoredSequence {
    /// The text, see [`decoded`].
    #[must_use]
    pub fn text(&self) -> String {
        decoded(self.content.expose())
    }
}

/// Text in UTF-8, with or without byte order mark, or else in Latin-1, as old editors saved it.
#[must_use]
pub fn decoded(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_old_editors_read() {
        assert_eq!(decoded(b"\xef\xbb\xbf\xc3\xa4"), "\u{e4}");
        assert_eq!(decoded(b"\xe4"), "\u{e4}");
    }

    #[test]
    fn handlers_are_told_by_their_names() {
        for handler in ErrorHandler::ALL {
            assert_eq!(ErrorHandler::named(handler.name()), Some(handler));
        }
        assert_eq!(ErrorHandler::named("dispatchSeq"), None);
    }

    #[test]
    fn places_survive_being_taken_apart() {
        let api = ApiId::derived(&["x"]);
        for place in [
            SequencePlace::Shared(Flow::In),
            SequencePlace::Api(api, Flow::Fault),
            SequencePlace::Gateway,
            SequencePlace::LocalEntry,
            SequencePlace::Endpoint,
        ] {
            let (word, flow, api) = place.parts();
            assert_eq!(SequencePlace::of_parts(word, flow, api), Some(place));
        }
        assert_eq!(SequencePlace::of_parts("API", None, Some(api)), None);
        assert_eq!(SequencePlace::of_parts("GATEWAY", Some(Flow::In), None), None);
        assert_eq!(Flow::parse("OUT"), Some(Flow::Out));
    }
}
