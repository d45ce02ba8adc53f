//! The house's own tools: `cargo xtask {try,test,check,bench,ui}`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to the terminal it was started from")]

mod bench;
mod check;
mod needs;
mod sh;
mod test;
mod try_it;
mod ui;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Tidegate's own tools")]
struct Words {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// See it work: make an old installation, take it over, serve it, and call it with its old token.
    Try(try_it::Try),
    /// Run every test, installing and starting the databases they need.
    Test(test::Test),
    /// What must be clean before a commit: format, lints, floor plan, licences.
    Check,
    /// Measure the gateway beside its peers.
    Bench(bench::Bench),
    /// Build the portals, and look at them in a browser.
    Ui(ui::Ui),
}

fn main() -> anyhow::Result<()> {
    match Words::parse().task {
        Task::Try(words) => try_it::run(&words),
        Task::Test(words) => test::run(&words),
        Task::Check => check::run(),
        Task::Bench(words) => bench::run(&words),
        Task::Ui(words) => ui::run(&words),
    }
}
