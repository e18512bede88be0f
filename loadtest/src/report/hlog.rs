//! Every second's histograms as an HdrHistogram interval log, which HdrHistogram's own tools read and plot.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::outcome::Outcome;

/// Values are told in milliseconds by the log's own maximum; histograms hold microseconds.
const MICROS_PER_MILLI: f64 = 1000.0;

/// Writes the log: a line for each second and timing, tagged with the timing's name.
pub fn write(outcome: &Outcome, out: &mut impl Write) -> anyhow::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment(&outcome.tool)
        .with_start_time(UNIX_EPOCH + Duration::from_millis(outcome.started_at_ms))
        .with_max_value_divisor(MICROS_PER_MILLI);
    let mut log = builder.begin_log_with(out, &mut serializer).context("cannot begin the log")?;
    for tick in &outcome.timeline {
        for (name, times) in tick.timings.iter().filter(|(_, times)| !times.is_empty()) {
            let begun = Duration::from_secs(u64::from(tick.second.saturating_sub(tick.span)));
            let took = Duration::from_secs(u64::from(tick.span));
            // A tag has no room for spaces and commas.
            let tag = name.replace([',', ' ', '\r', '\n'], "-");
            log.write_histogram(&times.histogram(), begun, took, Tag::new(&tag))
                .map_err(|error| anyhow::anyhow!("cannot write an interval: {error:?}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::super::fixture;
    use super::*;
    use crate::measure::names::timing;

    #[test]
    fn the_log_holds_every_second() {
        let outcome = fixture::outcome();
        let mut log = Vec::new();
        write(&outcome, &mut log).unwrap();
        let intervals = IntervalLogIterator::new(&log)
            .filter(|entry| {
                matches!(entry.as_ref().unwrap(), LogEntry::Interval(interval)
                    if interval.tag().is_some_and(|tag| tag.as_str() == timing::ACK))
            })
            .count();
        let seconds = outcome.timeline.iter().filter(|tick| !tick.timings[timing::ACK].is_empty()).count();
        assert!(seconds > 0 && intervals == seconds);
    }
}
