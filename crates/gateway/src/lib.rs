//! The data plane: takes API calls, decides whether they may pass, and passes them on.
//!
//! A call walks through [`pipeline`] against one immutable [`Snapshot`]. Nothing here reads a database, issues a token or knows REST: the
//! server feeds snapshots in and takes call records out.

mod body;
mod call;
mod clock;
mod config;
mod counters;
mod errors;
mod gateway;
mod hops;
mod listener;
#[doc(hidden)]
pub mod measure;
mod mediated;
mod opaque;
mod path;
mod pipeline;
mod record;
mod respond;
mod scatter;
mod sign_in;
mod snapshot;
mod steps;
mod tls;
mod token_paths;
mod upstream;
mod user_claims;

pub use config::{Config, Precedence, Uncompilable};
pub use counters::{Kept, NotKept};
pub use gateway::{Gateway, SetupFault};
pub use listener::Door;
pub use opaque::{FoundToken, NoOpaqueTokens, OpaqueTokens, Unavailable};
pub use record::{CallRecord, CalledApi, CallingApplication};
pub use snapshot::{AddressFault, Change, CompileFault, Deployed, HandlerForm, HandlerText, Handlers, Issuer, Sequences, Signer, Snapshot};
pub use tls::TlsFault;
pub use token_paths::KeyDesk;
pub use traffic::IpRange;
pub use user_claims::{Claims, ClaimsUnavailable, Finding, UserClaims};
