//! Works out rates and costs from what was counted and sampled.

use super::{Milestone, Outcome, Sample, Snapshot};
use crate::measure::names::count;
use crate::measure::server::metric;

/// What is told by the second and costs by the piece.
const PER_SECOND: [&str; 5] = [count::SENT, count::ACKED, count::RECEIVED, count::REQUESTS, count::CALLS];
/// What costs are shared out among.
const SHARES: [(&str, &str); 3] =
    [("message", count::ACKED), ("delivery", count::RECEIVED), ("request", count::REQUESTS)];

impl Outcome {
    /// Enters every figure that the outcome has the numbers for.
    pub(super) fn derive(&mut self) {
        let mut figures = Vec::new();
        self.rates(&mut figures);
        self.costs_of_connections(&mut figures);
        self.costs_of_load(&mut figures);
        self.commits(&mut figures);
        figures.extend(crate::scenario::figures(self));
        self.figures.extend(figures.into_iter().filter(|(_, value)| value.is_finite()));
    }

    fn rates(&self, figures: &mut Vec<(String, f64)>) {
        for name in PER_SECOND.into_iter().filter(|name| self.count(name) > 0 && self.seconds > 0.0) {
            figures.push((format!("{name} per second"), self.count(name) as f64 / self.seconds));
        }
    }

    fn costs_of_connections(&self, figures: &mut Vec<(String, f64)>) {
        let Some((start, up)) = self.snapshot(Milestone::Start).zip(self.snapshot(Milestone::Connected)) else {
            return;
        };
        let logins = self.count(count::CONNECTED).max(1) as f64;
        for (who, before, after) in costs(start, up) {
            figures.push((format!("{who} bytes per connection"), (after.rss as f64 - before.rss as f64) / logins));
            figures.push((format!("{who} us per login"), after.cpu_us.saturating_sub(before.cpu_us) as f64 / logins));
        }
        if let Some((before, after)) = start.kernel.zip(up.kernel) {
            let bytes = after.total() as f64 - before.total() as f64;
            figures.push(("kernel bytes per connection".to_owned(), bytes / logins));
        }
    }

    fn costs_of_load(&self, figures: &mut Vec<(String, f64)>) {
        let Some((up, done)) = self.snapshot(Milestone::Connected).zip(self.snapshot(Milestone::Loaded)) else {
            return;
        };
        for (who, before, after) in costs(up, done) {
            let cpu = after.cpu_us.saturating_sub(before.cpu_us) as f64;
            if self.seconds > 0.0 {
                figures.push((format!("{who} cores"), cpu / 1e6 / self.seconds));
            }
            for (what, of) in SHARES.into_iter().filter(|(_, of)| self.count(of) > 0) {
                figures.push((format!("{who} us per {what}"), cpu / self.count(of) as f64));
            }
        }
    }

    /// What the server's own metrics said while under load.
    fn commits(&self, figures: &mut Vec<(String, f64)>) {
        let sum = |name| {
            let grown = self.under_load().filter_map(|tick| Some(tick.metrics.get(name)? * f64::from(tick.span)));
            grown.sum::<f64>()
        };
        let watched = self.under_load().filter(|tick| !tick.metrics.is_empty());
        let seconds: f64 = watched.map(|tick| f64::from(tick.span)).sum();
        let mut figure = |name: &str, value: f64| figures.push((name.to_owned(), value));
        let (fsyncs, groups) = (sum(metric::FSYNCS), sum(metric::GROUPS));
        if fsyncs > 0.0 {
            figure("fsyncs per second", fsyncs / seconds);
            figure("fsync us", sum(metric::FSYNC_SECONDS) * 1e6 / fsyncs);
            figure("messages per fsync", sum(metric::ENTRIES) / fsyncs);
            figure("bytes per fsync", sum(metric::FSYNC_BYTES) / fsyncs);
        }
        if groups > 0.0 {
            figure("commits per group", sum(metric::COMMITS) / groups);
            let queued = self.under_load().filter_map(|tick| tick.metrics.get(metric::QUEUED).copied());
            figure("queued commits max", queued.fold(0.0, f64::max));
        }
    }
}

/// The server before and after, and the generator; those that were looked at.
fn costs(before: &Snapshot, after: &Snapshot) -> impl Iterator<Item = (&'static str, Sample, Sample)> {
    [("server", before.server(), after.server()), ("generator", before.generator, after.generator)]
        .into_iter()
        .filter(|(_, _, after)| after.rss > 0)
}
