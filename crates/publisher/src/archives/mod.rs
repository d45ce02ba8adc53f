//! Project archives: an API written out with all that belongs to it, and made or changed from such an archive.

mod export;
mod import;

pub(crate) use export::{Asked, Picked, export};
pub(crate) use import::{How, Imported, import};
