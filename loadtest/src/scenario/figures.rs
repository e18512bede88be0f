//! Numbers that follow from what all processes counted and timed together, and that mean something in one scenario only.

use crate::measure::latency::Summary;
use crate::measure::names::{count, timing};
use crate::outcome::Outcome;

/// By name, as thresholds and reports know them.
pub(crate) fn figures(outcome: &Outcome) -> Vec<(String, f64)> {
    let mut figures = Vec::new();
    let mut figure = |name: &str, value: f64| {
        if value.is_finite() {
            figures.push((name.to_owned(), value));
        }
    };
    let times = |name: &str| outcome.timings.get(name).filter(|times| times.count > 0);
    let millis = |times: &Summary| times.max_us as f64 / 1000.0;
    if let (Some(before), Some(during)) = (times(timing::ACK), times(timing::STORM_ACK)) {
        figure("survivor ack p99 ratio", during.p99_us as f64 / before.p99_us as f64);
    }
    if let Some(back) = times(timing::BACK).filter(|_| outcome.count(count::NOT_BACK) == 0) {
        figure("all back after ms", millis(back));
    }
    let owed = outcome.count(count::OWED) as f64;
    if owed > 0.0 {
        figure("wake bytes per message", outcome.count(count::WAKE_BYTES) as f64 / owed);
        figure("share read back", outcome.ledger.skipped as f64 / owed);
    }
    figures
}
