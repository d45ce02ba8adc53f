//! Why a decision of this room came out as "no", in the words and numbers of 4.0.0's catalogue.
//!
//! The rules raise a [`Refusal`]; it becomes an answer in one place, [`From<Refusal>`] below. A fault of the server itself is logged there
//! with its causes, and the client learns nothing of it.

use http::StatusCode;
use rest::{ErrorItem, Problem};

/// A request that is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No such thing, or one of another tenant: the two are not told apart.
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
    /// 409 without a code of its own.
    #[error("{0}")]
    Conflict(String),
    /// Fields of the body break rules; all of them are listed.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<FieldFault>),
    /// The database failed or holds something unreadable.
    #[error("the database did not do it")]
    Db(#[from] db::Error),
    /// An account could not be changed, and it is not the client's fault.
    #[error("the account could not be changed")]
    Account(#[source] users::ChangeError),
}

/// A field of the request body and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// Path in the body: `policyName`, `vhosts.host`.
    pub(crate) path: String,
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

/// The entries this room uses, by name of the catalogue.
pub(crate) mod entry {
    use super::Entry;

    const fn entry(status: u16, code: u32, message: &'static str) -> Entry {
        Entry { status, code, message }
    }

    /// The new owner has an application of that name.
    pub(crate) const APPLICATION_EXISTS: Entry = entry(409, 900_301, "The application already exists.");
    /// No environment of that id.
    pub(crate) const ENVIRONMENT_UNKNOWN: Entry = entry(404, 900_506, "Gateway Environment not found");
    /// The environment's name is taken.
    pub(crate) const ENVIRONMENT_EXISTS: Entry = entry(400, 900_507, "Gateway Environment already exists");
    /// The environment comes from configuration.
    pub(crate) const ENVIRONMENT_READ_ONLY: Entry = entry(400, 900_508, "Gateway Environment is read only");
    /// A host stands twice in one environment.
    pub(crate) const ENVIRONMENT_HOST_TWICE: Entry = entry(400, 900_509, "Gateway Environment with duplicate virtual hosts");
    /// An environment's name never changes.
    pub(crate) const ENVIRONMENT_NAME_FIXED: Entry = entry(400, 900_510, "Names of Gateway Environment cannot be changed");
    /// A permission without roles.
    pub(crate) const ROLES_EMPTY: Entry = entry(400, 900_600, "Role list cannot be empty");
    /// A role nobody made. The catalogue says 404, but the role stands in the body, not in the path.
    pub(crate) const ROLE_UNKNOWN: Entry = entry(400, 900_607, "Role does not exist in the system");
    /// Something needed is absent.
    pub(crate) const PARAMETER_MISSING: Entry = entry(400, 900_700, "Parameter value missing");
    /// Only white space.
    pub(crate) const BLANK: Entry = entry(400, 900_705, "Blank value for required property");
    /// Characters that are not allowed.
    pub(crate) const SPECIAL_CHARACTERS: Entry = entry(400, 900_706, "contain invalid characters");
    /// A limit that cannot be counted.
    pub(crate) const LIMIT_INVALID: Entry = entry(400, 900_960, "Throttle Policy Error");
    /// Something of another tenant.
    pub(crate) const TENANT_MISMATCH: Entry = entry(400, 901_409, "Tenant mismatch");
}

impl Entry {
    /// This entry with the particulars.
    pub(crate) fn with(self, description: impl Into<String>) -> Refusal {
        Refusal::Catalogue { entry: self, description: description.into() }
    }
}

/// Notes that a field is longer than `most` characters.
pub(crate) fn bounded(faults: &mut Vec<FieldFault>, path: &str, text: Option<&str>, most: usize) {
    if text.is_some_and(|text| text.chars().count() > most) {
        faults.push(FieldFault { path: path.to_owned(), rule: format!("size must be between 0 and {most}") });
    }
}

/// Refuses when anything was noted.
pub(crate) fn none(faults: Vec<FieldFault>) -> Result<(), Refusal> {
    if faults.is_empty() { Ok(()) } else { Err(Refusal::Invalid(faults)) }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { what, id } => Self::not_found(what, id),
            Refusal::Catalogue { entry, description } => {
                let status = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::BAD_REQUEST);
                Self::with_code(status, entry.code, entry.message, description)
            }
            Refusal::Bad(description) => Self::bad_request(description),
            Refusal::Forbidden(description) => Self::forbidden(description),
            Refusal::Conflict(description) => Self::conflict(description),
            Refusal::Invalid(faults) => Self::invalid(faults.into_iter().map(item).collect()),
            Refusal::Db(error) => Self::internal(&error),
            Refusal::Account(error) => Self::internal(&error),
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
