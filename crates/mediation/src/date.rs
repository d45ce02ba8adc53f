//! Dates as `SYSTEM_DATE` writes them, by Java's pattern letters; always in UTC, since a pure program knows no time zone.

use std::time::Duration;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// What Java writes when nothing is asked for.
pub(crate) const DEFAULT: &str = "M/d/yy h:mm a";

/// Year, month and day from 1, of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from March, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes a time since the Unix epoch by a pattern. Letters that are not known stay as they are.
pub(crate) fn format(pattern: &str, now: Duration) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX / 2);
    let days = seconds.div_euclid(86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds.rem_euclid(86_400) / 3600, seconds / 60 % 60, seconds % 60);
    let mut out = String::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\'' {
            if letters.next_if_eq(&'\'').is_some() {
                out.push('\'');
            } else {
                out.extend(letters.by_ref().take_while(|c| *c != '\''));
            }
            continue;
        }
        let mut width = 1;
        while letters.next_if_eq(&letter).is_some() {
            width += 1;
        }
        let number = |value: i64| format!("{value:0width$}");
        let name = |names: &[&str], at: i64| {
            let name = usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
            name.get(..if width < 4 { 3 } else { name.len() }).unwrap_or(name).to_owned()
        };
        out.push_str(&match letter {
            'y' | 'Y' | 'u' if width == 2 => format!("{:02}", year % 100),
            'y' | 'Y' | 'u' => number(year),
            'M' | 'L' if width > 2 => name(&MONTHS, month - 1),
            'M' | 'L' => number(month),
            'd' => number(day),
            'H' => number(hour),
            'k' => number(if hour == 0 { 24 } else { hour }),
            'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }),
            'K' => number(hour % 12),
            'm' => number(minute),
            's' => number(second),
            'S' => number(i64::from(now.subsec_millis())),
            'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            'E' => name(&DAYS, days.rem_euclid(7)),
            'D' => number(day_of_year(days, year)),
            'z' => "UTC".to_owned(),
            'Z' => "+0000".to_owned(),
            'X' => "Z".to_owned(),
            other => other.to_string().repeat(width),
        });
    }
    out
}

fn day_of_year(days: i64, year: i64) -> i64 {
    let mut first = days;
    while civil(first - 1).0 == year {
        first -= 1;
    }
    days - first + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_javas() {
        // 2024-02-29 13:05:09.042 UTC, a Thursday.
        let now = Duration::from_millis(1_709_211_909_042);
        for (pattern, text) in [
            ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-02-29T13:05:09.042Z"),
            ("EEE, d MMM yyyy h:mm a z", "Thu, 29 Feb 2024 1:05 PM UTC"),
            ("EEEE dd. MMMM yy", "Thursday 29. February 24"),
            ("yyyyMMddHHmmssSSSZ", "20240229130509042+0000"),
            ("''D''", "'60'"),
            (DEFAULT, "2/29/24 1:05 PM"),
        ] {
            assert_eq!(format(pattern, now), text);
        }
        assert_eq!(format("yyyy-MM-dd HH:mm", Duration::ZERO), "1970-01-01 00:00");
    }
}
