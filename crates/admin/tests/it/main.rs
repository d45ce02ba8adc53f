//! The admin door over a fresh database, with callers that a token's text names.

extern crate tidegate_admin as admin;

mod access;
mod applications;
mod document;
mod environments;
mod people;
mod policies;
mod setting;
