//! The entries of 4.0.0's error catalogue that this room uses, by their name there.

use http::StatusCode;
use rest::Entry;

/// The new owner has an application of that name.
pub(crate) const APPLICATION_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_301, "The application already exists.");
/// No environment of that id.
pub(crate) const ENVIRONMENT_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 900_506, "Gateway Environment not found");
/// The environment's name is taken.
pub(crate) const ENVIRONMENT_EXISTS: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_507, "Gateway Environment already exists");
/// The environment comes from configuration.
pub(crate) const ENVIRONMENT_READ_ONLY: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_508, "Gateway Environment is read only");
/// A host stands twice in one environment.
pub(crate) const ENVIRONMENT_HOST_TWICE: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 900_509, "Gateway Environment with duplicate virtual hosts");
/// An environment's name never changes.
pub(crate) const ENVIRONMENT_NAME_FIXED: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 900_510, "Names of Gateway Environment cannot be changed");
/// A permission without roles.
pub(crate) const ROLES_EMPTY: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_600, "Role list cannot be empty");
/// No request of that reference.
pub(crate) const WORKFLOW_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 900_551, "Workflow error");
/// It was decided before.
pub(crate) const WORKFLOW_DECIDED: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_552, "Workflow error");
/// Neither yes nor no.
pub(crate) const WORKFLOW_STATE_MISSING: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_556, "Workflow error");
/// A role nobody made. The catalogue says 404, but the role stands in the body, not in the path.
pub(crate) const ROLE_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_607, "Role does not exist in the system");
/// Something needed is absent.
pub(crate) const PARAMETER_MISSING: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_700, "Parameter value missing");
/// Only white space.
pub(crate) const BLANK: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_705, "Blank value for required property");
/// Characters that are not allowed.
pub(crate) const SPECIAL_CHARACTERS: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_706, "contain invalid characters");
/// A limit that cannot be counted.
pub(crate) const LIMIT_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_960, "Throttle Policy Error");
/// A kind of condition that is none.
pub(crate) const CONDITION_UNSUPPORTED: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_975, "Throttle Condition Error");
/// A deny policy for a context that no API has.
pub(crate) const DENIAL_OF_NO_API: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_977, "Block Condition Error");
/// A deny policy for an application that is not there.
pub(crate) const DENIAL_OF_NO_APPLICATION: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_978, "Block Condition Error");
/// The tenant refuses the same already.
pub(crate) const DENIAL_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_979, "The Block Condition exists.");
/// Something of another tenant.
pub(crate) const TENANT_MISMATCH: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_409, "Tenant mismatch");
