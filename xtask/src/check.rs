//! `cargo xtask check`: what must be clean before a commit, and all that CI checks beside the tests.

use crate::sh;

pub(crate) fn run() -> anyhow::Result<()> {
    sh::run("cargo", &["fmt", "--all", "--check"])?;
    sh::run("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    sh::run("cargo", &["test", "--quiet", "--package", "tidegate", "--test", "house"])?;
    if sh::succeeds("cargo", &["deny", "--version"]) {
        sh::run("cargo", &["deny", "check"])?;
    } else {
        eprintln!("cargo-deny is not installed: licences and bans were not checked (cargo install cargo-deny)");
    }
    Ok(())
}
