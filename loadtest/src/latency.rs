//! Latencies, as HdrHistograms with three significant digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;

/// Longest latency told apart, microseconds: ten minutes.
const LONGEST: u64 = 600_000_000;

/// Records latencies from any task.
#[derive(Debug)]
pub(crate) struct Latency(Mutex<Histogram<u64>>);

impl Latency {
    pub(crate) fn new() -> Self {
        // Cannot fail: the bounds and digits are within what the histogram allows.
        Self(Mutex::new(Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds")))
    }

    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.lock().saturating_record(micros.max(1));
    }

    pub(crate) fn summary(&self) -> Summary {
        let histogram = self.0.lock();
        Summary {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

/// What is told of a histogram, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |us: u64| us as f64 / 1000.0;
        let Self { count, p50_us, p90_us, p99_us, p999_us, max_us } = *self;
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
