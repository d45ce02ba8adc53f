//! Why a decision of a room came out as "no", in the words and numbers of 4.0.0's catalogue.
//!
//! A room's rules raise a [`Refusal`]; it becomes an answer in one place, [`From<Refusal>`] below. Which entries of the catalogue a room
//! uses is the room's own affair.

use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::{ErrorItem, Problem};

/// A request that is not done.
///
/// Not an [`Error`] itself, so that any error turns into [`Refusal::Failed`]: what a room does not refuse in words of its own is a fault of
/// the server. It is logged with its causes, and the client learns nothing of it.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody is signed in, and must be.
    Unauthenticated,
    /// No such thing, or one the caller may not know of: the two are not told apart.
    NotFound {
        /// What was asked for: `API`, `API Revision`.
        what: &'static str,
        /// Its id as asked.
        id: String,
    },
    /// An entry of the error catalogue.
    Catalogue {
        /// The entry.
        entry: Entry,
        /// What exactly is wrong.
        description: String,
    },
    /// 400 without a code of its own.
    Bad(String),
    /// 403 without a code of its own.
    Forbidden(String),
    /// 409 without a code of its own.
    Conflict(String),
    /// Fields of the body break rules; all of them are listed.
    Invalid(Vec<FieldFault>),
    /// 412: the thing was changed since the client read it.
    Stale,
    /// The server could not do it.
    Failed(Box<dyn Error + Send + Sync>),
}

/// A field of the request body and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path in the body: `name`, `businessInformation.businessOwner`.
    pub path: String,
    /// The rule, for people.
    pub rule: String,
}

/// One entry of the catalogue: status, code and fixed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// HTTP status.
    pub status: StatusCode,
    /// Code; not unique, so clients match it together with the status.
    pub code: u32,
    /// Fixed words.
    pub message: &'static str,
}

impl Entry {
    /// An entry.
    #[must_use]
    pub const fn new(status: StatusCode, code: u32, message: &'static str) -> Self {
        Self { status, code, message }
    }

    /// This entry with the particulars.
    pub fn with(self, description: impl Into<String>) -> Refusal {
        Refusal::Catalogue { entry: self, description: description.into() }
    }
}

impl FieldFault {
    /// A field at fault.
    pub fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into() }
    }

    /// Notes that a text is longer than `most` characters.
    pub fn bounded(faults: &mut Vec<Self>, path: &str, text: Option<&str>, most: usize) {
        if text.is_some_and(|text| text.chars().count() > most) {
            faults.push(Self::new(path, format!("size must be between 0 and {most}")));
        }
    }
}

impl Refusal {
    /// Nothing of that kind and id.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// One field that breaks a rule.
    pub fn field(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault::new(path, rule)])
    }

    /// Refuses when faults were noted.
    ///
    /// # Errors
    /// All of them.
    pub fn of(faults: Vec<FieldFault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self::Invalid(faults)) }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => Self::unauthenticated(),
            Refusal::NotFound { what, id } => Self::not_found(what, id),
            Refusal::Catalogue { entry, description } => Self::with_code(entry.status, entry.code, entry.message, description),
            Refusal::Bad(description) => Self::bad_request(description),
            Refusal::Forbidden(description) => Self::forbidden(description),
            Refusal::Conflict(description) => Self::conflict(description),
            Refusal::Invalid(faults) => Self::invalid(faults.into_iter().map(item).collect()),
            Refusal::Stale => {
                Self::precondition_failed("The resource has been changed since it was read. Read it again and repeat the change.")
            }
            Refusal::Failed(error) => Self::internal(&*error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

fn item(fault: FieldFault) -> ErrorItem {
    let FieldFault { path, rule } = fault;
    ErrorItem { code: format!("400_{path}"), message: format!("{path}: {rule}"), description: rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_entry_keeps_its_status_and_code() {
        let taken = Entry::new(StatusCode::CONFLICT, 900_251, "The API context already exists.");
        let problem = Problem::from(taken.with("The context '/pizza' is taken."));
        assert_eq!(problem.status(), StatusCode::CONFLICT);
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(body["code"], 900_251);
        assert_eq!(body["error"], serde_json::json!([]));
    }

    #[test]
    fn every_broken_field_is_listed() {
        let body = serde_json::to_value(Problem::from(Refusal::field("name", "size must be between 1 and 50"))).unwrap();
        assert_eq!(body["description"], "Validation Error");
        assert_eq!(body["error"][0]["code"], "400_name");
        assert_eq!(body["error"][0]["message"], "name: size must be between 1 and 50");
    }

    #[test]
    fn an_error_of_the_server_is_not_told() {
        let problem = Problem::from(Refusal::from(std::io::Error::other("secret words")));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!serde_json::to_string(&problem).unwrap().contains("secret"));
    }
}
