//! The wall clock. Read here and passed on, so that nothing below the hall asks what time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;

/// Tells the time. The rooms take it as an argument of their making.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The present time.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    Timestamp(since)
}

/// A clock that runs as the wall's does, so many milliseconds off: for rehearsing an upgrade on the day its source was copied, when the old
/// tokens were alive.
#[must_use]
pub fn shifted(shift_ms: i64) -> Clock {
    Arc::new(move || now().plus_ms(shift_ms))
}
