//! Times for people, in this machine's time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Unix milliseconds as `2026-11-21 10:54:40`.
pub(crate) fn format(millis: i64) -> String {
    written(millis, "%Y-%m-%d %H:%M:%S")
}

/// Unix milliseconds as `10:54`.
pub(crate) fn hour_minute(millis: i64) -> String {
    written(millis, "%H:%M")
}

fn written(millis: i64, how: &str) -> String {
    let time = Timestamp::from_millisecond(millis);
    time.map_or_else(|_| "?".to_owned(), |time| time.to_zoned(TimeZone::system()).strftime(how).to_string())
}
