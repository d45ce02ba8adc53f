//! Logs: to standard error, for people or for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::options::LogFormat;

/// The filter text is not one.
#[derive(Debug, thiserror::Error)]
#[error("log.level '{text}' is not a level or filter: {words}. Use error, warn, info, debug or trace")]
pub struct LogFault {
    text: String,
    words: String,
}

/// Starts logging. Called once, by the binary; a second call leaves the first in force.
///
/// # Errors
/// [`LogFault`] when `level` is no filter.
pub fn start(format: LogFormat, level: &str) -> Result<(), LogFault> {
    let filter = EnvFilter::try_new(level).map_err(|fault| LogFault { text: level.to_owned(), words: fault.to_string() })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(SystemTime)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Human => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}
