//! The key desk: registers OAuth2 clients, hands out their tokens, and takes them back.
//!
//! It speaks RFC 6749, 7009 and 7662 with the texts, lifetimes and forms of WSO2 API Manager 4.0.0, because clients of that product must
//! not notice the change. Tokens carried over from an old installation are rows like any other and need no special road.
//!
//! Not here: who may subscribe to what (`portal`), and whether a call may pass (`gateway`, which reads what this crate wrote).
//!
//! Every grant ends in one transaction that looks again at what it was decided by, writes the new pair and, for a refresh, retires the old
//! one; so a refresh token works once, however many ask at the same moment, and nobody is given what was just taken from them.

mod callers;
mod clients;
mod desk;
mod discovery;
mod grants;
mod hold;
mod holders;
pub mod http;
mod introspect;
mod issue;
mod lookup;
mod refusal;
mod revoke;
mod scopes;
mod settings;
mod signers;
mod userinfo;

pub use clients::{ClientChange, NewClient};
pub use desk::{Clock, Desk, DeskError};
pub use grants::ApplicationToken;
pub use introspect::Introspection;
pub use issue::Issued;
pub use lookup::FoundToken;
pub use refusal::Refusal;
pub use scopes::DEFAULT_SCOPE;
pub use settings::Settings;
pub use signers::{CertificateMaker, SignerError, Signers};
