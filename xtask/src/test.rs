//! `cargo xtask test`: every test, on a machine that may have nothing yet.

use clap::Args;

use crate::{needs, sh};

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
    }
    for (name, what) in [("TIDEGATE_SAMPLES", "real old installations"), ("TIDEGATE_REFERENCE", "the interface documents")] {
        if std::env::var_os(name).is_none() {
            eprintln!("{name} is not set: tests on {what} will say that they were skipped");
        }
    }
    // nextest runs test binaries side by side; plain cargo does the same work where it is not installed.
    let mut runner = if sh::succeeds("cargo", &["nextest", "--version"]) {
        vec!["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        vec!["test", "--workspace", "--no-fail-fast"]
    };
    runner.extend(words.runner.iter().map(String::as_str));
    sh::run("cargo", &runner)
}
