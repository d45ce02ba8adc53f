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
    /// Of a customised stock error handler: what the author added to stock, as a sequence of its own, when that is all they did. Meant to run
    /// after the gateway's own answer is made; gateways do not run error handlers yet.
    pub additions: Option<Secret<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
