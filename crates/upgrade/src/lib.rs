//! Takes over a running WSO2 API Manager 1.8 to 2.6.
//!
//! `source` opens the old databases and files and only reads; `old` is what they hold, as plain structs, untranslated.

pub mod old;
pub mod source;
