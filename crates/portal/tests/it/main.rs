//! The developer portal's door over a fresh database, with callers that a token's text names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly, and says what it skips")]

extern crate tidegate_portal as portal;

mod access;
mod applications;
mod approvals;
mod archives;
mod browse;
mod content;
mod document;
mod groups;
mod keys_of;
mod setting;
mod subscriptions;
