//! The publisher room: APIs are made, described, published, frozen into revisions and deployed here.
//!
//! Not here: who somebody is (`rest` and the hall), what a lifecycle step means (`model`), how a definition is read (`spec`), how anything is
//! stored (`db`), and what a gateway makes of a deployment. Every decision of this room is one write transaction, in which it is both
//! taken and recorded; where two requests race, the schema decides.

mod access;
mod apis;
mod archives;
mod definitions;
mod documents;
mod entry;
mod fetch;
mod http;
mod lifecycle;
mod policies;
mod revisions;
mod room;
mod scopes;
mod settings;
mod wire;

pub use self::http::{BASE, door, operations};
pub use self::room::{Clock, Config, Gateway, Room, SetupError};
