//! `export`: project archives out of an old installation.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use upgrade::export::{Format, Wanted};
use upgrade::report::Report;

use super::{Common, Ready, code, passes, say, tell, translated};

#[derive(Args)]
pub(super) struct ExportWords {
    /// The layout to write.
    #[arg(long, value_enum)]
    to: Layout,
    /// Write into this folder, which must not be there yet, or be empty.
    #[arg(long)]
    out: PathBuf,
    /// The form of the files in the archives.
    #[arg(long, value_enum, default_value = "yaml")]
    format: Form,
    /// Write passwords of backends and consumer secrets too, in plain text. Guard the folder like the old server's keystore.
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    /// Projects of the command-line tool of 4.0.0.
    #[value(name = "apictl-4.0")]
    Apictl40,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Yaml,
    Json,
}

pub(super) async fn run(words: &ExportWords) -> anyhow::Result<ExitCode> {
    let Layout::Apictl40 = words.to;
    let common = &words.common;
    let format = match words.format {
        Form::Yaml => Format::Yaml,
        Form::Json => Format::Json,
    };
    let wanted = Wanted { to: words.out.clone(), format, with_secrets: words.with_secrets };
    wanted.is_free()?;
    let mut ready = Ready::new(common).await?;
    let (translation, plan) = translated(&mut ready, None, None).await?;
    let report = Report::new("export", &ready.old, &translation, &plan);
    if !passes(common, &report) {
        tell(common, &report)?;
        return Ok(code(false));
    }
    say("exporting");
    let done = upgrade::export::export(&translation, &ready.old.installation.registry, &wanted).await?;
    tell(common, &report)?;
    let out = words.out.display();
    say(&format!(
        "In {out} are now: APIs: {}, applications: {}, their subscriptions: {}. Read {out}/NOT-EXPORTED.md before you import them.",
        done.apis, done.applications, done.subscriptions
    ));
    if done.secrets_left_out > 0 {
        say(&format!("Secrets left out, each named there: {}.", done.secrets_left_out));
    }
    Ok(code(true))
}
