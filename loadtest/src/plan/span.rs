//! A stretch of time as people write it: `500ms`, `10s`, `1m 30s`.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A stretch of time.
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
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| wrong());
        }
        let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
        Duration::try_from(parsed).map(Self).map_err(|_| wrong())
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
        // Longer than jiff can tell is longer than anybody measures.
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
        for bad in ["soon", "-1", "-3s"] {
            assert!(bad.parse::<Span>().unwrap_err().contains(bad));
        }
    }
}
