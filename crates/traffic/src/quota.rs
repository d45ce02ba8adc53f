//! One limit, and what was spent of it, for a single owner. [`crate::Counter`] does the same for many threads.

use std::fmt;
use std::str::FromStr;

use model::{Limit, Timestamp};

/// A stretch of time, from its start up to but not including its end, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First millisecond.
    pub start_ms: i64,
    /// First millisecond of the next one.
    pub end_ms: i64,
}

/// The window that `now` falls in. Windows are aligned to the epoch, so a day starts at 00:00 UTC, and a month, which has a fixed length here,
/// at no calendar point (4.0.0's rule).
#[must_use]
pub fn window(limit: &Limit, now: Timestamp) -> Window {
    Window::at(limit.window_ms().max(1), index(limit.window_ms().max(1), now))
}

impl Window {
    pub(crate) fn at(length_ms: i64, index: i64) -> Self {
        let start_ms = index.saturating_mul(length_ms);
        Self { start_ms, end_ms: start_ms.saturating_add(length_ms) }
    }
}

/// Which window since the epoch; times before it count as its first.
pub(crate) fn index(length_ms: i64, now: Timestamp) -> i64 {
    now.0.max(0).div_euclid(length_ms)
}

/// A refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quota is spent")]
pub struct Refused {
    /// When there is quota again.
    pub until: Timestamp,
}

/// What one call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Size of the request's body in bytes (`Content-Length`); responses are not counted.
    pub bytes: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Calls,
    Bytes,
}

/// A limit made ready for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    measure: Measure,
    limit: u64,
    length_ms: i64,
}

/// What is spent of a quota, to be kept over a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Start of the window it was spent in, milliseconds since the epoch.
    pub start_ms: i64,
    /// Calls or bytes.
    pub used: u64,
}

impl Quota {
    /// `None` when the limit counts nothing.
    ///
    /// 4.0.0 lets one event more than an event quota says pass and stops calls at exactly the quota; here both stop at the quota.
    #[must_use]
    pub fn of(limit: &Limit) -> Option<Self> {
        if limit.is_unlimited() {
            return None;
        }
        let (measure, amount) = match limit.quota {
            model::Quota::Requests(count) | model::Quota::Events(count) => (Measure::Calls, count),
            model::Quota::Bandwidth { amount, unit } => (Measure::Bytes, amount.saturating_mul(unit.bytes())),
        };
        Some(Self { measure, limit: amount, length_ms: limit.window_ms().max(1) })
    }

    /// A bound on calls in a second (backend throughput).
    #[must_use]
    pub fn per_second(calls: u64) -> Self {
        Self::calls(calls, 1_000)
    }

    /// So many calls in windows of a length, which is above nothing.
    pub(crate) fn calls(limit: u64, length_ms: i64) -> Self {
        Self { measure: Measure::Calls, limit, length_ms }
    }

    /// So many bytes in windows of a length, which is above nothing.
    pub(crate) fn bytes(limit: u64, length_ms: i64) -> Self {
        Self { measure: Measure::Bytes, limit, length_ms }
    }

    /// Counts one call.
    ///
    /// `limit` calls pass in a window; a bandwidth passes calls until the bytes reach it, so the last one may go beyond. If the clock steps back,
    /// the call counts inside the window already reached, so a step never hands out a fresh quota.
    ///
    /// # Errors
    /// [`Refused`]; the refused call is not counted.
    pub fn admit(&self, spent: &mut Spent, now: Timestamp, cost: Cost) -> Result<(), Refused> {
        let reached = index(self.length_ms, Timestamp(spent.start_ms));
        let current = index(self.length_ms, now).max(reached);
        let used = if current > reached { 0 } else { spent.used };
        if used >= self.limit {
            return Err(self.refusal(current));
        }
        *spent = Spent { start_ms: Window::at(self.length_ms, current).start_ms, used: used.saturating_add(self.weight(cost)) };
        Ok(())
    }

    /// Calls or bytes that pass in one window.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Length of a window in milliseconds.
    #[must_use]
    pub fn length_ms(&self) -> i64 {
        self.length_ms
    }

    /// Whether both count calls, or both bytes.
    #[must_use]
    pub(crate) fn measures_as(&self, other: &Self) -> bool {
        self.measure == other.measure
    }

    pub(crate) fn weight(&self, cost: Cost) -> u64 {
        match self.measure {
            Measure::Calls => 1,
            Measure::Bytes => cost.bytes,
        }
    }

    pub(crate) fn refusal(&self, index: i64) -> Refused {
        Refused { until: Timestamp(Window::at(self.length_ms, index).end_ms) }
    }
}

/// `calls <limit> <window in ms>` or `bytes <limit> <window in ms>`: how a quota is written beside what was spent of it.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measure = match self.measure {
            Measure::Calls => "calls",
            Measure::Bytes => "bytes",
        };
        write!(f, "{measure} {} {}", self.limit, self.length_ms)
    }
}

/// A text is no quota.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a quota")]
pub struct NoQuota(String);

impl FromStr for Quota {
    type Err = NoQuota;

    fn from_str(text: &str) -> Result<Self, NoQuota> {
        let read = || {
            let mut words = text.split(' ');
            let measure = match words.next()? {
                "calls" => Measure::Calls,
                "bytes" => Measure::Bytes,
                _ => return None,
            };
            let (limit, length_ms) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            (words.next().is_none() && length_ms > 0).then_some(Self { measure, limit, length_ms })
        };
        read().ok_or_else(|| NoQuota(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use model::{BandwidthUnit, TimeUnit};
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_day_starts_at_midnight_utc() {
        let limit = Limit { quota: model::Quota::Requests(1), unit_time: 1, time_unit: TimeUnit::Day };
        assert_eq!(window(&limit, Timestamp(3 * DAY)), Window { start_ms: 3 * DAY, end_ms: 4 * DAY });
        assert_eq!(window(&limit, Timestamp(4 * DAY - 1)), Window { start_ms: 3 * DAY, end_ms: 4 * DAY });
        assert_eq!(window(&limit, Timestamp(-5)).start_ms, 0);
    }

    #[test]
    fn limit_calls_pass_and_a_refused_one_does_not_count() {
        let quota = Quota::of(&Limit::per_minute(2)).unwrap();
        let mut spent = Spent::default();
        let now = Timestamp(60_500);
        assert_eq!(quota.admit(&mut spent, now, Cost::default()), Ok(()));
        assert_eq!(quota.admit(&mut spent, now, Cost::default()), Ok(()));
        assert_eq!(quota.admit(&mut spent, now, Cost::default()), Err(Refused { until: Timestamp(120_000) }));
        assert_eq!(spent, Spent { start_ms: 60_000, used: 2 });
        assert_eq!(quota.admit(&mut spent, Timestamp(120_000), Cost::default()), Ok(()));
    }

    #[test]
    fn a_step_back_gives_no_fresh_quota() {
        let quota = Quota::of(&Limit::per_minute(1)).unwrap();
        let mut spent = Spent::default();
        assert!(quota.admit(&mut spent, Timestamp(600_000), Cost::default()).is_ok());
        assert_eq!(quota.admit(&mut spent, Timestamp(500_000), Cost::default()), Err(Refused { until: Timestamp(660_000) }));
    }

    #[test]
    fn bandwidth_passes_until_the_sum_is_reached() {
        let limit =
            Limit { quota: model::Quota::Bandwidth { amount: 1, unit: BandwidthUnit::Kb }, unit_time: 1, time_unit: TimeUnit::Hour };
        let quota = Quota::of(&limit).unwrap();
        let mut spent = Spent::default();
        for (bytes, passes) in [(1_023, true), (0, true), (5_000, true), (0, false)] {
            assert_eq!(quota.admit(&mut spent, Timestamp(1), Cost { bytes }).is_ok(), passes, "{bytes}");
        }
    }

    #[test]
    fn nothing_passes_a_quota_of_zero_and_unlimited_is_none() {
        let quota = Quota::of(&Limit::per_minute(0)).unwrap();
        assert!(quota.admit(&mut Spent::default(), Timestamp(0), Cost::default()).is_err());
        assert_eq!(Quota::of(&Limit::unlimited()), None);
    }

    #[test]
    fn a_quota_is_read_as_it_was_written() {
        let gigabyte =
            Limit { quota: model::Quota::Bandwidth { amount: 1, unit: BandwidthUnit::Gb }, unit_time: 1, time_unit: TimeUnit::Day };
        for quota in [Quota::of(&gigabyte).unwrap(), Quota::of(&Limit::per_minute(7)).unwrap(), Quota::per_second(3)] {
            assert_eq!(quota.to_string().parse(), Ok(quota));
        }
        assert_eq!(Quota::per_second(3).to_string(), "calls 3 1000");
        for bad in ["", "calls", "calls 1", "calls 1 0", "calls 1 -5", "calls x 1000", "bytes 1 1000 1", "drops 1 1000"] {
            assert!(bad.parse::<Quota>().is_err(), "{bad}");
        }
    }

    proptest! {
        /// However the clock jumps, no window passes more than its limit, and none passes less while calls still come.
        #[test]
        fn no_window_passes_more_than_its_limit(limit in 0_u64..5, times in proptest::collection::vec(0_i64..600_000, 0..200)) {
            let quota = Quota::of(&Limit::per_minute(limit)).unwrap();
            let mut spent = Spent::default();
            let mut passed = std::collections::BTreeMap::<i64, u64>::new();
            for now in times {
                if quota.admit(&mut spent, Timestamp(now), Cost::default()).is_ok() {
                    *passed.entry(spent.start_ms).or_default() += 1;
                } else {
                    prop_assert_eq!(passed.get(&spent.start_ms).copied().unwrap_or(0), limit);
                }
            }
            prop_assert!(passed.values().all(|n| *n <= limit));
        }
    }
}
