//! `cargo xtask bench`: what a call through the gateway costs, beside peers on the same machine.
//!
//! Everything is measured on `tidegate serve` as it is shipped, set up over its own REST interfaces: nothing here reaches into a crate.
//! Machines differ and so do two minutes on one machine; that is why the figure that counts is a ratio to nginx in the same round
//! (docs/bench.md).

mod bulk;
mod contender;
mod gateway;
mod http;
mod idle;
mod load;
mod machine;
mod old;
mod peers;
mod process;
mod product;
mod rest;
mod sink;
mod start;
mod stats;
mod stream;
mod upgrade;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::sh;

#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Requests per second, latency and processor time per request, in shuffled rounds with the peers.
    Gateway(gateway::Gateway),
    /// Memory of idle keep-alive connections.
    Idle(idle::Idle),
    /// Memory while large bodies pass in both directions.
    Stream(stream::Stream),
    /// Time until ready and memory at rest, on an existing data directory.
    Start(start::Start),
    /// Taking over a large old installation from MariaDB: rows a second, wall time, peak of memory.
    Upgrade(upgrade::Upgrade),
}

pub(crate) fn run(words: &Bench) -> anyhow::Result<()> {
    match &words.what {
        What::Gateway(words) => gateway::run(words),
        What::Idle(words) => idle::run(words),
        What::Stream(words) => stream::run(words),
        What::Start(words) => start::run(words),
        What::Upgrade(words) => upgrade::run(words),
    }
}

/// An empty folder below cargo's own, one for each kind of measurement.
fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = sh::target_dir().join("bench").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

/// Builds the product as it is shipped, unless a program was named.
fn tidegate(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(program) = given {
        return program.canonicalize().with_context(|| format!("cannot find {}", program.display()));
    }
    progress("building tidegate with optimisations …");
    sh::run("cargo", &["build", "--release", "--package", "tidegate"])?;
    sh::target_dir().join("release/tidegate").canonicalize().context("cargo built no tidegate")
}

/// Writes what was measured, for programs.
fn write_json(path: Option<&PathBuf>, value: &serde_json::Value) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, format!("{value:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// What goes on, apart from what was found.
#[expect(clippy::print_stderr, reason = "a tool that takes minutes says how far it is")]
fn progress(words: &str) {
    eprintln!("{words}");
}

#[expect(clippy::print_stdout, reason = "what a tool has to say")]
fn say(words: &str) {
    println!("{words}");
}
