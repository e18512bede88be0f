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

/// How often each latency was measured. Travels as text: HdrHistogram's own compressed form (V2, deflate), in Base64.
///
/// Only latencies that occurred take memory: a histogram at rest would take 180 kB, and a run keeps several for each second.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(Vec<(u32, u64)>);

fn empty() -> Histogram<u64> {
    // Cannot fail: the bounds and digits are within what the histogram allows.
    Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds")
}

impl From<&Histogram<u64>> for Latencies {
    fn from(histogram: &Histogram<u64>) -> Self {
        let steps = histogram.iter_recorded();
        Self(
            steps
                .map(|step| {
                    (u32::try_from(step.value_iterated_to()).unwrap_or(u32::MAX), step.count_since_last_iteration())
                })
                .collect(),
        )
    }
}

impl Latencies {
    /// Adds another one's samples.
    pub fn add(&mut self, other: &Self) {
        self.0.extend(&other.0);
        self.0.sort_unstable();
        self.0.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 = sum.1.saturating_add(next.1);
            }
            same
        });
    }

    /// The latency, microseconds, that this share of the samples does not exceed; 0 without samples.
    #[must_use]
    pub fn at(&self, quantile: f64) -> u64 {
        self.histogram().value_at_quantile(quantile)
    }

    /// Samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Whether there is no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a histogram, to compute with.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = empty();
        for &(micros, count) in &self.0 {
            histogram.saturating_record_n(u64::from(micros), count);
        }
        histogram
    }

    /// Its percentiles.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let histogram = self.histogram();
        let at = |quantile| histogram.value_at_quantile(quantile);
        Summary {
            count: histogram.len(),
            min_us: histogram.min(),
            mean_us: histogram.mean(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: histogram.max(),
        }
    }
}

impl Serialize for Latencies {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.histogram(), &mut bytes).map_err(ser::Error::custom)?;
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(de::Error::custom)?;
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(de::Error::custom)?;
        Ok(Self::from(&histogram))
    }
}

/// Records latencies from any task, until they are taken away.
#[derive(Debug)]
pub(crate) struct Recorder(Mutex<Histogram<u64>>);

impl Default for Recorder {
    fn default() -> Self {
        Self(Mutex::new(empty()))
    }
}

impl Recorder {
    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().saturating_record(micros.max(1));
    }

    /// What was recorded since the last time.
    pub(crate) fn take(&self) -> Latencies {
        let mut recorded = self.0.lock();
        let taken = Latencies::from(&*recorded);
        recorded.reset();
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
        assert_eq!(sum.0.len(), 6, "equal ones are one entry");
    }

    #[test]
    fn no_sample_is_no_trouble() {
        assert_eq!(Recorder::default().take().summary().p99_us, 0);
    }
}
