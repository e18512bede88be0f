//! Sizes and spans of time as they are written in a configuration: `64MiB`, `250ms`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes, written as `512`, `64KiB`, `1MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl ByteSize {
    /// That many mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// As a length in memory.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        let (unit, size) = whole.unwrap_or(&("B", 1));
        write!(out, "{}{unit}", self.0 / size)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let size = match unit {
            "" => Some(1),
            unit => SIZES.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size),
        };
        let product = size.zip(number.parse::<u64>().ok()).and_then(|(size, count)| count.checked_mul(size));
        product.map(Self).ok_or_else(|| format!("`{text}` is no size: write it like 512, 64KiB, 1MiB or 2GiB"))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// For `#[serde(with = "...")]` on a [`std::time::Duration`]: written as `250ms`, `10s`, `5m`, `2h` or `7d`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    const SPANS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

    /// Writes a span in the largest unit that divides it.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&format(*value))
    }

    /// Reads a span.
    ///
    /// # Errors
    /// If the text is no span.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        parse(&String::deserialize(input)?).map_err(serde::de::Error::custom)
    }

    /// A span as it is written, to the millisecond.
    #[must_use]
    pub fn format(value: Duration) -> String {
        let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
        let whole = SPANS.iter().find(|(_, span)| millis != 0 && millis.is_multiple_of(*span));
        let (unit, span) = whole.unwrap_or(&("ms", 1));
        format!("{}{unit}", millis / span)
    }

    /// Reads a span.
    ///
    /// # Errors
    /// A sentence that says how to write one.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let (number, unit) = super::split(text);
        let span = SPANS.iter().find(|(name, _)| *name == unit).map(|(_, span)| *span);
        let millis = span.zip(number.parse::<u64>().ok()).and_then(|(span, count)| count.checked_mul(span));
        millis
            .map(Duration::from_millis)
            .ok_or_else(|| format!("`{text}` is no span of time: write it like 250ms, 10s, 5m, 2h or 7d"))
    }
}

fn split(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for size in [0, 1, 512, 1 << 10, 3 << 20, 5 << 30, (1 << 20) + 1] {
            assert_eq!(ByteSize(size).to_string().parse(), Ok(ByteSize(size)));
        }
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        for wrong in ["", "MiB", "-1", "1.5MiB", "64MB", "99999999999GiB"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        for millis in [0, 1, 250, 1_000, 90_000, 3_600_000, 7 * 86_400_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(duration::parse(&duration::format(span)), Ok(span));
        }
        for wrong in ["", "10", "s", "-1s", "1.5s", "1w", "99999999999999999d"] {
            assert!(duration::parse(wrong).is_err(), "{wrong}");
        }
    }
}
