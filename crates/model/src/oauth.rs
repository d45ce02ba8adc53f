//! OAuth2 clients and the tokens issued to them.

use crate::{Secret, TenantId, Timestamp, TokenId};

/// A registered OAuth2 client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClient {
    /// Client id (consumer key), unique in the installation.
    pub id: String,
    /// Client secret. Developers read it back in the portal, so it is kept sealed rather than hashed.
    pub secret: Secret<String>,
    /// Name, e.g. `admin_<application uuid>_PRODUCTION`.
    pub name: String,
    /// Owner: `[STORE/]user[@tenant]`.
    pub owner: String,
    /// Owner's tenant.
    pub tenant: TenantId,
    /// Grant types it may use.
    pub grants: Vec<String>,
    /// Registered callback, which may be `regexp=(a|b)`.
    pub callback_url: Option<String>,
    /// Form of its access tokens.
    pub token_format: TokenFormat,
    /// How it came to be.
    pub origin: ClientOrigin,
    /// How long its tokens live, where that differs from the server's own setting.
    pub lifetimes: Lifetimes,
    /// A switched-off client is refused as if unknown.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How a client came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOrigin {
    /// Key generation in the developer portal.
    Portal,
    /// Dynamic client registration.
    Registration,
    /// Carried over from an old installation's console, belonging to no application.
    Carried,
}

impl ClientOrigin {
    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portal => "PORTAL",
            Self::Registration => "REGISTRATION",
            Self::Carried => "CARRIED",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Portal, Self::Registration, Self::Carried].into_iter().find(|o| o.name() == text)
    }
}

/// Form of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// Signed, self-contained.
    Jwt,
    /// Random text looked up in the database.
    Opaque,
}

impl TokenFormat {
    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Opaque => "OPAQUE",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Jwt, Self::Opaque].into_iter().find(|f| f.name() == text)
    }
}

/// Lifetimes in seconds; `None` leaves it to the server, a negative number means for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifetimes {
    /// Tokens of the application itself.
    pub application_secs: Option<i64>,
    /// Tokens of users.
    pub user_secs: Option<i64>,
    /// Refresh tokens.
    pub refresh_secs: Option<i64>,
    /// Id tokens.
    pub id_token_secs: Option<i64>,
}

/// An issued access token with its refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// Its id.
    pub id: TokenId,
    /// Client it was issued to.
    pub client: String,
    /// Tenant of that client's owner.
    pub tenant: TenantId,
    /// On whose behalf.
    pub holder: TokenHolder,
    /// Granted scopes; `default` when nothing was.
    pub scopes: Vec<String>,
    /// Grant it came from (`client_credentials`, `password`, …); `None` where an old installation did not say.
    pub grant: Option<String>,
    /// The access token.
    pub access: TokenText,
    /// When the access token was issued.
    pub issued_at: Timestamp,
    /// When it stops; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The refresh token.
    pub refresh: Option<Secret<String>>,
    /// When the refresh token stops; `None` is never.
    pub refresh_expires_at: Option<Timestamp>,
    /// State.
    pub state: TokenState,
}

/// On whose behalf a token acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenHolder {
    /// The client itself (`aut` = `APPLICATION`); the subject is its owner.
    Application {
        /// Owner of the client.
        owner: String,
    },
    /// A user (`aut` = `APPLICATION_USER`).
    User {
        /// `[STORE/]user[@tenant]`.
        user: String,
    },
}

impl TokenHolder {
    /// The user name either way.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Application { owner } => owner,
            Self::User { user } => user,
        }
    }

    /// The claim `aut`.
    #[must_use]
    pub fn aut(&self) -> &'static str {
        match self {
            Self::Application { .. } => "APPLICATION",
            Self::User { .. } => "APPLICATION_USER",
        }
    }
}

/// What is kept of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenText {
    /// The opaque text itself.
    Opaque(Secret<String>),
    /// The `jti` of a JWT; the token itself is not kept.
    Jti(String),
}

/// State of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Usable until it expires.
    Active,
    /// Taken back.
    Revoked,
    /// Replaced or expired.
    Inactive,
}

impl TokenState {
    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Revoked => "REVOKED",
            Self::Inactive => "INACTIVE",
        }
    }

    /// Reads the stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Revoked, Self::Inactive].into_iter().find(|s| s.name() == text)
    }
}
