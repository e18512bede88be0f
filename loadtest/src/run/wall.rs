//! The wall clock, for telling people and other machines when something was.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix microseconds.
pub(crate) fn now_us() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// The moment at which the wall clock shows this, as long as nobody sets it meanwhile.
pub(crate) fn instant(unix_us: u64) -> Instant {
    let (now, shown) = (Instant::now(), now_us());
    let away = Duration::from_micros(unix_us.abs_diff(shown));
    let moment = if unix_us >= shown { now.checked_add(away) } else { now.checked_sub(away) };
    moment.unwrap_or(now)
}
