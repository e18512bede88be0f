//! Compares what clients did and saw with what is there in the end. Linear in the number of messages.
//!
//! It knows the promises and nothing of how they are kept: the logs are read through a process that had no part in the run.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::ledger::{Moment, Name, Operation, Outcome, Shown};

/// Examples of faults that a report shows.
const EXAMPLES: usize = 20;

/// An entry of a log, as it is in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    /// What its text says; entries that no writer wrote have none.
    pub(crate) name: Option<Name>,
    /// Who sent it, and under which id. Empty where the server wrote the entry.
    pub(crate) sent: (u64, String),
}

/// One device's view of one conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) device: &'a str,
    /// What it was told, in order, after it has synchronised for the last time.
    pub(crate) stream: &'a [Shown],
    /// What it read back in between.
    pub(crate) glimpses: &'a [(u64, Option<Name>)],
}

/// What was found. Everything but the first three and `withdrawn` is a broken promise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    /// Messages acknowledged.
    pub(crate) acked: u64,
    /// Messages refused for good.
    pub(crate) refused: u64,
    /// Messages whose outcome nobody knows.
    pub(crate) unknown: u64,
    /// Acknowledged, and not there.
    pub(crate) lost: u64,
    /// Acknowledged at one place, and there at another.
    pub(crate) moved: u64,
    /// There more than once, by text or by sender and client_msg_id.
    pub(crate) duplicated: u64,
    /// Places at which the log does not count 1, 2, 3, ...
    pub(crate) holes: u64,
    /// Refused for good, and there.
    pub(crate) ghosts: u64,
    /// There, and written by nobody.
    pub(crate) forged: u64,
    /// Before something that was acknowledged before it was written, or before an earlier message of its writer.
    pub(crate) reordered: u64,
    /// Shown to a device otherwise than in order and without gaps.
    pub(crate) disordered: u64,
    /// Not shown to a device in the end.
    pub(crate) undelivered: u64,
    /// Shown to a device, by push or by history, and not there: it was shown before it was durable.
    pub(crate) shown_not_kept: u64,
    /// Of those pushed: how many the device was told to forget. With the others it lives on in an error.
    pub(crate) withdrawn: u64,
    /// Devices and conversations with something shown that is not there, and no word of it.
    pub(crate) missed_resets: u64,
    /// How often a device was told to start a conversation over.
    pub(crate) resets: u64,
    /// The first faults, in words.
    pub(crate) examples: Vec<String>,
}

impl Findings {
    /// Whether every promise was kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0
            && self.moved == 0
            && self.shown_not_kept == 0
            && self.resets == 0
            && self.is_clean_but_for_losses()
    }

    /// Whether every promise was kept that holds without acknowledged replication as well:
    /// a failover may take messages back, but then every device is told, and nothing else breaks.
    pub(crate) fn is_clean_but_for_losses(&self) -> bool {
        let broken = [
            self.duplicated,
            self.holes,
            self.ghosts,
            self.forged,
            self.reordered,
            self.disordered,
            self.undelivered,
            self.missed_resets,
        ];
        broken.iter().all(|count| *count == 0)
    }

    /// Adds another conversation's.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { acked, refused, unknown, lost, moved, duplicated, holes, ghosts, forged, .. } = other;
        let Self {
            reordered, disordered, undelivered, shown_not_kept, withdrawn, missed_resets, resets, examples, ..
        } = other;
        self.acked += acked;
        self.refused += refused;
        self.unknown += unknown;
        self.lost += lost;
        self.moved += moved;
        self.duplicated += duplicated;
        self.holes += holes;
        self.ghosts += ghosts;
        self.forged += forged;
        self.reordered += reordered;
        self.disordered += disordered;
        self.undelivered += undelivered;
        self.shown_not_kept += shown_not_kept;
        self.withdrawn += withdrawn;
        self.missed_resets += missed_resets;
        self.resets += resets;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }

    fn example(&mut self, words: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(words());
        }
    }
}

/// Checks one conversation. `title` names it in examples.
pub(crate) fn check(title: &str, log: &[Stored], operations: &[Operation], views: &[View<'_>]) -> Findings {
    let mut findings = Findings::default();
    let places = check_log(title, log, &mut findings);
    check_outcomes(title, &places, operations, &mut findings);
    check_order(title, log, operations, &mut findings);
    for view in views {
        check_view(title, log, view, &mut findings);
    }
    findings
}

/// Counts 1, 2, 3, ..., each message once. Answers where each message is.
fn check_log(title: &str, log: &[Stored], findings: &mut Findings) -> HashMap<Name, u64> {
    let mut places = HashMap::with_capacity(log.len());
    let mut ids = HashSet::with_capacity(log.len());
    for (entry, due) in log.iter().zip(1..) {
        if entry.seq != due {
            findings.holes += 1;
            findings.example(|| format!("{title}: #{} where #{due} was due in the log", entry.seq));
        }
        let same_id = !entry.sent.1.is_empty() && !ids.insert(&entry.sent);
        let same_text = entry.name.is_some_and(|name| places.insert(name, entry.seq).is_some());
        if same_id || same_text {
            findings.duplicated += 1;
            findings.example(|| format!("{title}: #{} repeats {:?} {:?}", entry.seq, entry.sent, entry.name));
        }
    }
    places
}

fn check_outcomes(title: &str, places: &HashMap<Name, u64>, operations: &[Operation], findings: &mut Findings) {
    let mut written = HashSet::with_capacity(operations.len());
    for Operation { name, outcome, .. } in operations {
        written.insert(*name);
        let there = places.get(name);
        match (outcome, there) {
            (Outcome::Acked(_), None) => {
                findings.acked += 1;
                findings.lost += 1;
                findings.example(|| format!("{title}: {name} was acknowledged ({outcome:?}) and is lost"));
            }
            (Outcome::Acked(place), Some(seq)) => {
                findings.acked += 1;
                if place.is_some_and(|place| place.seq != *seq) {
                    findings.moved += 1;
                    findings.example(|| format!("{title}: {name} was acknowledged at {place:?} and is at #{seq}"));
                }
            }
            (Outcome::Refused, _) => {
                findings.refused += 1;
                if let Some(seq) = there {
                    findings.ghosts += 1;
                    findings.example(|| format!("{title}: {name} was refused and is at #{seq}"));
                }
            }
            (Outcome::Unknown, _) => findings.unknown += 1,
        }
    }
    for (name, seq) in places.iter().filter(|(name, _)| !written.contains(name)) {
        findings.forged += 1;
        findings.example(|| format!("{title}: nobody wrote {name}, which is at #{seq}"));
    }
}

/// What was acknowledged before something else was written stands before it, and each writer's messages stand in their order.
fn check_order(title: &str, log: &[Stored], operations: &[Operation], findings: &mut Findings) {
    let by_name: HashMap<Name, &Operation> = operations.iter().map(|operation| (operation.name, operation)).collect();
    // Of everything that stands before: the latest invocation, and each writer's highest number.
    let mut latest: Option<(Moment, Name)> = None;
    let mut highest: HashMap<u32, u32> = HashMap::new();
    for (entry, operation) in log.iter().filter_map(|entry| Some((entry, by_name.get(&entry.name?)?))) {
        let name = operation.name;
        if let Some((invoked, later)) = latest
            && matches!(operation.outcome, Outcome::Acked(_))
            && operation.answered < invoked
        {
            findings.reordered += 1;
            findings.example(|| {
                format!("{title}: {later} stands before {name} (#{}), which was acknowledged before", entry.seq)
            });
        }
        if latest.is_none_or(|(invoked, _)| operation.invoked > invoked) {
            latest = Some((operation.invoked, name));
        }
        let highest = highest.entry(name.writer).or_default();
        if name.number <= *highest {
            findings.reordered += 1;
            findings.example(|| format!("{title}: {name} stands behind number {highest} of its writer"));
        }
        *highest = name.number.max(*highest);
    }
}

fn check_view(title: &str, log: &[Stored], view: &View<'_>, findings: &mut Findings) {
    let device = view.device;
    let last_reset = view.stream.iter().rposition(|shown| *shown == Shown::Reset);
    let mut due = 1;
    let mut untold = 0;
    for (index, shown) in view.stream.iter().enumerate() {
        let Shown::Entry { seq, name, .. } = *shown else {
            findings.resets += 1;
            due = 1;
            continue;
        };
        if seq != due {
            findings.disordered += 1;
            findings.example(|| format!("{title}: {device} was shown #{seq} where #{due} was due"));
        }
        due = seq + 1;
        if is_kept(log, seq, name) {
            continue;
        }
        findings.shown_not_kept += 1;
        if last_reset.is_some_and(|reset| index < reset) {
            findings.withdrawn += 1;
        } else {
            untold += 1;
        }
        findings.example(|| format!("{title}: {device} was shown #{seq} {name:?}, which is not there"));
    }
    findings.missed_resets += u64::from(untold > 0);
    let missing = (log.len() as u64 + 1).saturating_sub(due);
    if missing > 0 {
        findings.undelivered += missing;
        findings.example(|| format!("{title}: {device} was never shown #{due} and what follows, {missing} in all"));
    }
    for (seq, name) in view.glimpses.iter().filter(|(seq, name)| !is_kept(log, *seq, *name)) {
        findings.shown_not_kept += 1;
        findings.example(|| format!("{title}: {device} read #{seq} {name:?} back, which is not there"));
    }
}

fn is_kept(log: &[Stored], seq: u64, name: Option<Name>) -> bool {
    let index = usize::try_from(seq).expect("a log fits in memory").wrapping_sub(1);
    log.get(index).is_some_and(|entry| entry.seq == seq && entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Place;

    fn name(number: u32) -> Name {
        Name { writer: 1, number }
    }

    fn stored(seq: u64, number: u32) -> Stored {
        Stored { seq, name: Some(name(number)), sent: (7, name(number).to_string()) }
    }

    /// Written at `10 * number`, answered five later.
    fn operation(number: u32, outcome: Outcome) -> Operation {
        let invoked = Moment(10 * u64::from(number));
        Operation { name: name(number), invoked, answered: Moment(invoked.0 + 5), outcome }
    }

    fn acked(seq: u64) -> Outcome {
        Outcome::Acked(Some(Place { epoch: 1, seq }))
    }

    fn shown(seq: u64, number: u32) -> Shown {
        Shown::Entry { seq, name: Some(name(number)), at: Moment(0) }
    }

    /// Three messages, one after the other, acknowledged, kept and shown. Tests break one thing each.
    struct History {
        log: Vec<Stored>,
        operations: Vec<Operation>,
        stream: Vec<Shown>,
        glimpses: Vec<(u64, Option<Name>)>,
    }

    impl History {
        fn whole() -> Self {
            Self {
                log: vec![stored(1, 1), stored(2, 2), stored(3, 3)],
                operations: vec![operation(1, acked(1)), operation(2, acked(2)), operation(3, acked(3))],
                stream: vec![shown(1, 1), shown(2, 2), shown(3, 3)],
                glimpses: vec![(2, Some(name(2)))],
            }
        }

        fn check(&self) -> Findings {
            let view = View { device: "phone", stream: &self.stream, glimpses: &self.glimpses };
            check("talk", &self.log, &self.operations, &[view])
        }

        /// What is found after `fault`, which must be told in words too.
        fn found(fault: impl FnOnce(&mut Self)) -> Findings {
            let mut history = Self::whole();
            fault(&mut history);
            let findings = history.check();
            assert!(!findings.is_clean(), "{findings:?}");
            assert!(!findings.examples.is_empty() || findings.resets > 0, "{findings:?}");
            findings
        }
    }

    #[test]
    fn a_whole_history_is_clean() {
        let findings = History::whole().check();
        assert!(findings.is_clean(), "{findings:?}");
        assert_eq!(findings, Findings { acked: 3, ..Findings::default() });
    }

    #[test]
    fn an_acked_message_that_is_gone_is_lost() {
        let findings = History::found(|history| {
            history.log.pop();
            history.stream.pop();
        });
        assert_eq!((findings.lost, findings.shown_not_kept), (1, 0));
    }

    #[test]
    fn an_acked_message_at_another_place_is_moved() {
        let findings = History::found(|history| history.operations[0].outcome = acked(2));
        assert_eq!(findings.moved, 1);
    }

    #[test]
    fn a_message_that_is_there_twice_is_duplicated() {
        let findings = History::found(|history| {
            history.log.push(stored(4, 3));
            history.stream.push(shown(4, 3));
        });
        assert_eq!(findings.duplicated, 1);
        let same_id = History::found(|history| history.log[2].sent = history.log[1].sent.clone());
        assert_eq!(same_id.duplicated, 1);
    }

    #[test]
    fn a_hole_in_the_log_is_found() {
        let findings = History::found(|history| history.log[2].seq = 4);
        assert_eq!(findings.holes, 1);
    }

    #[test]
    fn a_refused_message_must_not_be_there_and_an_unknown_one_may() {
        let findings = History::found(|history| history.operations[1].outcome = Outcome::Refused);
        assert_eq!((findings.ghosts, findings.refused), (1, 1));
        let mut history = History::whole();
        history.operations[1].outcome = Outcome::Unknown;
        history.operations.push(operation(4, Outcome::Unknown));
        let findings = history.check();
        assert!(findings.is_clean(), "{findings:?}");
        assert_eq!(findings.unknown, 2);
    }

    #[test]
    fn a_message_that_nobody_wrote_is_forged() {
        let findings = History::found(|history| history.operations.truncate(2));
        assert_eq!(findings.forged, 1);
    }

    #[test]
    fn what_was_acked_before_another_was_written_stands_before_it() {
        // Another writer wrote 1 after 2 had been acknowledged.
        let other = Name { writer: 2, number: 1 };
        let findings = History::found(|history| {
            history.log[0] = Stored { name: Some(other), sent: (8, other.to_string()), ..history.log[0].clone() };
            history.operations[0] =
                Operation { name: other, invoked: Moment(26), answered: Moment(28), ..history.operations[0] };
            history.stream[0] = Shown::Entry { seq: 1, name: Some(other), at: Moment(0) };
        });
        assert_eq!(findings.reordered, 1);
        // Where the two overlap, either order will do.
        let mut history = History::whole();
        history.operations[0].invoked = Moment(24);
        history.operations[0].answered = Moment(31);
        assert!(history.check().is_clean());
    }

    #[test]
    fn a_writers_messages_stand_in_its_order() {
        let findings = History::found(|history| {
            history.log = vec![stored(1, 2), stored(2, 1), stored(3, 3)];
            history.stream = vec![shown(1, 2), shown(2, 1), shown(3, 3)];
            history.glimpses.clear();
            history.operations = vec![operation(2, acked(1)), operation(1, acked(2)), operation(3, acked(3))];
            // All at once, so that only the writer's own order is at stake.
            for operation in &mut history.operations {
                (operation.invoked, operation.answered) = (Moment(1), Moment(99));
            }
        });
        assert_eq!(findings.reordered, 1);
    }

    #[test]
    fn a_stream_is_in_order_and_without_gaps() {
        assert_eq!(History::found(|history| history.stream.swap(0, 1)).disordered, 3);
        assert_eq!(History::found(|history| history.stream[1] = shown(3, 3)).disordered, 2);
        assert_eq!(History::found(|history| history.stream.insert(1, shown(1, 1))).disordered, 1);
    }

    #[test]
    fn a_stream_that_ends_early_is_undelivered() {
        let findings = History::found(|history| history.stream.truncate(1));
        assert_eq!((findings.undelivered, findings.disordered), (2, 0));
        assert_eq!(History::found(|history| history.stream.clear()).undelivered, 3);
    }

    #[test]
    fn what_is_shown_must_be_kept() {
        let replaced = History::found(|history| history.stream[2] = shown(3, 9));
        assert_eq!((replaced.shown_not_kept, replaced.missed_resets), (1, 1));
        let beyond = History::found(|history| history.stream.push(shown(4, 4)));
        assert_eq!((beyond.shown_not_kept, beyond.missed_resets), (1, 1));
        let read_back = History::found(|history| history.glimpses.push((4, Some(name(4)))));
        assert_eq!((read_back.shown_not_kept, read_back.missed_resets), (1, 0));
    }

    #[test]
    fn a_reset_withdraws_what_was_shown_before_it() {
        let rolled_back = |history: &mut History| {
            history.log[2] = stored(3, 4);
            history.operations.push(operation(4, acked(3)));
            history.stream.extend([Shown::Reset, shown(1, 1), shown(2, 2), shown(3, 4)]);
        };
        let findings = History::found(rolled_back);
        assert_eq!((findings.lost, findings.shown_not_kept, findings.withdrawn), (1, 1, 1));
        assert_eq!((findings.resets, findings.missed_resets), (1, 0));
        assert!(findings.is_clean_but_for_losses(), "{findings:?}");
        // Without the reset, the device goes on believing.
        let findings = History::found(|history| {
            rolled_back(history);
            history.stream.truncate(3);
        });
        assert_eq!(findings.missed_resets, 1);
        assert!(!findings.is_clean_but_for_losses());
    }

    #[test]
    fn findings_add_up() {
        let mut sum = History::found(|history| history.stream.truncate(1));
        sum.add(History::found(|history| history.operations.truncate(2)));
        assert_eq!((sum.acked, sum.undelivered, sum.forged), (5, 2, 1));
        assert_eq!(sum.examples.len(), 2);
    }
}
