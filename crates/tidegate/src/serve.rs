//! `tidegate serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use server::{Options, Secret, Start, Timestamp};

#[derive(Args)]
pub(crate) struct Serve {
    /// Where the database, keys and certificate live; made when missing.
    #[arg(long, default_value = "./tidegate-data")]
    data_dir: PathBuf,
    /// Configuration file (TOML); `tidegate check-config --sample` prints one.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Database: sqlite:PATH or postgres://user:password@host/name; default is tidegate.db in the data directory.
    #[arg(long)]
    db: Option<String>,
    /// Added to every port.
    #[arg(long)]
    port_offset: Option<u16>,
    /// Behave as if it were this time now (RFC 3339, e.g. 2018-11-05T10:00:00Z): for rehearsing an upgrade on the day its source was copied.
    #[arg(long, value_parser = instant)]
    rehearse_at: Option<Timestamp>,
}

pub(crate) fn run(words: Serve) -> anyhow::Result<ExitCode> {
    let mut options = words.config.as_deref().map(Options::read).transpose()?.unwrap_or_default();
    if words.db.is_some() {
        options.database_url = words.db.map(Secret::new);
    }
    if let Some(offset) = words.port_offset {
        options.port_offset = offset;
    }
    server::logs::start(options.log_format, &options.log_level)?;
    let start = Start {
        options,
        data_dir: words.data_dir,
        admin_password: server::admin_password_from_environment(),
        rehearse_at: words.rehearse_at,
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Ok(workers @ 1..) = usize::try_from(start.options.workers) {
        runtime.worker_threads(workers);
    }
    let runtime = runtime.enable_all().build().context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let running = server::start(start).await?;
        announce(&running);
        running.until_signal().await;
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn instant(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|at| Timestamp(at.timestamp_millis()))
        .map_err(|fault| format!("{fault}; expected e.g. 2018-11-05T10:00:00Z"))
}

/// Tells the operator where to go, and the password once if it was made up just now.
#[expect(clippy::print_stdout, reason = "the password is shown once, here, and must not enter the log")]
fn announce(running: &server::Running) {
    let at = running.addresses();
    println!("Tidegate is ready.");
    println!("  REST and OAuth2  https://{}", at.rest);
    println!("  API traffic      http://{}  https://{}", at.gateway_http, at.gateway_https);
    println!("  health, metrics  http://{}/healthz /readyz /metrics", at.management);
    if let Some(password) = running.generated_admin_password() {
        println!("  sign in as       admin / {}   (made up now and shown only this once)", password.expose());
    }
}
