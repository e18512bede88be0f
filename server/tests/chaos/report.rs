//! What a run found and measured, for people and as one line of JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::checker::Findings;
use crate::faults::{Fault, Incident};
use crate::ledger::{Ledger, Moment, Outcome};
use crate::world::Account;

/// Over how long before a failover the rate of acknowledgements is taken that it is compared with.
const BEFORE: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    /// How many replicas an acknowledgement waits for.
    pub(crate) ack_replicas: usize,
    pub(crate) seconds: f64,
    pub(crate) faults: BTreeMap<Fault, usize>,
    pub(crate) failovers: usize,
    pub(crate) findings: Findings,
    /// From a fault until a replica was master.
    pub(crate) takeover_ms: Option<Spread>,
    /// The longest time without an acknowledgement on the shard that failed.
    pub(crate) silence_ms: Option<Spread>,
    /// Acknowledgements a second in that time in conversations that have nothing on that shard, as a share of those just before.
    pub(crate) healthy_share: Option<Spread>,
    pub(crate) reconnects: u64,
    pub(crate) resumed: u64,
    pub(crate) rest_repeats: usize,
}

/// The least, the middle and the most of several numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let median = *numbers.get(numbers.len() / 2)?;
        Some(Self { min: *numbers.first()?, median, max: *numbers.last()? })
    }
}

impl Report {
    pub(crate) fn new(
        seed: u64,
        ack_replicas: usize,
        ledger: &Ledger,
        incidents: &[Incident],
        account: Account,
    ) -> Self {
        let mut faults = BTreeMap::new();
        for incident in incidents {
            *faults.entry(incident.fault).or_default() += 1;
        }
        let failovers: Vec<&Incident> = incidents.iter().filter(|incident| incident.fault.is_failover()).collect();
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let takeover = failovers.iter().filter_map(|incident| Some(incident.taken_over?.since(incident.at)));
        let outages: Vec<Outage> = failovers.iter().filter_map(|incident| Outage::of(ledger, incident)).collect();
        Self {
            seed,
            ack_replicas,
            seconds: ledger.now().since(Moment(0)).as_secs_f64(),
            faults,
            failovers: failovers.len(),
            findings: account.findings,
            takeover_ms: Spread::of(takeover.map(millis).collect()),
            silence_ms: Spread::of(outages.iter().map(|outage| millis(outage.silence)).collect()),
            healthy_share: Spread::of(outages.iter().filter_map(|outage| outage.healthy_share).collect()),
            reconnects: account.reconnects,
            resumed: account.resumed,
            rest_repeats: account.repeats,
        }
    }

    /// Adds the report to a file, as a line.
    pub(crate) fn keep(&self, path: &Path) -> std::io::Result<()> {
        let mut file = std::fs::File::options().create(true).append(true).open(path)?;
        writeln!(file, "{}", serde_json::to_string(self)?)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, ack_replicas, seconds, faults, failovers, findings, .. } = self;
        writeln!(
            out,
            "seed {seed}, acknowledged by {ack_replicas} replicas, {seconds:.0} s, {failovers} failovers; faults: {faults:?}"
        )?;
        let Findings { acked, refused, unknown, lost, moved, duplicated, holes, ghosts, forged, .. } = findings;
        let Findings { reordered, disordered, undelivered, shown_not_kept, withdrawn, missed_resets, resets, .. } =
            findings;
        writeln!(out, "  {acked} acked, {refused} refused, {unknown} unknown")?;
        writeln!(
            out,
            "  {lost} lost, {moved} moved, {duplicated} duplicated, {reordered} out of order, {holes} holes, {ghosts} ghosts, {forged} forged"
        )?;
        writeln!(
            out,
            "  {shown_not_kept} shown and not kept ({withdrawn} withdrawn), {disordered} shown out of order, {undelivered} undelivered; {resets} resets, {missed_resets} missed"
        )?;
        for (what, spread) in [
            ("until a replica took over, ms", self.takeover_ms),
            ("without acks on the failed shard, ms", self.silence_ms),
        ] {
            if let Some(Spread { min, median, max }) = spread {
                writeln!(out, "  {what}: {min:.0} / {median:.0} / {max:.0} (min / median / max)")?;
            }
        }
        if let Some(Spread { min, median, max }) = self.healthy_share {
            writeln!(
                out,
                "  rate meanwhile in conversations of other shards, of before: {min:.2} / {median:.2} / {max:.2}"
            )?;
        }
        write!(
            out,
            "  {} reconnects ({} resumed), {} REST requests repeated",
            self.reconnects, self.resumed, self.rest_repeats
        )?;
        for example in &findings.examples {
            write!(out, "\n    {example}")?;
        }
        Ok(())
    }
}

/// What a failover did to acknowledgements.
struct Outage {
    silence: Duration,
    healthy_share: Option<f64>,
}

impl Outage {
    /// `None` where no conversation was on the shard that failed.
    fn of(ledger: &Ledger, incident: &Incident) -> Option<Self> {
        let (mut failed, mut healthy) = (Vec::new(), Vec::new());
        for conversation in ledger.conversations() {
            let answers = if incident.affected.contains(&conversation) {
                &mut failed
            } else if incident.elsewhere.contains(&conversation) {
                &mut healthy
            } else {
                continue;
            };
            let acked = ledger.operations(conversation).into_iter();
            let acked = acked.filter(|operation| matches!(operation.outcome, Outcome::Acked(_)));
            answers.extend(acked.map(|operation| operation.answered));
        }
        if failed.is_empty() {
            return None;
        }
        failed.sort();
        let (from, to) = longest_silence(&failed, incident.at, incident.recovered);
        let rate = |from: Moment, to: Moment| {
            let count = healthy.iter().filter(|moment| (from..to).contains(*moment)).count();
            count as f64 / to.since(from).as_secs_f64()
        };
        let before = rate(incident.at.minus(BEFORE), incident.at);
        Some(Self { silence: to.since(from), healthy_share: (before > 0.0).then(|| rate(from, to) / before) })
    }
}

/// Between which two answers, or ends of the time looked at, the longest time passed.
fn longest_silence(answers: &[Moment], from: Moment, to: Moment) -> (Moment, Moment) {
    let mut before = from;
    let mut longest = (from, from);
    for moment in answers.iter().copied().filter(|moment| (from..to).contains(moment)).chain([to]) {
        if moment.since(before) > longest.1.since(longest.0) {
            longest = (before, moment);
        }
        before = moment;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_is_between_answers_or_at_an_end() {
        let moments = |numbers: &[u64]| numbers.iter().copied().map(Moment).collect::<Vec<_>>();
        let silence = |numbers: &[u64]| {
            let (from, to) = longest_silence(&moments(numbers), Moment(10), Moment(100));
            (from.0, to.0)
        };
        assert_eq!(silence(&[1, 12, 20, 70, 90, 200]), (20, 70));
        assert_eq!(silence(&[90]), (10, 90));
        assert_eq!(silence(&[20]), (20, 100));
        assert_eq!(silence(&[]), (10, 100));
    }

    #[test]
    fn a_spread_has_its_ends_and_its_middle() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
