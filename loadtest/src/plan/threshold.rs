//! What must be true of a run's outcome: `ack p99 < 20ms`, `acked per second > 4900`.

use serde::{Deserialize, Serialize};

use super::span::Span;

/// One condition. Its left side is a name that [`Outcome::value`](crate::outcome::Outcome::value) knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// `ack p99`, `acked per second`, `server bytes per connection`, …
    pub name: String,
    /// How it must compare.
    pub comparison: Comparison,
    /// With what. Times in microseconds.
    pub bound: f64,
    /// The right side as it was written.
    pub text: String,
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A condition, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The condition, as text.
    pub threshold: String,
    /// What was measured; none when the run has no such number, which is a failure too.
    pub measured: Option<f64>,
    /// Whether it holds.
    pub passed: bool,
}

impl Threshold {
    /// Reads a condition's name and its right side: `ack p99`, `< 20ms`.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let signs = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        let (rest, comparison) = signs
            .iter()
            .find_map(|&(sign, comparison)| Some((text.strip_prefix(sign)?.trim(), comparison)))
            .ok_or_else(|| format!("{name}: {text} must begin with <, <=, > or >="))?;
        let number = rest.replace('_', "").parse::<f64>().ok();
        let micros = || rest.parse::<Span>().ok().map(|span| span.0.as_secs_f64() * 1e6);
        let bound =
            number.or_else(micros).ok_or_else(|| format!("{name}: {rest} is neither a number nor a duration"))?;
        Ok(Self { name: name.trim().to_owned(), comparison, bound, text: text.to_owned() })
    }

    /// Compares.
    #[must_use]
    pub fn judge(&self, measured: Option<f64>) -> Judged {
        let passed = measured.is_some_and(|measured| match self.comparison {
            Comparison::Below => measured < self.bound,
            Comparison::AtMost => measured <= self.bound,
            Comparison::Above => measured > self.bound,
            Comparison::AtLeast => measured >= self.bound,
        });
        Judged { threshold: self.to_string(), measured, passed }
    }
}

impl std::str::FromStr for Threshold {
    type Err = String;

    /// Both sides in one text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text.find(['<', '>']).ok_or_else(|| format!("{text}: write for example 'ack p99 < 20ms'"))?;
        let (name, rest) = text.split_at(at);
        Self::parse(name, rest)
    }
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.name, self.text)
    }
}

/// As a TOML table: names to right sides.
pub(crate) mod table {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::Threshold;

    pub(crate) fn serialize<S: Serializer>(thresholds: &[Threshold], serializer: S) -> Result<S::Ok, S::Error> {
        let table: BTreeMap<&str, &str> =
            thresholds.iter().map(|threshold| (threshold.name.as_str(), threshold.text.as_str())).collect();
        table.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Threshold>, D::Error> {
        let table = BTreeMap::<String, String>::deserialize(deserializer)?;
        table.iter().map(|(name, text)| Threshold::parse(name, text).map_err(de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_compare() {
        let latency: Threshold = "ack p99 < 20ms".parse().unwrap();
        assert!(latency.judge(Some(19_999.0)).passed && !latency.judge(Some(20_000.0)).passed);
        assert!(!latency.judge(None).passed, "what was not measured is not kept");
        let rate: Threshold = "acked per second >= 4_900".parse().unwrap();
        assert!(rate.judge(Some(4_900.0)).passed && !rate.judge(Some(4_899.0)).passed);
        for bad in ["ack p99", "ack p99 < soon", "ack p99 = 3"] {
            assert!(bad.parse::<Threshold>().is_err(), "{bad}");
        }
    }
}
