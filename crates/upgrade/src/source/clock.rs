//! Turns the wall clocks of old columns into points in time, each by the rule of its column.
//!
//! The old product wrote token times through a UTC calendar and everything else in the local time of its JVM; one rule for all
//! columns would silently move half of them.

use chrono::{LocalResult, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// Reads wall clocks of one old installation.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zone: Tz,
}

/// Which clock a column was written by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenIn {
    /// UTC, whatever the server's zone.
    Utc,
    /// The local time of the old server's JVM.
    Local,
}

/// A point in time, and how sure the wall clock was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Milliseconds since the Unix epoch, UTC.
    pub epoch_ms: i64,
    /// Whether the wall clock named exactly one point.
    pub certainty: Certainty,
}

/// How sure a wall clock is about its point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// One point.
    Exact,
    /// Clocks were put back: the same hour came twice, and the first is taken.
    Twice,
    /// Clocks were put forward: that hour never was on the wall, and the time one hour on is taken.
    Never,
}

impl Clock {
    /// A clock for a server whose JVM ran in `zone`.
    pub fn new(zone: Tz) -> Self {
        Self { zone }
    }

    /// The zone given to [`Clock::new`].
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The point in time `civil` means in that column.
    pub fn instant(&self, table: &str, column: &str, civil: NaiveDateTime) -> Instant {
        match written_in(table, column) {
            WrittenIn::Utc => exact(civil),
            WrittenIn::Local => self.local(civil),
        }
    }

    /// Shorthand for the milliseconds of [`Clock::instant`].
    pub fn epoch_ms(&self, table: &str, column: &str, civil: NaiveDateTime) -> i64 {
        self.instant(table, column, civil).epoch_ms
    }

    fn local(&self, civil: NaiveDateTime) -> Instant {
        match self.zone.from_local_datetime(&civil) {
            LocalResult::Single(t) => Instant { epoch_ms: t.timestamp_millis(), certainty: Certainty::Exact },
            LocalResult::Ambiguous(first, _) => Instant { epoch_ms: first.timestamp_millis(), certainty: Certainty::Twice },
            LocalResult::None => {
                let later = civil.checked_add_signed(TimeDelta::hours(1)).unwrap_or(civil);
                let epoch_ms = match self.zone.from_local_datetime(&later) {
                    LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => t.timestamp_millis(),
                    LocalResult::None => civil.and_utc().timestamp_millis(),
                };
                Instant { epoch_ms, certainty: Certainty::Never }
            }
        }
    }
}

fn exact(civil: NaiveDateTime) -> Instant {
    Instant { epoch_ms: civil.and_utc().timestamp_millis(), certainty: Certainty::Exact }
}

/// The rule of a column.
pub fn written_in(table: &str, column: &str) -> WrittenIn {
    let (table, column) = (table.to_ascii_uppercase(), column.to_ascii_uppercase());
    let utc = match column.as_str() {
        "TIME_CREATED" | "REFRESH_TOKEN_TIME_CREATED" => {
            table.starts_with("IDN_OAUTH2_ACCESS_TOKEN") || table == "IDN_OAUTH2_AUTHORIZATION_CODE"
        }
        "DATE_COMMENTED" => table == "AM_API_COMMENTS",
        _ => false,
    };
    if utc { WrittenIn::Utc } else { WrittenIn::Local }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn tokens_are_in_utc_and_the_rest_is_local() {
        let clock = Clock::new(chrono_tz::America::New_York);
        let token = clock.epoch_ms("IDN_OAUTH2_ACCESS_TOKEN_A", "TIME_CREATED", at("2015-07-01 14:00"));
        let application = clock.epoch_ms("AM_APPLICATION", "CREATED_TIME", at("2015-07-01 10:00"));
        assert_eq!(token, application);
        assert_eq!(written_in("am_api_comments", "date_commented"), WrittenIn::Utc);
        assert_eq!(written_in("IDN_THRIFT_SESSION", "CREATED_TIME"), WrittenIn::Local);
    }

    /// Every column of the old schema that holds a time, with the clock the reference gives it.
    const COLUMNS: &[(&str, &str, WrittenIn)] = &[
        ("IDN_OAUTH2_ACCESS_TOKEN", "TIME_CREATED", WrittenIn::Utc),
        ("IDN_OAUTH2_ACCESS_TOKEN", "REFRESH_TOKEN_TIME_CREATED", WrittenIn::Utc),
        ("IDN_OAUTH2_ACCESS_TOKEN_B", "TIME_CREATED", WrittenIn::Utc),
        ("IDN_OAUTH2_AUTHORIZATION_CODE", "TIME_CREATED", WrittenIn::Utc),
        ("AM_API_COMMENTS", "DATE_COMMENTED", WrittenIn::Utc),
        ("AM_SUBSCRIBER", "DATE_SUBSCRIBED", WrittenIn::Local),
        ("AM_API", "CREATED_TIME", WrittenIn::Local),
        ("AM_API", "UPDATED_TIME", WrittenIn::Local),
        ("AM_API_LC_EVENT", "EVENT_DATE", WrittenIn::Local),
        ("AM_SUBSCRIPTION", "LAST_ACCESSED", WrittenIn::Local),
        ("AM_WORKFLOWS", "WF_CREATED_TIME", WrittenIn::Local),
        ("AM_WORKFLOWS", "WF_UPDATED_TIME", WrittenIn::Local),
        ("REG_RESOURCE", "REG_CREATED_TIME", WrittenIn::Local),
        ("REG_RESOURCE", "REG_LAST_UPDATED_TIME", WrittenIn::Local),
        ("UM_USER", "UM_CHANGED_TIME", WrittenIn::Local),
        ("UM_TENANT", "UM_CREATED_DATE", WrittenIn::Local),
    ];

    proptest! {
        #[test]
        fn every_column_keeps_its_moment(
            seconds in 0_i64..2_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Asia/Colombo", "America/New_York", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Casablanca"]),
        ) {
            let zone: Tz = zone.parse().unwrap();
            let clock = Clock::new(zone);
            let moment = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            for (table, column, written) in COLUMNS {
                prop_assert_eq!(written_in(table, column), *written);
                // What the old product wrote at that moment.
                let wall = match written {
                    WrittenIn::Utc => moment.naive_utc(),
                    WrittenIn::Local => moment.with_timezone(&zone).naive_local(),
                };
                let read = clock.instant(table, column, wall);
                match read.certainty {
                    Certainty::Exact => prop_assert_eq!(read.epoch_ms, seconds * 1000),
                    // The first of two is taken; no wall clock that was shown is one that never was.
                    Certainty::Twice => prop_assert!(read.epoch_ms == seconds * 1000 || read.epoch_ms >= (seconds - 7200) * 1000 && read.epoch_ms < seconds * 1000),
                    Certainty::Never => prop_assert!(false, "{table}.{column}"),
                }
                prop_assert!(*written == WrittenIn::Local || read.certainty == Certainty::Exact);
            }
        }
    }

    #[test]
    fn hours_that_came_twice_or_never_say_so() {
        let clock = Clock::new(chrono_tz::Europe::Berlin);
        let twice = clock.instant("AM_API", "CREATED_TIME", at("2015-10-25 02:30"));
        assert_eq!((twice.certainty, twice.epoch_ms), (Certainty::Twice, at("2015-10-25 00:30").and_utc().timestamp_millis()));
        let never = clock.instant("AM_API", "CREATED_TIME", at("2015-03-29 02:30"));
        assert_eq!((never.certainty, never.epoch_ms), (Certainty::Never, at("2015-03-29 01:30").and_utc().timestamp_millis()));
    }
}
