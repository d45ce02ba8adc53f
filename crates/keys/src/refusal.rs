//! Why a request at the token, revocation or introspection endpoint is not granted, in the words of RFC 6749, 5.2.

use std::error::Error;

/// A request is not granted. The words are for the client; what the log must know is in [`Refusal::Server`].
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something is missing, repeated or malformed.
    #[error("{0}")]
    InvalidRequest(String),
    /// The client is unknown, switched off or has the wrong secret.
    #[error("{0}")]
    InvalidClient(String),
    /// The client is known, but may not use this grant, or the token is not its own.
    #[error("{0}")]
    UnauthorizedClient(&'static str),
    /// We have no such grant.
    #[error("Unsupported grant type : {0}, is used.")]
    UnsupportedGrantType(String),
    /// Password, refresh token or the like is not good.
    #[error("{0}")]
    InvalidGrant(String),
    /// The scopes are malformed or more than may be asked for.
    #[error("{0}")]
    InvalidScope(&'static str),
    /// The fault is ours.
    #[error("Internal Server Error.")]
    Server(#[source] Box<dyn Error + Send + Sync>),
}

impl Refusal {
    /// The member `error`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::UnauthorizedClient(_) => "unauthorized_client",
            Self::UnsupportedGrantType(_) => "unsupported_grant_type",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidScope(_) => "invalid_scope",
            Self::Server(_) => "server_error",
        }
    }

    pub(crate) fn server(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Server(Box::new(cause))
    }

    pub(crate) fn grant_not_good() -> Self {
        Self::InvalidGrant("Provided Authorization Grant is invalid".to_owned())
    }

    pub(crate) fn grant_not_allowed() -> Self {
        Self::UnauthorizedClient("The authenticated client is not authorized to use this authorization grant type")
    }
}

impl From<db::Error> for Refusal {
    fn from(error: db::Error) -> Self {
        Self::server(error)
    }
}

impl From<crate::SignerError> for Refusal {
    fn from(error: crate::SignerError) -> Self {
        Self::server(error)
    }
}
