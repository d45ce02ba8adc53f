//! One clock read per call.
//!
//! A call needs wall time (token expiry, quota windows) and monotonic time (latency, timeouts). Both come from one read of the
//! monotonic clock plus an offset that a ticker corrects every second, so that a step of the system clock is followed within it.
//! Connection bookkeeping needs only about a tenth of a second and reads what the ticker left.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the ticker calls [`Clock::tick`].
pub(crate) const TICK: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// Wall time at `start`, in ms since the epoch.
    offset_ms: AtomicI64,
    /// Added to wall time: [`crate::Config::clock_shift_ms`].
    shift_ms: i64,
    /// Monotonic ms since `start`, as of the last tick.
    coarse_ms: AtomicU64,
}

/// A moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Monotonic.
    pub(crate) instant: Instant,
    /// Milliseconds since the Unix epoch, UTC.
    pub(crate) wall_ms: i64,
}

impl Clock {
    pub(crate) fn new(shift_ms: i64) -> Self {
        let clock = Self { start: Instant::now(), offset_ms: AtomicI64::new(0), shift_ms, coarse_ms: AtomicU64::new(0) };
        clock.tick();
        clock
    }

    pub(crate) fn now(&self) -> Now {
        let instant = Instant::now();
        let since = millis(instant.saturating_duration_since(self.start));
        Now { instant, wall_ms: self.offset_ms.load(Ordering::Relaxed).saturating_add_unsigned(since) }
    }

    /// Milliseconds since the clock was made, at most a tick old.
    pub(crate) fn coarse_ms(&self) -> u64 {
        self.coarse_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn tick(&self) {
        let since = millis(self.start.elapsed());
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
        self.offset_ms.store(wall.saturating_sub_unsigned(since).saturating_add(self.shift_ms), Ordering::Relaxed);
        self.coarse_ms.store(since, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
