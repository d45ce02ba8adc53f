//! The values a row may hold, in the form H2 stored them.
//!
//! Times carry no zone: H2 did not store one. What the stored clock means is said at [`Clock`]; deciding which zone it
//! ran in is the caller's business, because only the caller knows the old server.

use std::fmt;

/// One row: a value for each column of its table, in column order.
pub type Row = Vec<Value>;

/// One value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    Null,
    Bool(bool),
    TinyInt(i8),
    SmallInt(i16),
    Int(i32),
    Long(i64),
    /// A decimal number in plain notation, with as many digits after the point as were stored.
    Decimal(String),
    Double(f64),
    Float(f32),
    Time(TimeOfDay),
    Date(CivilDate),
    Timestamp(CivilDateTime),
    Bytes(Vec<u8>),
    Text(String),
    Clob(String),
    Blob(Vec<u8>),
    /// A large object that was left where it is, see [`crate::Rows::leave_lobs`].
    Lob(LobRef),
    Uuid([u8; 16]),
    /// A serialized Java object, as its bytes.
    JavaObject(Vec<u8>),
    /// A geometry in well-known binary.
    Geometry(Vec<u8>),
    Array(Vec<Value>),
}

impl Value {
    /// The number in any integer type.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::TinyInt(number) => Some(i64::from(*number)),
            Value::SmallInt(number) => Some(i64::from(*number)),
            Value::Int(number) => Some(i64::from(*number)),
            Value::Long(number) => Some(*number),
            _ => None,
        }
    }

    /// The text of a `Text` or `Clob`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Clob(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a `Bytes` or `Blob`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) | Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// Which clock a stored date-time was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// The server's zone at its standard offset, all year round: in summer one hour behind the clock on the wall. H2 1.2
    /// and 1.3 write this by default. Subtracting the zone's standard offset gives UTC, with no doubtful hour.
    Standard,
    /// The clock on the wall, summer time included (H2 1.3 with `h2.storeLocalTime`).
    Wall,
}

/// A day in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl CivilDate {
    /// The day that is `days` after 1970-01-01.
    pub fn from_days(days: i64) -> CivilDate {
        // Count from 0000-03-01, so that the leap day is the last day of a year; 146097 days make 400 years.
        let days = i128::from(days) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i128::from(month <= 2);
        CivilDate { year: year as i64, month: month as u8, day: day as u8 }
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        let year = i128::from(self.year) - i128::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month = i128::from(self.month);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + i128::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) as i64
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A time of day, without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    /// Nanoseconds since midnight, less than one day.
    pub nanos: u64,
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.nanos / 1_000_000_000;
        let nanos = self.nanos % 1_000_000_000;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if nanos == 0 {
            return Ok(());
        }
        let digits = format!("{nanos:09}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

/// A day and a time of day on the given clock, without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CivilDateTime {
    pub date: CivilDate,
    pub time: TimeOfDay,
    pub clock: Clock,
}

impl CivilDateTime {
    /// Milliseconds from 1970-01-01 00:00 on the same clock.
    pub fn clock_millis(&self) -> i64 {
        self.date.days().saturating_mul(86_400_000).saturating_add((self.time.nanos / 1_000_000) as i64)
    }
}

impl fmt::Display for CivilDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.date, self.time)
    }
}

/// Where a large object is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LobRef {
    pub kind: LobKind,
    pub place: LobPlace,
    /// Bytes of a `Blob`, UTF-16 units of a `Clob`; 0 or less when the writer did not know.
    pub length: i64,
}

/// What a large object's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LobKind {
    Blob,
    /// Text, kept in UTF-8.
    Clob,
}

/// The two homes large objects have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LobPlace {
    /// A file below `<name>.lobs.db/` (H2 1.2, and 1.3 with `h2.lobInDatabase=false`).
    File { table_id: i32, object_id: i32, compressed: bool },
    /// Blocks in the table `INFORMATION_SCHEMA.LOB_DATA` (H2 1.3).
    Blocks { lob: i64 },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        assert_eq!(CivilDate::from_days(0), CivilDate { year: 1970, month: 1, day: 1 });
        assert_eq!(CivilDate::from_days(-1), CivilDate { year: 1969, month: 12, day: 31 });
        assert_eq!(CivilDate::from_days(11_016), CivilDate { year: 2000, month: 2, day: 29 });
        assert_eq!(CivilDate::from_days(16_495).to_string(), "2015-03-01");
    }

    #[test]
    fn a_fraction_is_shown_without_trailing_zeros() {
        assert_eq!(TimeOfDay { nanos: 3_661_120_000_000 }.to_string(), "01:01:01.12");
        assert_eq!(TimeOfDay { nanos: 0 }.to_string(), "00:00:00");
    }

    proptest! {
        #[test]
        fn days_and_dates_are_inverse(days in -4_000_000_000i64..4_000_000_000) {
            prop_assert_eq!(CivilDate::from_days(days).days(), days);
        }

        #[test]
        fn any_number_of_days_is_a_date(days: i64) {
            let date = CivilDate::from_days(days);
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
        }
    }
}
