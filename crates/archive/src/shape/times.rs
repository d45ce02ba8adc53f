//! Times as the document's fields write them.

use chrono::{DateTime, Utc};
use model::Timestamp;

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `2024-05-01 17:04:05`, UTC. 4.0.0 writes a 12-hour clock without am and pm here; a 24-hour one reads the same to a parser.
pub fn list_time(at: Timestamp) -> String {
    utc(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2024-05-01T17:04:05.678Z`.
pub fn iso_time(at: Timestamp) -> String {
    utc(at).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_afternoon_is_not_a_night() {
        let at = Timestamp(1_714_583_045_678);
        assert_eq!(list_time(at), "2024-05-01 17:04:05");
        assert_eq!(iso_time(at), "2024-05-01T17:04:05.678Z");
        assert!(!list_time(Timestamp(i64::MAX)).is_empty());
    }
}
