//! The wall clock, for telling people and other machines when something was.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix microseconds.
pub(crate) fn now_us() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
