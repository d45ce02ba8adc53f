//! A quota that many threads spend at once, exactly and without a lock.
//!
//! Window and amount share one atomic number, since two numbers could be seen half changed when a window turns. How its 64 bits are shared out
//! depends on the window's length: the upper ones hold the window's index for dates up to the year 2200, the rest the amount.

use std::sync::atomic::{AtomicU64, Ordering};

use model::Timestamp;

use crate::quota::{Window, index};
use crate::{Cost, Quota, Refused, Spent};

/// 2200-01-01, in milliseconds since the epoch.
const HORIZON_MS: i64 = 7_258_118_400_000;

/// Calls or bytes counted against one quota. Of any number of concurrent calls just `limit` pass in a window.
#[derive(Debug)]
pub struct Counter {
    quota: Quota,
    amount_bits: u32,
    state: AtomicU64,
}

/// What one admitted call took, so that [`Counter::give_back`] can undo it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    index: i64,
    weight: u64,
}

impl Counter {
    /// Nothing spent yet.
    ///
    /// A quota too large for the bits left beside the window's index counts as the largest that fits: 128 GiB a minute, a thousand million calls
    /// a second, and more for longer windows.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::resume(quota, Spent::default())
    }

    /// Goes on where an earlier counter ended, perhaps one with another quota: what was spent counts if its window is the same.
    #[must_use]
    pub fn resume(quota: Quota, spent: Spent) -> Self {
        let highest = index(quota.length_ms(), Timestamp(HORIZON_MS)).unsigned_abs();
        // A window that never turns before the horizon still gets one bit.
        let index_bits = (u64::BITS - highest.leading_zeros()).max(1);
        let counter = Self { quota, amount_bits: u64::BITS - index_bits, state: AtomicU64::new(0) };
        counter.state.store(counter.pack(index(quota.length_ms(), Timestamp(spent.start_ms)), spent.used), Ordering::Relaxed);
        counter
    }

    /// Goes on under an edited quota: what was spent counts if its window is the same and calls are still calls, bytes still bytes.
    #[must_use]
    pub fn under(&self, quota: Quota) -> Self {
        Self::resume(quota, if quota.measures_as(&self.quota) { self.spent() } else { Spent::default() })
    }

    /// Counts one call, as [`Quota::admit`] does.
    ///
    /// # Errors
    /// [`Refused`]; the refused call is not counted.
    pub fn admit(&self, now: Timestamp, cost: Cost) -> Result<Ticket, Refused> {
        let weight = self.quota.weight(cost);
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (current, used) = self.at(state, now);
            if used >= self.limit() {
                return Err(self.quota.refusal(current));
            }
            // Relaxed is enough: the number itself is all that is shared, and a compare-exchange always sees its latest value.
            match self.state.compare_exchange_weak(
                state,
                self.pack(current, used.saturating_add(weight)),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(Ticket { index: current, weight }),
                Err(seen) => state = seen,
            }
        }
    }

    /// Whether a call would pass now, without counting it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check(&self, now: Timestamp) -> Result<(), Refused> {
        let (current, used) = self.at(self.state.load(Ordering::Relaxed), now);
        if used >= self.limit() { Err(self.quota.refusal(current)) } else { Ok(()) }
    }

    /// Undoes an admission whose call was refused elsewhere. Has no effect once the window has turned.
    pub fn give_back(&self, ticket: Ticket) {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let (current, used) = self.unpack(state);
            if current != ticket.index {
                return;
            }
            match self.state.compare_exchange_weak(
                state,
                self.pack(current, used.saturating_sub(ticket.weight)),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => state = seen,
            }
        }
    }

    /// What is spent, to be kept over a restart.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let (current, used) = self.unpack(self.state.load(Ordering::Relaxed));
        Spent { start_ms: Window::at(self.quota.length_ms(), current).start_ms, used }
    }

    /// The quota it counts against.
    #[must_use]
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Whether its window is over, so that a fresh counter would say the same and this one may be dropped.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let (reached, _) = self.unpack(self.state.load(Ordering::Relaxed));
        index(self.quota.length_ms(), now) > reached
    }

    /// Window and amount as they are at `now`.
    fn at(&self, state: u64, now: Timestamp) -> (i64, u64) {
        let (reached, used) = self.unpack(state);
        let current = index(self.quota.length_ms(), now.min(Timestamp(HORIZON_MS)));
        if current > reached { (current, 0) } else { (reached, used) }
    }

    fn limit(&self) -> u64 {
        self.quota.limit().min(self.highest_amount())
    }

    fn highest_amount(&self) -> u64 {
        (1_u64 << self.amount_bits) - 1
    }

    fn pack(&self, index: i64, amount: u64) -> u64 {
        index.unsigned_abs() << self.amount_bits | amount.min(self.highest_amount())
    }

    fn unpack(&self, state: u64) -> (i64, u64) {
        // At least one bit belongs to the amount, so the index fits.
        ((state >> self.amount_bits).cast_signed(), state & self.highest_amount())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;
    use std::thread;

    use model::{BandwidthUnit, Limit, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    const THREADS: usize = 8;

    fn per_minute(limit: u64) -> Counter {
        Counter::new(Quota::of(&Limit::per_minute(limit)).unwrap())
    }

    /// Calls admitted by `THREADS` threads that each try `tries` times.
    fn admitted(counter: &Counter, tries: usize, now: Timestamp) -> u64 {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| (0..tries).filter(|_| counter.admit(now, Cost::default()).is_ok()).count() as u64))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        })
    }

    #[test]
    fn exactly_the_limit_passes_whatever_the_crowd() {
        for limit in [1, 7, 1_000, 2_000_000] {
            let counter = per_minute(limit);
            let tries = usize::try_from(limit).unwrap() / THREADS + 1_000;
            for minute in 1..=2 {
                assert_eq!(admitted(&counter, tries, Timestamp(minute * 60_000)), limit);
            }
        }
    }

    #[test]
    fn every_window_passes_exactly_its_limit_while_windows_turn_under_the_crowd() {
        const LIMIT: u64 = 500;
        const WINDOWS: i64 = 200;
        let counter = per_minute(LIMIT);
        let clock = AtomicI64::new(1);
        let mut per_window = std::collections::BTreeMap::<i64, u64>::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut passed = std::collections::BTreeMap::<i64, u64>::new();
                        loop {
                            let window = clock.load(Ordering::Relaxed);
                            if window > WINDOWS {
                                return passed;
                            }
                            match counter.admit(Timestamp(window * 60_000), Cost::default()) {
                                Ok(ticket) => *passed.entry(ticket.index).or_default() += 1,
                                // Whoever sees the window spent turns it, so that each window is spent to the end.
                                Err(refused) => drop(clock.compare_exchange(
                                    refused.until.0 / 60_000 - 1,
                                    refused.until.0 / 60_000,
                                    Ordering::Relaxed,
                                    Ordering::Relaxed,
                                )),
                            }
                        }
                    })
                })
                .collect();
            for thread in threads {
                for (window, passed) in thread.join().unwrap() {
                    *per_window.entry(window).or_default() += passed;
                }
            }
        });
        assert_eq!(per_window.len(), usize::try_from(WINDOWS).unwrap());
        assert!(per_window.values().all(|passed| *passed == LIMIT), "{per_window:?}");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let counter = per_minute(1);
        let ticket = counter.admit(Timestamp(60_000), Cost::default()).unwrap();
        assert!(counter.check(Timestamp(60_000)).is_err());
        counter.give_back(ticket);
        assert!(counter.check(Timestamp(60_000)).is_ok());
        let old = counter.admit(Timestamp(60_000), Cost::default()).unwrap();
        assert!(counter.admit(Timestamp(120_000), Cost::default()).is_ok());
        counter.give_back(old);
        assert_eq!(counter.spent(), Spent { start_ms: 120_000, used: 1 });
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let counter = per_minute(3);
        let now = Timestamp(1_700_000_000_000);
        for _ in 0..2 {
            counter.admit(now, Cost::default()).unwrap();
        }
        let again = Counter::resume(*counter.quota(), counter.spent());
        assert!(again.admit(now, Cost::default()).is_ok());
        assert!(again.admit(now, Cost::default()).is_err());
        assert!(!again.is_idle(now));
        assert!(again.is_idle(now.plus_secs(60)));
    }

    #[test]
    fn an_edited_quota_keeps_what_was_spent_unless_it_measures_something_else() {
        let now = Timestamp(1_700_000_000_000);
        let bytes =
            Limit { quota: model::Quota::Bandwidth { amount: 1, unit: BandwidthUnit::Mb }, unit_time: 1, time_unit: TimeUnit::Minute };
        let counter = Counter::new(Quota::of(&bytes).unwrap());
        counter.admit(now, Cost { bytes: 5_000 }).unwrap();
        let calls = counter.under(Quota::of(&Limit::per_minute(10)).unwrap());
        assert_eq!(calls.spent().used, 0);
        calls.admit(now, Cost::default()).unwrap();
        assert_eq!(calls.under(Quota::of(&Limit::per_minute(2)).unwrap()).spent().used, 1);
    }

    #[test]
    fn large_bandwidths_and_every_unit_keep_their_amount() {
        let now = Timestamp(7_000_000_000_000);
        for time_unit in TimeUnit::ALL {
            let limit = Limit { quota: model::Quota::Bandwidth { amount: 1, unit: BandwidthUnit::Gb }, unit_time: 1, time_unit };
            let counter = Counter::new(Quota::of(&limit).unwrap());
            assert!(counter.admit(now, Cost { bytes: (1 << 30) - 1 }).is_ok(), "{time_unit:?}");
            assert_eq!(counter.spent().used, (1 << 30) - 1);
            assert!(counter.admit(now, Cost { bytes: u64::MAX }).is_ok(), "{time_unit:?}");
            assert!(counter.admit(now, Cost::default()).is_err(), "{time_unit:?}");
        }
    }

    #[test]
    fn times_beyond_the_horizon_share_its_last_window() {
        let counter = per_minute(1);
        assert!(counter.admit(Timestamp(i64::MAX), Cost::default()).is_ok());
        assert!(counter.admit(Timestamp(i64::MAX), Cost::default()).is_err());
    }

    proptest! {
        #[test]
        fn counts_as_a_single_owner_would(limit in 0_u64..6, calls in proptest::collection::vec((0_i64..400_000, 0_u64..2_000), 0..100), bytes: bool) {
            let quota = if bytes { model::Quota::Bandwidth { amount: limit, unit: BandwidthUnit::Kb } } else { model::Quota::Requests(limit) };
            let quota = Quota::of(&Limit { quota, unit_time: 1, time_unit: TimeUnit::Minute }).unwrap();
            let (counter, mut spent) = (Counter::new(quota), Spent::default());
            for (now, bytes) in calls {
                let alone = quota.admit(&mut spent, Timestamp(now), Cost { bytes });
                prop_assert_eq!(counter.admit(Timestamp(now), Cost { bytes }).map(drop), alone);
                prop_assert_eq!(counter.spent(), spent);
            }
        }
    }
}
