//! Why a decision of this room came out as "no", in the words and numbers of 4.0.0's catalogue.
//!
//! The rules raise a [`Refusal`]; the door turns it into an answer in one place, [`From<Refusal>`] below. A fault of the server itself
//! ([`Refusal::Db`]) is logged there with its causes, and the client learns nothing of it.

use http::StatusCode;
use rest::{ErrorItem, Problem};

/// A request that is not done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such thing, or not for this tenant: the two are not told apart.
    #[error("{what} '{id}' not found")]
    NotFound {
        /// What was asked for: `API`, `API Revision`.
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
    /// The thing was changed since the client read it.
    #[error("the precondition does not hold")]
    Stale(Box<Problem>),
    /// The database failed or holds something unreadable.
    #[error("the database did not do it")]
    Db(#[from] db::Error),
    /// An answer could not be written as JSON.
    #[error("an answer could not be written")]
    Encode(#[from] serde_json::Error),
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
    pub status: u16,
    /// Code; not unique, so clients match it together with the status.
    pub code: u32,
    /// Fixed words.
    pub message: &'static str,
}

/// The entries this room uses. Where the status differs from the catalogue's own, the reason is given.
pub(crate) mod entry {
    use super::Entry;

    const fn entry(status: u16, code: u32, message: &'static str) -> Entry {
        Entry { status, code, message }
    }

    /// The name exists in another letter case.
    pub(crate) const NAME_EXISTS: Entry = entry(409, 900_250, "The API name already exists.");
    /// Another API has this context.
    pub(crate) const CONTEXT_EXISTS: Entry = entry(409, 900_251, "The API context already exists.");
    /// Name and version exist.
    pub(crate) const VERSION_EXISTS: Entry = entry(409, 900_252, "The API version already exists.");
    /// No plan where one is needed.
    pub(crate) const PLAN_MISSING: Entry = entry(400, 900_304, "The tier cannot be null.");
    /// A plan nobody made.
    pub(crate) const PLAN_UNKNOWN: Entry = entry(400, 900_305, "The tier name is invalid.");
    /// Access control keeps the caller from changing it.
    pub(crate) const NO_UPDATE: Entry = entry(403, 900_332, "No permissions to update API.");
    /// Access control keeps the caller from deleting it.
    pub(crate) const NO_DELETE: Entry = entry(403, 900_333, "No permissions to delete API.");
    /// Access control keeps the caller from seeing it.
    pub(crate) const NO_READ: Entry = entry(403, 900_340, "No permissions to read API.");
    /// A category nobody made.
    pub(crate) const CATEGORY_UNKNOWN: Entry = entry(400, 900_345, "The API category is invalid.");
    /// An additional property breaks a rule.
    pub(crate) const PROPERTY_INVALID: Entry = entry(400, 900_346, "Invalid additional properties");
    /// The context is no path.
    pub(crate) const CONTEXT_INVALID: Entry = entry(400, 900_346, "Invalid context provided");
    /// An endpoint is no URL.
    pub(crate) const ENDPOINT_INVALID: Entry = entry(400, 900_346, "Endpoint URL(s) is(are) not valid");
    /// No such revision.
    pub(crate) const REVISION_UNKNOWN: Entry = entry(404, 900_347, "API Revision Not Found");
    /// A deployed revision cannot be deleted.
    pub(crate) const REVISION_DEPLOYED: Entry = entry(400, 900_348, "Can not delete API Revision ");
    /// The sixth revision. 4.0.0 wraps this in a 500; the catalogue's own 400 is what a client can act on.
    pub(crate) const TOO_MANY_REVISIONS: Entry = entry(400, 900_351, "Can not create API Revision ");
    /// The revision runs nowhere there.
    pub(crate) const DEPLOYMENT_UNKNOWN: Entry = entry(404, 900_356, "Existing Deployment Not Found");
    /// The state forbids changes by this caller.
    pub(crate) const UPDATE_FORBIDDEN: Entry = entry(403, 900_380, "Insufficient permission to update the API");
    /// No such environment. The catalogue says 404, but what was not found stands in the body, not in the path.
    pub(crate) const ENVIRONMENT_UNKNOWN: Entry = entry(400, 900_506, "Gateway Environment not found");
    /// A role nobody made. As above: 400, because the role stands in the body.
    pub(crate) const ROLE_UNKNOWN: Entry = entry(400, 900_607, "Role does not exist in the system");
    /// Restricted visibility without roles.
    pub(crate) const ROLES_MISSING: Entry = entry(400, 900_610, "User roles cannot be found");
    /// The definition cannot be read.
    pub(crate) const DEFINITION_INVALID: Entry = entry(400, 900_754, "Error while parsing OpenAPI definition");
    /// The definition's URL is none, or may not be fetched.
    pub(crate) const DEFINITION_URL: Entry = entry(400, 900_756, "OpenAPI definition retrieval from URL failed");
    /// The definition's URL did not answer with it.
    pub(crate) const DEFINITION_NO_200: Entry = entry(400, 900_757, "OpenAPI definition retrieval from URL failed");
    /// No operation is left.
    pub(crate) const NO_RESOURCES: Entry = entry(404, 900_763, "No resources found");
    /// An advanced policy nobody made.
    pub(crate) const POLICY_UNKNOWN: Entry = entry(400, 900_960, "Throttle Policy Error");
    /// No policy of that name.
    pub(crate) const POLICY_NOT_FOUND: Entry = entry(404, 900_961, "Policy Not found");
    /// No such family of policies.
    pub(crate) const POLICY_LEVEL: Entry = entry(400, 900_968, "Throttle Policy level invalid");
    /// A shared scope nobody made; 400, because it stands in the body.
    pub(crate) const SHARED_SCOPE_UNKNOWN: Entry = entry(400, 900_981, "Shared Scope not found");
    /// Another API owns the scope.
    pub(crate) const SCOPE_TAKEN: Entry = entry(400, 900_988, "Scope already assigned locally by another API");
    /// A scope of that name exists.
    pub(crate) const SCOPE_EXISTS: Entry = entry(409, 900_984, "Scope already exists");
    /// An API names the shared scope.
    pub(crate) const SCOPE_USED: Entry = entry(409, 900_985, "Shared Scope already attached");
    /// No shared scope of that id.
    pub(crate) const SHARED_SCOPE_NOT_FOUND: Entry = entry(404, 900_981, "Shared Scope not found");
    /// A shared scope without words for people.
    pub(crate) const SCOPE_UNNAMED: Entry = entry(400, 900_987, "Shared Scope display name not specified");
    /// A key manager nobody made.
    pub(crate) const KEY_MANAGER_UNKNOWN: Entry = entry(400, 901_403, "Key Manager not found");
    /// Something of another tenant.
    pub(crate) const TENANT_MISMATCH: Entry = entry(400, 901_409, "Tenant mismatch");
}

impl Entry {
    /// This entry with the particulars.
    pub fn with(self, description: impl Into<String>) -> Refusal {
        Refusal::Catalogue { entry: self, description: description.into() }
    }
}

impl Refusal {
    /// No API of that id.
    pub fn no_api(id: impl ToString) -> Self {
        Self::NotFound { what: "API", id: id.to_string() }
    }
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
            Refusal::Stale(problem) => *problem,
            Refusal::Db(error) => Self::internal(&error),
            Refusal::Encode(error) => Self::internal(&error),
        }
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
        let problem = Problem::from(entry::CONTEXT_EXISTS.with("The context '/pizza' is taken."));
        assert_eq!(problem.status().as_u16(), 409);
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(body["code"], 900_251);
        assert_eq!(body["error"], serde_json::json!([]));
    }

    #[test]
    fn every_broken_field_is_listed() {
        let faults = vec![FieldFault { path: "name".into(), rule: "size must be between 1 and 50".into() }];
        let body = serde_json::to_value(Problem::from(Refusal::Invalid(faults))).unwrap();
        assert_eq!(body["description"], "Validation Error");
        assert_eq!(body["error"][0]["code"], "400_name");
        assert_eq!(body["error"][0]["message"], "name: size must be between 1 and 50");
    }
}
