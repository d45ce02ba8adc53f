//! JSON web tokens: parse, verify, sign; and the random texts that stand for keys and opaque tokens.
//!
//! Only RSA signatures with SHA-2 (`RS256`, `RS384`, `RS512`) exist here, because the issuers people bring use nothing else and every further
//! algorithm is a further way to be fooled. A key never leaves its kind: an RSA public key cannot become an HMAC secret, since there is no HMAC.
//!
//! No clock (the caller passes `now`), no I/O: fetching a key set and looking up opaque tokens is the work of others.

mod assertion;
mod base64url;
mod claims;
mod der;
mod jwt;
mod keys;
mod members;
pub mod random;
mod sign;
mod verify;

pub use assertion::{Caller, assertion};
pub use claims::Claims;
pub use jwt::{Algorithm, Jwt, MAX_TOKEN_BYTES, Malformed};
pub use keys::{KeyFault, KeySet, VerifyingKey};
pub use sign::{GATEWAY_ALIAS, Header, SigningKey, jwks};
pub use verify::Refused;
