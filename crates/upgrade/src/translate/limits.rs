//! A tier's count and unit as an exact limit: twenty a minute stays twenty a minute.

use model::{BandwidthUnit, Limit, Quota, TimeUnit};

/// A limit, and what had to be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    pub(super) limit: Limit,
    /// The window is longer than it was, at the same rate, because ours are whole seconds.
    pub(super) stretched: bool,
}

/// Units a window is written in, longest first. Weeks and longer are written in days, whose length nobody disputes.
const UNITS: [TimeUnit; 4] = [TimeUnit::Day, TimeUnit::Hour, TimeUnit::Minute, TimeUnit::Second];

/// `count` requests in `unit_ms` milliseconds, in the largest unit that divides the time exactly. A time that is no whole number of
/// seconds is stretched to the next multiple that is, and the count with it. `None` when either is no sensible number.
pub(super) fn of_tier(count: i64, unit_ms: i64) -> Option<Exact> {
    let count = u64::try_from(count).ok()?;
    if unit_ms <= 0 {
        return None;
    }
    let times = 1_000 / gcd(unit_ms, 1_000);
    let window_ms = unit_ms.checked_mul(times)?;
    let count = count.saturating_mul(u64::try_from(times).ok()?);
    if count >= Quota::UNLIMITED {
        return Some(Exact { limit: Limit::unlimited(), stretched: false });
    }
    let unit = UNITS.into_iter().find(|u| window_ms % u.millis() == 0)?;
    let unit_time = u32::try_from(window_ms / unit.millis()).ok()?;
    Some(Exact { limit: Limit { quota: Quota::Requests(count), unit_time, time_unit: unit }, stretched: times > 1 })
}

/// A 2.x policy's limit. `None` when a word or number makes no sense.
pub(super) fn of_policy(quota_type: &str, quota: i64, quota_unit: Option<&str>, unit_time: i64, time_unit: &str) -> Option<Limit> {
    let amount = u64::try_from(quota).ok()?;
    if !quota_type.eq_ignore_ascii_case("bandwidthVolume") && amount >= Quota::UNLIMITED {
        return Some(Limit::unlimited());
    }
    let quota = match quota_type.to_ascii_lowercase().as_str() {
        "requestcount" => Quota::Requests(amount),
        "bandwidthvolume" => Quota::Bandwidth { amount, unit: BandwidthUnit::parse(quota_unit?.trim())? },
        _ => return None,
    };
    let unit_time = u32::try_from(unit_time).ok().filter(|n| *n > 0)?;
    Some(Limit { quota, unit_time, time_unit: TimeUnit::parse(time_unit)? })
}

/// For people: `20 requests per 1 min`.
pub(super) fn words(limit: &Limit) -> String {
    if limit.is_unlimited() {
        return "no limit".to_owned();
    }
    let amount = match limit.quota {
        Quota::Requests(n) => format!("{n} requests"),
        Quota::Events(n) => format!("{n} events"),
        Quota::Bandwidth { amount, unit } => format!("{amount} {}", unit.name()),
    };
    format!("{amount} per {} {}", limit.unit_time, limit.time_unit.name())
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tier(count: i64, ms: i64) -> String {
        of_tier(count, ms).map_or_else(|| "nonsense".to_owned(), |e| words(&e.limit) + if e.stretched { " (stretched)" } else { "" })
    }

    #[test]
    fn the_largest_unit_that_divides_exactly_is_taken() {
        for (count, ms, expected) in [
            (20, 60_000, "20 requests per 1 min"),
            (10, 1_000, "10 requests per 1 sec"),
            (1_000, 86_400_000, "1000 requests per 1 days"),
            (30, 90_000, "30 requests per 90 sec"),
            (7, 604_800_000, "7 requests per 7 days"),
            (5, 7_200_000, "5 requests per 2 hours"),
            (5, 500, "10 requests per 1 sec (stretched)"),
            (1, 1_500, "2 requests per 3 sec (stretched)"),
            (0, 60_000, "0 requests per 1 min"),
            (2_147_483_647, 60_000, "no limit"),
            (-1, 60_000, "nonsense"),
            (1, 0, "nonsense"),
        ] {
            assert_eq!(tier(count, ms), expected, "{count} per {ms}");
        }
    }

    #[test]
    fn policies_of_2_x_read() {
        let read = |kind, quota, unit, time, word| of_policy(kind, quota, unit, time, word).map(|l| words(&l));
        assert_eq!(read("requestCount", 5_000, None, 1, "min"), Some("5000 requests per 1 min".into()));
        assert_eq!(read("requestCount", 2_147_483_647, None, 1, "min"), Some("no limit".into()));
        assert_eq!(read("bandwidthVolume", 3, Some("MB"), 2, "hour"), Some("3 MB per 2 hours".into()));
        assert_eq!(read("bandwidthVolume", 3, None, 2, "hour"), None);
        assert_eq!(read("requestCount", 3, None, 0, "hour"), None);
        assert_eq!(read("requestCount", 3, None, 1, "fortnight"), None);
    }

    proptest! {
        #[test]
        fn the_rate_never_changes(count in 0_i64..1_000_000, ms in 1_i64..10_000_000) {
            let exact = of_tier(count, ms).unwrap();
            if let Quota::Requests(n) = exact.limit.quota && !exact.limit.is_unlimited() {
                prop_assert_eq!(i128::from(n) * i128::from(ms), i128::from(count) * i128::from(exact.limit.window_ms()));
            }
        }
    }
}
