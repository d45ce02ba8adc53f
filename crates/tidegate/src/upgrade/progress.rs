//! How far a command is: a bar on a terminal, plain lines now and then elsewhere.

use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;

/// Between two plain lines of one kind.
const PAUSE: Duration = Duration::from_secs(2);

/// Tells it on standard error.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    kind: Mutex<Option<Kind>>,
}

struct Kind {
    name: String,
    since: Instant,
    /// Records done before `since`, of which nobody knows how long they took.
    before: u64,
    told: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix:>22} {bar:30} {pos}/{len}  {per_sec}  {eta} left");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is fixed text; were it not understood, the library's own would do.
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, kind: Mutex::new(None) }
    }

    /// `done` of a kind's records are done.
    pub(super) fn tell(&self, name: &str, done: u64, all: Option<u64>) {
        // Whoever panicked while holding it left a whole value.
        let mut kind = self.kind.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_new = kind.as_ref().is_none_or(|kind| kind.name != name);
        if is_new {
            *kind = Some(Kind { name: name.to_owned(), since: now, before: done, told: now });
        }
        match (&self.bar, kind.as_mut()) {
            (Some(bar), _) => {
                if is_new {
                    bar.reset();
                    bar.set_prefix(name.to_owned());
                }
                all.into_iter().for_each(|all| bar.set_length(all));
                bar.set_position(done);
            }
            (None, Some(kind)) if is_new || all == Some(done) || now.duration_since(kind.told) >= PAUSE => {
                kind.told = now;
                say(&line(name, done, all, done.saturating_sub(kind.before), now.duration_since(kind.since)));
            }
            _ => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// `measured` records took `time`.
fn line(name: &str, done: u64, all: Option<u64>, measured: u64, time: Duration) -> String {
    let mut line = match all {
        Some(all) => format!("{name}: {done} of {all}"),
        None => format!("{name}: {done}"),
    };
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = measured.saturating_mul(1000) / ms;
    if rate > 0 {
        line.push_str(&format!(", {rate}/s"));
        let left = all.unwrap_or(done).saturating_sub(done) / rate;
        if left > 0 {
            line.push_str(&format!(", {left} s left"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_rest_as_soon_as_they_are_known() {
        assert_eq!(line("users", 500, Some(2_000), 0, Duration::ZERO), "users: 500 of 2000");
        assert_eq!(line("users", 1_000, Some(2_000), 500, Duration::from_secs(2)), "users: 1000 of 2000, 250/s, 4 s left");
        assert_eq!(line("users", 2_000, Some(2_000), 1_500, Duration::from_secs(6)), "users: 2000 of 2000, 250/s");
        assert_eq!(line("tokens", 10, None, 0, Duration::from_secs(1)), "tokens: 10");
    }
}
