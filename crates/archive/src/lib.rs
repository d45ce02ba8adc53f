//! Project archives of 4.0.0: the folders of files, zipped, that its command-line tool moves between installations.
//!
//! One room for both ways and for all who need them: the publisher's and the portal's doors, and the upgrade, which writes them from an old
//! installation. Pure: bytes in, bytes out. Names, dates and order within an archive depend on its content alone, so that the same content
//! is the same bytes.
//!
//! Not here: whether what an archive says may be taken over. That is decided where it is written, by the rules of any other change.

mod api;
mod application;
mod envelope;
mod error;
mod folder;
pub mod params;
pub mod shape;
mod yaml;

pub use api::{ApiProject, Attachment, Deployment, ProjectDocument, ProjectSequence, file_safe};
pub use application::{ApplicationInfo, ApplicationKey, ApplicationProject, KeyToken, Subscribed, SubscribedApi, Subscriber};
pub use envelope::{Format, VERSION};
pub use error::ArchiveError;
pub use folder::Folder;
