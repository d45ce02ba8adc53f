//! Counters of every level, in memory, by key.
//!
//! Keys are 128-bit digests of what the old product spells out (`<application>:<context>:<version>`), seeded anew in every process. Counting
//! is exact on one node: a shard's lock is held for the few nanoseconds that a count takes. Counters whose window has ended are
//! dropped, and their number is bounded; beyond the bound a call that would need a new one passes uncounted, and that is counted.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use ahash::RandomState;
use model::Timestamp;
use traffic::{Burst, BurstCounter, Cost, Counter, Quota, Refused, Ticket};

const SHARDS: usize = 64;

/// A burst counter unused for so long holds nothing that matters: its window is a minute at most.
const BURST_KEPT_MS: i64 = 120_000;

pub(crate) struct Counters {
    shards: Box<[Mutex<Shard>]>,
    seeds: [RandomState; 2],
    shard_max: usize,
    uncounted: metrics::Counter,
}

#[derive(Default)]
struct Shard {
    quotas: digests::Map<Counter>,
    bursts: digests::Map<(BurstCounter, Burst, i64)>,
    swept_ms: i64,
}

/// Names one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u128);

mod digests {
    use std::collections::HashMap;
    use std::hash::{BuildHasherDefault, Hasher};

    /// Keys are digests already.
    #[derive(Default)]
    pub(super) struct Identity(u64);

    impl Hasher for Identity {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
            }
        }

        fn write_u128(&mut self, digest: u128) {
            // Truncation is meant: any 64 bits of a digest are as good as others.
            self.0 = digest as u64;
        }
    }

    pub(super) type Map<V> = HashMap<u128, V, BuildHasherDefault<Identity>>;
}

impl Counters {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            seeds: [RandomState::new(), RandomState::new()],
            shard_max: (max / SHARDS).max(16),
            uncounted: metrics::counter!("gateway_calls_uncounted_total"),
        }
    }

    pub(crate) fn key(&self, parts: impl Hash) -> Key {
        let [high, low] = &self.seeds;
        Key(u128::from(high.hash_one(&parts)) << 64 | u128::from(low.hash_one(&parts)))
    }

    /// Counts one call. `None` when there was no room for a new counter.
    pub(crate) fn admit(&self, key: Key, quota: Quota, now: Timestamp, cost: Cost) -> Result<Option<Ticket>, Refused> {
        let mut shard = self.lock(key);
        if let Some(counter) = shard.quotas.get_mut(&key.0) {
            if *counter.quota() != quota {
                // The policy was edited: what was spent in a window of the same length still counts.
                *counter = Counter::resume(quota, counter.spent());
            }
            return counter.admit(now, cost).map(Some);
        }
        if !shard.has_room(self.shard_max, now) {
            self.uncounted.increment(1);
            return Ok(None);
        }
        shard.quotas.entry(key.0).or_insert_with(|| Counter::new(quota)).admit(now, cost).map(Some)
    }

    /// Undoes an admission.
    pub(crate) fn give_back(&self, key: Key, ticket: Ticket) {
        if let Some(counter) = self.lock(key).quotas.get(&key.0) {
            counter.give_back(ticket);
        }
    }

    /// Counts one call against a burst limit.
    pub(crate) fn admit_burst(&self, key: Key, burst: Burst, now: Timestamp) -> Result<(), Refused> {
        let mut shard = self.lock(key);
        if !shard.bursts.contains_key(&key.0) && !shard.has_room(self.shard_max, now) {
            self.uncounted.increment(1);
            return Ok(());
        }
        let (counter, known, used_ms) = shard.bursts.entry(key.0).or_insert_with(|| (BurstCounter::new(burst), burst, now.0));
        if *known != burst {
            (*counter, *known) = (BurstCounter::new(burst), burst);
        }
        *used_ms = now.0;
        counter.admit(now)
    }

    /// Drops counters whose window has ended, in one shard after the other: `turn` says which.
    pub(crate) fn sweep(&self, turn: usize, now: Timestamp) {
        if let Some(shard) = self.shards.get(turn % SHARDS) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).sweep(now);
        }
    }

    fn lock(&self, key: Key) -> std::sync::MutexGuard<'_, Shard> {
        // Not the bits the map inside uses.
        let position = (key.0 >> 64) as usize % SHARDS;
        let shard = self.shards.get(position).or_else(|| self.shards.first()).expect("there are always shards");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn has_room(&mut self, max: usize, now: Timestamp) -> bool {
        if self.quotas.len() + self.bursts.len() < max {
            return true;
        }
        if (now.0 - self.swept_ms).abs() < 1_000 {
            return false;
        }
        self.sweep(now);
        self.quotas.len() + self.bursts.len() < max
    }

    fn sweep(&mut self, now: Timestamp) {
        self.swept_ms = now.0;
        self.quotas.retain(|_, counter| !counter.is_idle(now));
        self.bursts.retain(|_, (_, _, used_ms)| (now.0 - *used_ms).abs() < BURST_KEPT_MS);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use model::Limit;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const FREE: Cost = Cost { bytes: 0 };

    fn quota(count: u64) -> Quota {
        Quota::of(&Limit::per_minute(count)).unwrap()
    }

    #[test]
    fn just_so_many_pass_from_many_threads() {
        let counters = Counters::new(1 << 16);
        let key = counters.key("k");
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if counters.admit(key, quota(1_000), NOW, FREE).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1_000);
    }

    #[test]
    fn an_edited_quota_keeps_what_was_spent() {
        let counters = Counters::new(1 << 16);
        let key = counters.key("k");
        for _ in 0..3 {
            counters.admit(key, quota(3), NOW, FREE).unwrap();
        }
        assert!(counters.admit(key, quota(3), NOW, FREE).is_err());
        assert!(counters.admit(key, quota(4), NOW, FREE).is_ok());
        assert!(counters.admit(key, quota(4), NOW, FREE).is_err());
    }

    #[test]
    fn the_number_of_counters_is_bounded_and_ended_ones_make_room() {
        let counters = Counters::new(SHARDS * 16);
        let admitted = |round: u64, now| {
            (0..10_000u64).filter(|n| matches!(counters.admit(counters.key((round, n)), quota(1), now, FREE), Ok(Some(_)))).count()
        };
        assert_eq!(admitted(0, NOW), SHARDS * 16);
        assert_eq!(admitted(1, NOW), 0);
        assert_eq!(admitted(2, Timestamp(NOW.0 + 120_000)), SHARDS * 16);
    }

    #[test]
    fn given_back_calls_can_be_made_again() {
        let counters = Counters::new(1 << 16);
        let key = counters.key("k");
        let ticket = counters.admit(key, quota(1), NOW, FREE).unwrap().unwrap();
        assert!(counters.admit(key, quota(1), NOW, FREE).is_err());
        counters.give_back(key, ticket);
        assert!(counters.admit(key, quota(1), NOW, FREE).is_ok());
    }
}
