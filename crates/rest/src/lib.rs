//! The manners every REST door shares: who is calling, what an error looks like, how a list is paged.
//!
//! Not here: what any operation does, and how a password or token is checked ([`Authenticate`] is implemented where users and tokens
//! live). Shapes and texts are those of WSO2 API Manager 4.0.0.

mod answer;
mod asked;
mod body;
mod caller;
mod door;
mod etag;
mod paging;
mod problem;
mod refusal;

pub use answer::{Shown, created, ok_file, ok_text};
pub use asked::{Asked, Named};
pub use body::{Body, Upload, UploadPart};
pub use caller::{Authenticate, BoxFuture, Caller, ClientAddress, Denied, MaybeCaller};
pub use door::{Access, Door, DoorOperation};
pub use etag::{etag, if_match};
pub use paging::{Paging, list};
pub use problem::{ErrorItem, Problem};
pub use refusal::{Entry, FieldFault, Refusal};
