//! A stretch of time as people write it: `500ms`, `10s`, `1m 30s`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Longer than anybody measures, and short enough to be added to any clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A stretch of time, a year at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    /// A bare number means seconds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text} is no duration: write 500ms, 10s or 1m 30s");
        let span = if let Ok(seconds) = text.parse::<f64>() {
            Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?
        } else {
            let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
            Duration::try_from(parsed).map_err(|_| wrong())?
        };
        if span > LONGEST { Err(format!("{text} is more than a year")) } else { Ok(Self(span)) }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Longer than jiff can tell is not what anybody wrote.
        write!(out, "{:#}", SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_survives_its_text() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("1m 30s", 90_000), ("7", 7_000), ("0.25", 250)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.0.as_millis(), millis, "{text}");
            assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
        for bad in ["soon", "-1", "-3s", "nan", "1e18", "9000h"] {
            assert!(bad.parse::<Span>().unwrap_err().contains(bad));
        }
    }
}
