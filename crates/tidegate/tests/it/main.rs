//! The whole product from outside: real ports, real files, and where only a process can show it, the binary itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly, and says what it skips")]

mod atomic;
mod continuity;
mod crash;
mod error_sequences;
mod exported;
mod faults;
mod imports;
mod limits;
mod odd_names;
mod old_rules;
mod replay;
mod restart;
mod road;
mod serving;
mod upgrade;
mod upgrade_faults;
mod upgrade_kills;
mod upgrade_reports;
mod upgrade_road;
mod upgrade_tokens;
mod user_stores;

/// The product.
fn binary() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_tidegate"))
}
