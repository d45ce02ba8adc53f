//! The conformance suite: every test runs on SQLite and on PostgreSQL, each in a database of its own.
//!
//! PostgreSQL is looked for at `TIDEGATE_TEST_POSTGRES`, or at 127.0.0.1:5432 as user `postgres`. Where the variable is not set and no
//! server answers, the PostgreSQL half says that it skips.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "helpers of tests fail by panicking, too")]

extern crate tidegate_db as db;

mod apis;
mod applications;
mod content;
mod continuity;
mod fixtures;
mod home;
mod house;
mod journal;
mod opening;
mod outbox;
mod people;
mod policies;
mod schema;
mod secrets;
mod sequences;
mod served;
mod settings;
mod source_sums;
mod stage;
mod tokens;
mod transactions;
mod user_stores;
