//! What an operator must know about one old record: how bad it is, where it stands, and what follows.

use serde::Serialize;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing may be written before this is settled.
    Blocking,
    /// Somebody will notice: something is lost, refused or counted otherwise than before.
    Warning,
    /// Worth knowing; nothing changes for callers.
    Note,
}

/// What a finding is about, in the order in which an operator wants to read: what costs money or access first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A limit.
    Limit,
    /// A scope, or another rule of who may call.
    Scope,
    /// An issued token.
    Token,
    /// An OAuth client.
    Client,
    /// An application's key.
    Key,
    /// A subscription.
    Subscription,
    /// An application.
    Application,
    /// An API.
    Api,
    /// A document of an API, or another file of it.
    Document,
    /// A comment or rating.
    Feedback,
    /// A user.
    User,
    /// A role or permission.
    Role,
    /// A tenant.
    Tenant,
    /// The installation as a whole.
    Installation,
}

impl About {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Scope => "scope",
            Self::Token => "token",
            Self::Client => "OAuth client",
            Self::Key => "application key",
            Self::Subscription => "subscription",
            Self::Application => "application",
            Self::Api => "API",
            Self::Document => "document",
            Self::Feedback => "comment or rating",
            Self::User => "user",
            Self::Role => "role",
            Self::Tenant => "tenant",
            Self::Installation => "installation",
        }
    }
}

/// One finding. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Weight.
    pub severity: Severity,
    /// Subject.
    pub about: About,
    /// What follows from it, the same words for like findings, so that they can be grouped.
    pub consequence: &'static str,
    /// Table and key, or file.
    pub origin: String,
    /// What was found.
    pub words: String,
}
