//! Burst control: a short window that starts with the first call in it, unlike a quota's, which is aligned to the epoch. 4.0.0 keeps it on
//! the gateway node, and so it is not kept over a restart.

use std::sync::atomic::{AtomicU64, Ordering};

use model::{TimeUnit, Timestamp};

use crate::Refused;

/// Bits for the count; the other 41 hold the start in milliseconds since [`BASE_MS`], which is enough until 2089.
const COUNT_BITS: u32 = 23;

/// 2020-01-01, in milliseconds since the epoch.
const BASE_MS: i64 = 1_577_836_800_000;

/// Largest burst limit; a larger one counts as this: eight million calls of one subscription at one node.
pub const MAX_BURST: u64 = (1 << COUNT_BITS) - 1;

/// A burst limit made ready for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    limit: u64,
    length_ms: i64,
}

impl Burst {
    /// `None` for a count of 0, which 4.0.0 stores when no burst control is set. A unit of minutes is 60 seconds, any other is one second.
    #[must_use]
    pub fn of(burst: &model::Burst) -> Option<Self> {
        if burst.count == 0 {
            return None;
        }
        let length_ms = if burst.unit == TimeUnit::Minute { 60_000 } else { 1_000 };
        Some(Self { limit: burst.count.min(MAX_BURST), length_ms })
    }
}

/// What one admitted call took, so that [`BurstCounter::give_back`] can undo it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstTicket {
    start: i64,
}

/// Calls counted against one burst limit, exactly, from any number of threads, without a lock.
#[derive(Debug)]
pub struct BurstCounter {
    burst: Burst,
    /// Start and count; a count of 0 means that no window is open.
    state: AtomicU64,
}

impl BurstCounter {
    /// No window open yet.
    #[must_use]
    pub fn new(burst: Burst) -> Self {
        Self { burst, state: AtomicU64::new(0) }
    }

    /// Counts one call. The first one opens a window; when the clock steps back the open window goes on.
    ///
    /// # Errors
    /// [`Refused`]; the refused call is not counted.
    pub fn admit(&self, now: Timestamp) -> Result<BurstTicket, Refused> {
        let now = since_base(now);
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (start, count) = self.at(state, now);
            if count >= self.burst.limit {
                return Err(Refused { until: Timestamp(BASE_MS.saturating_add(start).saturating_add(self.burst.length_ms)) });
            }
            match self.state.compare_exchange_weak(state, pack(start, count + 1), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(BurstTicket { start }),
                Err(seen) => state = seen,
            }
        }
    }

    /// Undoes an admission whose call was refused elsewhere. Has no effect once another window is open. A window whose only call is given
    /// back was never opened.
    pub fn give_back(&self, ticket: BurstTicket) {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (start, count) = unpack(state);
            if start != ticket.start || count == 0 {
                return;
            }
            match self.state.compare_exchange_weak(state, pack(start, count - 1), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => state = seen,
            }
        }
    }

    /// The limit it counts against.
    #[must_use]
    pub fn burst(&self) -> Burst {
        self.burst
    }

    /// Whether no window is open, so that a fresh counter would say the same and this one may be dropped.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.at(self.state.load(Ordering::Relaxed), since_base(now)).1 == 0
    }

    /// Start and count of the window a call at `now` belongs to; both `now` and the start count from [`BASE_MS`].
    fn at(&self, state: u64, now: i64) -> (i64, u64) {
        let (start, count) = unpack(state);
        if count == 0 || now >= start.saturating_add(self.burst.length_ms) { (now, 0) } else { (start, count) }
    }
}

fn since_base(now: Timestamp) -> i64 {
    now.0.saturating_sub(BASE_MS).clamp(0, (1 << (u64::BITS - COUNT_BITS)) - 1)
}

fn pack(start: i64, count: u64) -> u64 {
    start.unsigned_abs() << COUNT_BITS | count
}

fn unpack(state: u64) -> (i64, u64) {
    ((state >> COUNT_BITS).cast_signed(), state & MAX_BURST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_123;

    fn counter(count: u64, unit: TimeUnit) -> BurstCounter {
        BurstCounter::new(Burst::of(&model::Burst { count, unit }).unwrap())
    }

    #[test]
    fn the_window_starts_with_its_first_call() {
        let counter = counter(2, TimeUnit::Second);
        assert!(counter.admit(Timestamp(NOW)).is_ok());
        assert!(counter.admit(Timestamp(NOW + 999)).is_ok());
        assert_eq!(counter.admit(Timestamp(NOW + 999)), Err(Refused { until: Timestamp(NOW + 1_000) }));
        assert!(counter.admit(Timestamp(NOW + 1_000)).is_ok());
    }

    #[test]
    fn a_step_back_gives_no_fresh_burst() {
        let counter = counter(1, TimeUnit::Minute);
        assert!(counter.admit(Timestamp(NOW)).is_ok());
        assert!(counter.admit(Timestamp(NOW - 3_600_000)).is_err());
        assert!(counter.admit(Timestamp(NOW + 59_999)).is_err());
        assert!(counter.admit(Timestamp(NOW + 60_000)).is_ok());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let counter = counter(1, TimeUnit::Second);
        let ticket = counter.admit(Timestamp(NOW)).unwrap();
        assert!(counter.admit(Timestamp(NOW)).is_err() && !counter.is_idle(Timestamp(NOW)));
        counter.give_back(ticket);
        assert!(counter.is_idle(Timestamp(NOW)));
        let old = counter.admit(Timestamp(NOW)).unwrap();
        assert!(counter.admit(Timestamp(NOW + 1_000)).is_ok());
        counter.give_back(old);
        assert!(counter.admit(Timestamp(NOW + 1_999)).is_err());
        assert!(!counter.is_idle(Timestamp(NOW + 1_999)) && counter.is_idle(Timestamp(NOW + 2_000)));
    }

    #[test]
    fn no_burst_control_is_none() {
        assert_eq!(Burst::of(&model::Burst { count: 0, unit: TimeUnit::Second }), None);
    }

    #[test]
    fn exactly_the_limit_passes_whatever_the_crowd() {
        for limit in [1, 1_000, 300_000] {
            let counter = counter(limit, TimeUnit::Second);
            let tries = usize::try_from(limit).unwrap() / 8 + 500;
            let passed: usize = std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| (0..tries).filter(|_| counter.admit(Timestamp(NOW)).is_ok()).count())).collect();
                threads.into_iter().map(|t| t.join().unwrap()).sum()
            });
            assert_eq!(passed as u64, limit);
        }
    }
}
