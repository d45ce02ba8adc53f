//! upgrade

pub mod old;
pub mod source;
