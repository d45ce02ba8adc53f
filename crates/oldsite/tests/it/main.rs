//! Loads the dumps into real servers, when this machine has them, with the servers' own clients.

// Code elsewhere knows the crate by this name.
extern crate tidegate_oldsite as oldsite;

mod columns;
mod files;
mod loading;
