//! Revisions and where they are deployed.

use std::sync::Arc;

use crate::{Api, ApiId, RevisionId, Timestamp};

/// At most this many revisions of one API exist at a time (4.0.0's constant).
pub const MAX_REVISIONS: usize = 5;

/// An immutable snapshot of an API.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// The API it is of.
    pub api: ApiId,
    /// 1, 2, 3, …; counts up for ever, also past deleted ones.
    pub number: u32,
    /// Free text, at most 255 characters.
    pub description: Option<String>,
    /// The API as it was.
    pub content: Arc<Api>,
    /// Its definition as it was.
    pub definition: Option<Definition>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An API definition as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Language.
    pub format: DefinitionFormat,
    /// Text, JSON or YAML.
    pub text: String,
}

/// Language of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefinitionFormat {
    /// OpenAPI 2.0 (Swagger).
    OpenApi2,
    /// OpenAPI 3.x.
    OpenApi3,
    /// AsyncAPI 2.x.
    AsyncApi,
    /// GraphQL SDL.
    GraphQl,
}

impl DefinitionFormat {
    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenApi2 => "OPENAPI2",
            Self::OpenApi3 => "OPENAPI3",
            Self::AsyncApi => "ASYNCAPI",
            Self::GraphQl => "GRAPHQL",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::OpenApi2, Self::OpenApi3, Self::AsyncApi, Self::GraphQl].into_iter().find(|f| f.name() == text)
    }
}

/// A revision running in an environment. An environment runs at most one revision of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The API.
    pub api: ApiId,
    /// Environment name.
    pub environment: String,
    /// Which revision.
    pub revision: RevisionId,
    /// Host name shown to developers.
    pub vhost: String,
    /// Listed in the developer portal.
    pub display_on_portal: bool,
    /// When.
    pub deployed_at: Timestamp,
}

/// A gateway environment: the label that gateways serve and publishers deploy to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Name, e.g. `Default`.
    pub name: String,
    /// Words for people.
    pub display_name: String,
    /// Free text.
    pub description: Option<String>,
    /// `hybrid`, `production` or `sandbox`.
    pub kind: String,
    /// From configuration, not editable over REST.
    pub read_only: bool,
    /// Host names with their ports; at least one.
    pub vhosts: Vec<Vhost>,
}

/// A host name and the ports behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vhost {
    /// Host name.
    pub host: String,
    /// Path in front of every context, usually empty.
    pub http_context: String,
    /// Plain port.
    pub http_port: u16,
    /// TLS port.
    pub https_port: u16,
    /// WebSocket port.
    pub ws_port: u16,
    /// WebSocket over TLS port.
    pub wss_port: u16,
}
