//! The entries of 4.0.0's error catalogue that this room uses. Where the status differs from the catalogue's own, the reason is given.

use http::StatusCode;
use rest::Entry;

/// The owner has an application of that name.
pub(crate) const APPLICATION_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_301, "The application already exists.");
/// A plan or policy nobody made, or that the API does not offer.
pub(crate) const TIER_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_305, "The tier name is invalid.");
/// The subscription's state forbids the change.
pub(crate) const SUBSCRIPTION_STATE: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_318, "Invalid state change for subscription");
/// The application has no key of that kind.
pub(crate) const KEY_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 900_331, "Application Key mapping not found");
/// The application is subscribed already.
pub(crate) const SUBSCRIPTION_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 900_336, "Subscription already exists");
/// No policy of that name.
pub(crate) const POLICY_NOT_FOUND: Entry = Entry::new(StatusCode::NOT_FOUND, 900_961, "Policy Not found");
/// The client may not have tokens of its own.
pub(crate) const TOKEN_REQUEST: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_965, "Key Management Error");
/// No such family of policies.
pub(crate) const POLICY_LEVEL: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_968, "Throttle Policy level invalid");
/// No such tenant; 404 as the tenant is what was asked for.
pub(crate) const TENANT_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 901_300, "Tenant Not Found");
/// A key manager nobody made.
pub(crate) const KEY_MANAGER_UNKNOWN: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_403, "Key Manager not found");
/// The key manager does not take existing clients.
pub(crate) const NO_MAPPING: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 901_405, "Key Manager doesn't support generating OAuth applications");
/// The application has such a key, or the client belongs to an application.
pub(crate) const KEY_EXISTS: Entry = Entry::new(StatusCode::CONFLICT, 901_408, "Application already Registered");
/// The current password is wrong.
pub(crate) const CURRENT_PASSWORD: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_451, "Current password incorrect");
/// The new password breaks a rule.
pub(crate) const NEW_PASSWORD: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_452, "Password pattern invalid");
/// The rating is no whole number from 1 to 5.
pub(crate) const RATING_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_325, "Rating value invalid");
/// Somebody else's comment.
pub(crate) const COMMENT_ADMIN: Entry = Entry::new(StatusCode::FORBIDDEN, 901_100, "Comment moderator permission needed");
/// No comment of that id.
pub(crate) const COMMENT_UNKNOWN: Entry = Entry::new(StatusCode::NOT_FOUND, 901_102, "Comment not found");
/// The comment is too long.
pub(crate) const COMMENT_LENGTH: Entry = Entry::new(StatusCode::BAD_REQUEST, 901_103, "Comment length exceeds max limit");
/// An archive that is none, or that leads out of itself. The catalogue says 500, but it is the client's doing.
pub(crate) const ARCHIVE_INVALID: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_339, "Application Import Error");
/// A file of the project does not read.
pub(crate) const ARCHIVE_META: Entry =
    Entry::new(StatusCode::BAD_REQUEST, 900_907, "Error while reading meta information from the definition");
/// The project has no application in it.
pub(crate) const ARCHIVE_DEFINITION: Entry = Entry::new(StatusCode::BAD_REQUEST, 900_909, "Cannot find the definition file of the project");
/// An owner of another tenant. 403, as 4.0.0 answers here.
pub(crate) const OWNER_ELSEWHERE: Entry = Entry::new(StatusCode::FORBIDDEN, 901_409, "Tenant mismatch");
