//! Why a decision of this room came out as "no", in the words and numbers of 4.0.0's catalogue.
//!
//! The rules raise a [`Refusal`]; it becomes an answer in one place, [`From<Refusal>`] below. A fault of the server itself is logged there
//! with its causes, and the client learns nothing of it.

use http::StatusCode;
use rest::{ErrorItem, Problem};

/// A request that is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nobody is signed in, and must be.
    #[error("nobody is signed in")]
    Unauthenticated,
    /// No such thing, or one the caller may not know of.
    #[error("{what} '{id}' not found")]
    NotFound {
        /// What was asked for.
        what: &'static str,
        /// Its id as asked.
        id: String,
    },
    /// An entry of the error catalogue.
    #[error("{}: {description}", .entry.message)]
    Catalogue {
        /// The entry.
        entry: Entry,
        /// What exactly is wrong.
        description: String,
    },
    /// 400 without a code of its own.
    #[error("{0}")]
    Bad(String),
    /// 403 without a code of its own.
    #[error("{0}")]
    Forbidden(String),
    /// Fields of the body break rules; all of them are listed.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<FieldFault>),
    /// The database failed or holds something unreadable.
    #[error("the database did not do it")]
    Db(#[from] db::Error),
    /// The key desk failed.
    #[error("the key desk did not do it")]
    Desk(#[source] keys::DeskError),
    /// The key desk could not take a token back.
    #[error("a token could not be taken back")]
    Revoke(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A password could not be changed, and it is not the client's fault.
    #[error("the password could not be changed")]
    Password(#[source] crate::PasswordRefused),
}

/// A field of the request body and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// Path in the body.
    pub(crate) path: &'static str,
    /// The rule, for people.
    pub(crate) rule: String,
}

/// One entry of the catalogue: status, code and fixed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    status: u16,
    code: u32,
    message: &'static str,
}

/// The entries this room uses. Where the status differs from the catalogue's own, the reason is given.
pub(crate) mod entry {
    use super::Entry;

    const fn entry(status: u16, code: u32, message: &'static str) -> Entry {
        Entry { status, code, message }
    }

    /// The owner has an application of that name.
    pub(crate) const APPLICATION_EXISTS: Entry = entry(409, 900_301, "The application already exists.");
    /// A plan or policy nobody made, or that the API does not offer.
    pub(crate) const TIER_INVALID: Entry = entry(400, 900_305, "The tier name is invalid.");
    /// The subscription's state forbids the change.
    pub(crate) const SUBSCRIPTION_STATE: Entry = entry(400, 900_318, "Invalid state change for subscription");
    /// The application has no key of that kind.
    pub(crate) const KEY_UNKNOWN: Entry = entry(404, 900_331, "Application Key mapping not found");
    /// The application is subscribed already.
    pub(crate) const SUBSCRIPTION_EXISTS: Entry = entry(409, 900_336, "Subscription already exists");
    /// No policy of that name.
    pub(crate) const POLICY_NOT_FOUND: Entry = entry(404, 900_961, "Policy Not found");
    /// The client may not have tokens of its own.
    pub(crate) const TOKEN_REQUEST: Entry = entry(400, 900_965, "Key Management Error");
    /// No such family of policies.
    pub(crate) const POLICY_LEVEL: Entry = entry(400, 900_968, "Throttle Policy level invalid");
    /// No such tenant; 404 as the tenant is what was asked for.
    pub(crate) const TENANT_UNKNOWN: Entry = entry(404, 901_300, "Tenant Not Found");
    /// A key manager nobody made.
    pub(crate) const KEY_MANAGER_UNKNOWN: Entry = entry(400, 901_403, "Key Manager not found");
    /// The key manager does not take existing clients.
    pub(crate) const NO_MAPPING: Entry = entry(400, 901_405, "Key Manager doesn't support generating OAuth applications");
    /// The application has such a key, or the client belongs to an application.
    pub(crate) const KEY_EXISTS: Entry = entry(409, 901_408, "Application already Registered");
    /// The current password is wrong.
    pub(crate) const CURRENT_PASSWORD: Entry = entry(400, 901_451, "Current password incorrect");
    /// The new password breaks a rule.
    pub(crate) const NEW_PASSWORD: Entry = entry(400, 901_452, "Password pattern invalid");
}

impl Entry {
    /// This entry with the particulars.
    pub(crate) fn with(self, description: impl Into<String>) -> Refusal {
        Refusal::Catalogue { entry: self, description: description.into() }
    }
}

impl Refusal {
    /// Nothing of that kind and id.
    pub(crate) fn unknown(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}

impl From<keys::DeskError> for Refusal {
    fn from(error: keys::DeskError) -> Self {
        match error {
            keys::DeskError::GrantNotAllowed => entry::TOKEN_REQUEST.with(error.to_string()),
            keys::DeskError::Scopes(_) => Self::Bad(error.to_string()),
            other => Self::Desk(other),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => Self::unauthenticated(),
            Refusal::NotFound { what, id } => Self::not_found(what, id),
            Refusal::Catalogue { entry, description } => {
                let status = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::BAD_REQUEST);
                Self::with_code(status, entry.code, entry.message, description)
            }
            Refusal::Bad(description) => Self::bad_request(description),
            Refusal::Forbidden(description) => Self::forbidden(description),
            Refusal::Invalid(faults) => Self::invalid(faults.into_iter().map(item).collect()),
            Refusal::Db(error) => Self::internal(&error),
            Refusal::Desk(error) => Self::internal(&error),
            Refusal::Revoke(error) => Self::internal(&*error),
            Refusal::Password(error) => Self::internal(&error),
        }
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        Problem::from(self).into_response()
    }
}

fn item(fault: FieldFault) -> ErrorItem {
    let FieldFault { path, rule } = fault;
    ErrorItem { code: format!("400_{path}"), message: format!("{path}: {rule}"), description: rule }
}
