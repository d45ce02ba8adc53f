//! Reads real old installations (when `TIDEGATE_SAMPLES` names them) and made-up ones from every kind of source.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test says what failed, or that it skips, by itself")]

// Code elsewhere knows the crate by this name.
extern crate tidegate_upgrade as upgrade;

mod behaving;
mod canaries;
mod content;
mod corners;
mod damaged;
mod dirt;
mod drift;
mod exported;
mod ledger;
mod planned;
mod reading;
mod roads;
mod rolled_back;
mod rules;
mod samples;
mod scale;
mod taking;
mod taking_over;
mod untouched;
mod vaulted;
mod widely;
