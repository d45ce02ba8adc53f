//! The entries of 4.0.0's error catalogue that this room uses. Where the status differs from the catalogue's own, the reason is given.

use http::StatusCode;
use rest::Entry;

/// The name exists in another letter case.
pub(crate) const NAME_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_250, "The API name already exists.");
/// Another API has this context.
pub(crate) const CONTEXT_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_251, "The API context already exists.");
/// Name and version exist.
pub(crate) const VERSION_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_252, "The API version already exists.");
/// No plan where one is needed.
pub(crate) const PLAN_MISSING: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_304, "The tier cannot be null.");
/// A plan nobody made.
pub(crate) const PLAN_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_305, "The tier name is invalid.");
/// Access control keeps the caller from changing it.
pub(crate) const NO_UPDATE: Entry = Entry::new(StatusCode::FORBIDDEN, 900_332, "No permissions to update API.");
/// Access control keeps the caller from deleting it.
pub(crate) const NO_DELETE: Entry = Entry::new(StatusCode::FORBIDDEN, 900_333, "No permissions to delete API.");
/// Access control keeps the caller from seeing it.
pub(crate) const NO_READ: Entry = Entry::new(StatusCode::FORBIDDEN, 900_340, "No permissions to read API.");
/// A category nobody made.
pub(crate) const CATEGORY_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_345, "The API category is invalid.");
/// An additional property breaks a rule.
pub(crate) const PROPERTY_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_346, "Invalid additional properties");
/// The context is no path.
pub(crate) const CONTEXT_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_346, "Invalid context provided");
/// An endpoint is no URL.
pub(crate) const ENDPOINT_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_346, "Endpoint URL(s) is(are) not valid");
/// No such revision.
pub(crate) const REVISION_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 900_347, "API Revision Not Found");
/// A deployed revision cannot be deleted.
pub(crate) const REVISION_DEPLOYED: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_348, "Can not delete API Revision ");
/// The sixth revision. 4.0.0 wraps this in a 500; the catalogue's own 400 is what a client can act on.
pub(crate) const TOO_MANY_REVISIONS: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_351, "Can not create API Revision ");
/// The revision runs nowhere there.
pub(crate) const DEPLOYMENT_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 900_356, "Existing Deployment Not Found");
/// The state forbids changes by this caller.
pub(crate) const UPDATE_FORBIDDEN: Entry = Entry::new(StatusCode::FORBIDDEN, 900_380, "Insufficient permission to update the API");
/// No such environment. The catalogue says 404, but what was not found stands in the body, not in the path.
pub(crate) const ENVIRONMENT_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_506, "Gateway Environment not found");
/// A role nobody made. As above: 400, because the role stands in the body.
pub(crate) const ROLE_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_607, "Role does not exist in the system");
/// Restricted visibility without roles.
pub(crate) const ROLES_MISSING: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_610, "User roles cannot be found");
/// The definition cannot be read.
pub(crate) const DEFINITION_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_754, "Error while parsing OpenAPI definition");
/// The definition's URL is none, or may not be fetched.
pub(crate) const DEFINITION_URL: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_756, "OpenAPI definition retrieval from URL failed");
/// The definition's URL did not answer with it.
pub(crate) const DEFINITION_NO_200: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_757, "OpenAPI definition retrieval from URL failed");
/// No operation is left.
pub(crate) const NO_RESOURCES: Entry = Entry::new(StatusCode::NOT_FOUND, 900_763, "No resources found");
/// An advanced policy nobody made.
pub(crate) const POLICY_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_960, "Throttle Policy Error");
/// No policy of that name.
pub(crate) const POLICY_NOT_FOUND: Entry = Entry::new(StatusCode::NOT_FOUND, 900_961, "Policy Not found");
/// No such family of policies.
pub(crate) const POLICY_LEVEL: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_968, "Throttle Policy level invalid");
/// A shared scope nobody made; 400, because it stands in the body.
pub(crate) const SHARED_SCOPE_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_981, "Shared Scope not found");
/// Another API owns the scope.
pub(crate) const SCOPE_TAKEN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_988, "Scope already assigned locally by another API");
/// A scope of that name exists.
pub(crate) const SCOPE_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_984, "Scope already exists");
/// An API names the shared scope.
pub(crate) const SCOPE_USED: Entry = Entry::new(StatusCode::CONFLICT, 900_985, "Shared Scope already attached");
/// No shared scope of that id.
pub(crate) const SHARED_SCOPE_NOT_FOUND: Entry = Entry::new(StatusCode::NOT_FOUND, 900_981, "Shared Scope not found");
/// A shared scope without words for people.
pub(crate) const SCOPE_UNNAMED: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_987, "Shared Scope display name not specified");
/// A key manager nobody made.
pub(crate) const KEY_MANAGER_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_403, "Key Manager not found");
/// Something of another tenant.
pub(crate) const TENANT_MISMATCH: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_409, "Tenant mismatch");
/// The API has a document of that name.
pub(crate) const DOCUMENT_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_312, "Document already exists");
/// No comment of that id.
pub(crate) const COMMENT_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 901_102, "Comment not found");
/// An archive that is none, or that leads out of itself. The catalogue says 500, but it is the client's doing.
pub(crate) const ARCHIVE_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_317, "API import Error");
/// The project's `api.yaml` is missing or does not read.
pub(crate) const ARCHIVE_META: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 900_907, "Error while reading meta information from the definition");
/// The project's parameters do not read.
pub(crate) const ARCHIVE_PARAMS: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 900_908, "Error while reading meta information from the params file");
/// The project has no definition.
pub(crate) const ARCHIVE_DEFINITION: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_909, "Cannot find the definition file of the project");
/// A provider of another tenant is to be kept. 403, as 4.0.0 answers here.
pub(crate) const PROVIDER_ELSEWHERE: Entry = Entry::new(StatusCode::FORBIDDEN, 901_409, "Tenant mismatch");
