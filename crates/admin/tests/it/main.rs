//! The admin door over a fresh database, with callers that a token's text names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly, and says what it skips")]

extern crate tidegate_admin as admin;

mod access;
mod applications;
mod continuity;
mod deny;
mod document;
mod environments;
mod people;
mod policies;
mod setting;
mod workflows;
