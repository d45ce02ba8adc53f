//! Keeps what is spent of limits over a restart, in one file of the data directory: a line for each counter, as the gateway writes it.
//!
//! A file and not the database: only this process counts for its gateway, nobody asks for the numbers, and losing them costs no more than
//! windows that start anew. It is written while the server runs, for windows that go on until the next time, and once more when it stops.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway::{Gateway, Kept};

use crate::clock::Clock;

/// How often the file is written; what a crash forgets is at most this old.
const EVERY: Duration = Duration::from_secs(30);

/// The file's name in the data directory.
const NAME: &str = "counters";

/// The gateway's counts and the file they are kept in.
#[derive(Clone)]
pub(crate) struct Spent {
    gateway: Arc<Gateway>,
    path: PathBuf,
    clock: Clock,
    /// Held by whoever writes: the last write of a stop may meet the one before it.
    writing: Arc<Mutex<()>>,
}

impl Spent {
    pub(crate) fn new(gateway: Arc<Gateway>, data_dir: &Path, clock: Clock) -> Self {
        Self { gateway, path: data_dir.join(NAME), clock, writing: Arc::default() }
    }

    /// Lets the gateway go on where the process before ended. A file that cannot be read is told and left out: a limit that starts anew is
    /// no reason not to serve.
    pub(crate) fn take_up(&self) {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return,
            Err(fault) => {
                return tracing::warn!(%fault, path = %self.path.display(), "what was spent of limits cannot be read; they start anew");
            }
        };
        let (kept, broken): (Vec<_>, Vec<_>) = text.lines().map(str::parse::<Kept>).partition(Result::is_ok);
        if !broken.is_empty() {
            tracing::warn!(lines = broken.len(), path = %self.path.display(), "some of what was spent of limits cannot be read");
        }
        self.gateway.resume(&kept.into_iter().flatten().collect::<Vec<_>>());
    }

    /// Writes the file now and then, for ever.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            self.write(EVERY).await;
        }
    }

    /// Writes the file for whoever starts within `gap`, which windows that end before it need not outlive.
    pub(crate) async fn write(&self, gap: Duration) {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _only = this.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (this.clock)().plus_ms(i64::try_from(gap.as_millis()).unwrap_or(i64::MAX));
            this.replace(&this.gateway.spent(at))
        });
        let outcome = written.await.unwrap_or_else(|ended| Err(io::Error::other(ended)));
        if let Err(fault) = outcome {
            tracing::warn!(%fault, path = %self.path.display(), "what is spent of limits cannot be kept");
        }
    }

    /// Whole or not at all: whoever reads finds the old file or the new one.
    fn replace(&self, kept: &[Kept]) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        let mut out = io::BufWriter::new(file);
        for one in kept {
            writeln!(out, "{one}")?;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(fresh, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use gateway::{Config, NoOpaqueTokens};

    use super::*;

    fn spent(data_dir: &Path) -> Spent {
        let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens)).unwrap();
        Spent::new(gateway, data_dir, crate::clock::shifted(0))
    }

    /// A year's window, so that no test runs past its end; a hundred of a thousand calls spent in it.
    fn line(clock: &Clock) -> String {
        const YEAR_MS: i64 = 31_556_900_000;
        format!("known 000000000000000000000000000000ff calls 1000 {YEAR_MS} {} 100", clock().0 / YEAR_MS * YEAR_MS)
    }

    #[tokio::test]
    async fn counts_go_from_one_process_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let first = spent(dir.path());
        first.take_up();
        first.gateway.resume(&[line(&first.clock).parse().unwrap()]);
        first.write(Duration::ZERO).await;
        let second = spent(dir.path());
        second.take_up();
        let known = second.gateway.spent((second.clock)());
        assert_eq!(known.iter().map(ToString::to_string).collect::<Vec<_>>(), [line(&first.clock)]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_line_loses_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let spent = spent(dir.path());
        std::fs::write(&spent.path, format!("known what\n{}\nuser 00", line(&spent.clock))).unwrap();
        spent.take_up();
        assert_eq!(spent.gateway.spent((spent.clock)()).len(), 1);
        std::fs::write(&spent.path, b"\xff").unwrap();
        spent.take_up();
    }
}
