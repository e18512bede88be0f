//! Latencies, as HdrHistograms with three significant digits, in microseconds.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de, ser};

/// Longest latency told apart, microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// A histogram that travels as text: HdrHistogram's own compressed form (V2, deflate), in Base64.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(pub Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        // Cannot fail: the bounds and digits are within what the histogram allows.
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds"))
    }
}

impl Latencies {
    /// Adds another histogram's samples.
    pub fn add(&mut self, other: &Self) {
        // Cannot fail: both have the same bounds.
        let _ = self.0.add(&other.0);
    }

    /// Its percentiles.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Summary {
            count: self.0.len(),
            min_us: self.0.min(),
            mean_us: self.0.mean(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: self.0.max(),
        }
    }
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(de::Error::custom)?;
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(de::Error::custom)?;
        Ok(Self(histogram))
    }
}

/// Records latencies from any task, until they are taken away.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Latencies>);

impl Recorder {
    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().0.saturating_record(micros.max(1));
    }

    /// What was recorded since the last time.
    pub(crate) fn take(&self) -> Latencies {
        let mut recorded = self.0.lock();
        let taken = recorded.clone();
        recorded.0.reset();
        taken
    }
}

/// What is told of a histogram, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Samples.
    pub count: u64,
    /// Smallest.
    pub min_us: u64,
    /// Mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: u64,
    /// 90 of 100 are no larger.
    pub p90_us: u64,
    /// 99 of 100 are no larger.
    pub p99_us: u64,
    /// 999 of 1,000 are no larger.
    pub p999_us: u64,
    /// 9,999 of 10,000 are no larger.
    pub p9999_us: u64,
    /// Largest.
    pub max_us: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |us: u64| us as f64 / 1000.0;
        let Self { count, p50_us, p90_us, p99_us, p999_us, max_us, .. } = *self;
        write!(
            out,
            "p50 {:.3}  p90 {:.3}  p99 {:.3}  p99.9 {:.3}  max {:.3} ms  ({count} samples)",
            ms(p50_us),
            ms(p90_us),
            ms(p99_us),
            ms(p999_us),
            ms(max_us)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_survives_its_text() {
        let recorder = Recorder::default();
        for micros in [1, 20, 300, 4_000, 50_000, 600_000_001] {
            recorder.record(Duration::from_micros(micros));
        }
        let taken = recorder.take();
        assert_eq!(recorder.take().summary().count, 0);
        let text = serde_json::to_string(&taken).unwrap();
        let read: Latencies = serde_json::from_str(&text).unwrap();
        assert_eq!(read.summary(), taken.summary());
        let mut sum = taken;
        sum.add(&read);
        assert_eq!(sum.summary().count, 12);
    }

    #[test]
    fn no_sample_is_no_trouble() {
        assert_eq!(Recorder::default().take().summary().p99_us, 0);
    }
}
