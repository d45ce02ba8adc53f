//! Loads the dumps into real servers, when this machine has them, with the servers' own clients.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what failed, or that it skips, by itself")]

// Code elsewhere knows the crate by this name.
extern crate tidegate_oldsite as oldsite;

mod columns;
mod files;
mod loading;
