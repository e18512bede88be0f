//! Numbers as people read them.

use jiff::Timestamp;

/// With thousands parted: `1,234,567`.
#[must_use]
pub fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that matter: `12,345`, `123`, `12.3`, `1.23`, `0.012`.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    match size {
        _ if !value.is_finite() => "-".to_owned(),
        _ if size >= 99.95 => format!("{sign}{}", whole(size.round() as u64)),
        _ if size >= 9.995 => trimmed(format!("{value:.1}")),
        _ if size >= 0.0995 => trimmed(format!("{value:.2}")),
        0.0 => "0".to_owned(),
        _ => trimmed(format!("{value:.3}")),
    }
}

/// Without zeros that say nothing.
fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A stretch of time given in microseconds: `230 µs`, `1.24 ms`, `2.1 s`.
#[must_use]
pub fn micros(us: f64) -> String {
    match us {
        _ if us < 999.5 => format!("{} µs", number(us.round())),
        _ if us < 999_500.0 => format!("{} ms", number(us / 1e3)),
        _ if us < 120e6 => format!("{} s", number(us / 1e6)),
        _ => format!("{} min", number(us / 60e6)),
    }
}

/// A stretch of time given in seconds, as a clock would show it: `45 s`, `1:05`, `1:02:03`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A moment given in Unix milliseconds: `2026-11-21 21:17 UTC`. Nothing for one that no calendar has.
#[must_use]
pub fn date(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    moment.map_or_else(String::new, |moment| moment.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// Decimal units: `1.3 kB`, `240 MB`.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (mut value, mut unit) = (bytes, "B");
    for next in ["kB", "MB", "GB", "TB"] {
        if value.abs() < 999.5 {
            break;
        }
        (value, unit) = (value / 1e3, next);
    }
    format!("{} {unit}", number(if unit == "B" { value.round() } else { value }))
}

/// For axes and tight places: `12.5k`, `3M`.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{}G", number(value / 1e9)),
        size if size >= 1e6 => format!("{}M", number(value / 1e6)),
        size if size >= 1e4 => format!("{}k", number(value / 1e3)),
        _ => number(value),
    }
}

/// A figure by its name, with the unit that the name promises.
#[must_use]
pub fn figure(name: &str, value: f64) -> String {
    let timed = [" min", " mean", " p50", " p90", " p99", " p99.9", " p99.99", " max"];
    let bare = name.split(['<', '>']).next().unwrap_or(name).trim_end();
    match bare {
        _ if bare.contains("bytes") => bytes(value),
        "fsync us" => micros(value),
        _ if bare.contains(" us per ") => micros_of_work(value),
        _ if bare.ends_with("per second") => format!("{}/s", number(value)),
        _ if bare.contains("commits") => number(value),
        _ if timed.iter().any(|end| bare.ends_with(end)) => micros(value),
        _ => number(value),
    }
}

/// Costs stay in one unit, so that they compare at a glance.
fn micros_of_work(us: f64) -> String {
    format!("{} µs", number(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        let numbers = [0.0, 0.0123, 0.1, 1.0, 1.236, 12.34, 99.96, 1234.6, 1_234_567.0, -1234.0];
        let texts = ["0", "0.012", "0.1", "1", "1.24", "12.3", "100", "1,235", "1,234,567", "-1,234"];
        assert_eq!(numbers.map(number), texts);
        assert_eq!(number(f64::NAN), "-");
    }

    #[test]
    fn units_fit_their_size() {
        assert_eq!(
            [230.4, 999.4, 1_240.0, 2_100_000.0, 180e6].map(micros),
            ["230 µs", "999 µs", "1.24 ms", "2.1 s", "3 min"]
        );
        assert_eq!([0.0, 999.0, 1_300.0, 240e6].map(bytes), ["0 B", "999 B", "1.3 kB", "240 MB"]);
        assert_eq!([45.0, 65.0, 3_723.0].map(clock), ["45 s", "1:05", "1:02:03"]);
        assert_eq!([0, 1_763_759_820_000, u64::MAX].map(date), ["1970-01-01 00:00 UTC", "2025-11-21 21:17 UTC", ""]);
        assert_eq!([950.0, 12_500.0, 3e6].map(short), ["950", "12.5k", "3M"]);
    }

    #[test]
    fn a_figures_name_tells_its_unit() {
        assert_eq!(figure("server bytes per connection", 1_300.0), "1.3 kB");
        assert_eq!(figure("server us per message", 12.3), "12.3 µs");
        assert_eq!(figure("acked per second", 5_000.0), "5,000/s");
        assert_eq!(figure("ack p99 < 20ms", 912.0), "912 µs");
        assert_eq!(figure("lost", 3.0), "3");
    }
}
