//! The crate's tests from outside: files made by our own small writer, whole, crashed and damaged, and real ones.

// Helpers outside test functions fail a test by panicking, as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod crash;
mod damage;
mod engines;
mod lobs;
mod mvstore;
mod samples;
mod tables;
mod writer;
