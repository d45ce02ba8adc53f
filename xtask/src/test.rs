//! `cargo xtask test`: every test, on a machine that may have nothing yet.

mod skips;

use std::fs;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::{needs, sh};
use skips::{Relay, Skips};

#[derive(Args)]
pub(crate) struct Test {
    /// Skip installing and starting databases; tests that need them then say that they were skipped.
    #[arg(long)]
    no_services: bool,
    /// Words for the test runner, after `--`.
    #[arg(last = true)]
    runner: Vec<String>,
}

pub(crate) fn run(words: &Test) -> anyhow::Result<()> {
    if !words.no_services {
        needs::programs(&[("curl", "curl")])?;
        needs::postgres()?;
        needs::mariadb()?;
        needs::slapd()?;
    }
    // nextest runs test binaries side by side; plain cargo does the same work where it is not installed.
    let nextest = sh::succeeds("cargo", &["nextest", "--version"]);
    let (status, skips) = if nextest { with_nextest(&words.runner)? } else { with_cargo(&words.runner)? };
    print!("{skips}");
    ensure!(status.success(), "the tests ended with {status}");
    Ok(())
}

fn with_nextest(words: &[String]) -> anyhow::Result<(ExitStatus, Skips)> {
    // As `.config/nextest.toml` has it; nextest keeps its reports here wherever cargo builds. There is none where nothing could be built, and
    // that of an earlier run must not speak for this one.
    let report = sh::root().join("target/nextest/default/junit.xml");
    if report.exists() {
        fs::remove_file(&report).with_context(|| format!("cannot remove {}", report.display()))?;
    }
    let status = Command::new("cargo")
        .args(["nextest", "run", "--workspace", "--no-fail-fast"])
        .args(words)
        .current_dir(sh::root())
        .status()
        .context("cannot start cargo")?;
    Ok((status, fs::read_to_string(report).map(|report| Skips::of_junit(&report)).unwrap_or_default()))
}

fn with_cargo(words: &[String]) -> anyhow::Result<(ExitStatus, Skips)> {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--no-fail-fast"]).args(words);
    if !words.iter().any(|word| word == "--") {
        command.arg("--");
    }
    // What a passed test says is shown only when asked for.
    command.arg("--show-output");
    if std::io::stdout().is_terminal() {
        command.arg("--color=always");
    }
    let mut child = command.current_dir(sh::root()).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let said = child.stdout.take().context("cargo has no output")?;
    let mut relay = Relay::default();
    for line in BufReader::new(said).split(b'\n') {
        let line = line?;
        if relay.shows(&String::from_utf8_lossy(&line)) {
            let mut out = std::io::stdout().lock();
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok((child.wait()?, relay.skips))
}
