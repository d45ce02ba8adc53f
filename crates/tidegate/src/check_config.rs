//! `tidegate check-config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use server::Options;

#[derive(Args)]
pub(crate) struct CheckConfig {
    /// File to check.
    #[arg(required_unless_present = "sample")]
    file: Option<PathBuf>,
    /// Print a file with every option at its default instead.
    #[arg(long)]
    sample: bool,
}

#[expect(clippy::print_stdout, reason = "the sample and the verdict are this command's result")]
pub(crate) fn run(words: &CheckConfig) -> anyhow::Result<ExitCode> {
    if words.sample {
        print!("{}", Options::sample());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &words.file {
        Options::read(file)?;
        println!("{}: no faults", file.display());
    }
    Ok(ExitCode::SUCCESS)
}
