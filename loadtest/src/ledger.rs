//! The books of one conversation: what was sent, what was acknowledged, what arrived.
//!
//! Kept outside the server, from what the two clients saw. A message whose outcome is unknown (its connection broke for good)
//! may have arrived or not; an acknowledged one must have arrived, once, at the seq that the ack named; a refused one must not.

use serde::Serialize;

/// One message, by its number within the pair.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    /// Seq that the ack named.
    acked: Option<u64>,
    /// Seq that it first arrived under.
    arrived: Option<u64>,
    refused: bool,
}

/// The books of one pair. The sender writes acks, the receiver arrivals.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    lines: Vec<Line>,
    duplicated: u64,
    reordered: u64,
    holes: u64,
    announced: u64,
    unexpected: u64,
    last_seq: u64,
}

/// What the books say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Given to the client library.
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) received: u64,
    /// Definite errors.
    pub(crate) refused: u64,
    /// Neither acknowledged nor refused.
    pub(crate) unknown: u64,
    /// Acknowledged, and never arrived.
    pub(crate) lost: u64,
    /// Arrived more than once.
    pub(crate) duplicated: u64,
    /// Arrived with a seq not above the one before.
    pub(crate) reordered: u64,
    /// Seqs skipped between two arrivals without a word.
    pub(crate) holes: u64,
    /// Seqs that the client library announced to skip; they were read back from history, as an app would.
    pub(crate) announced: u64,
    /// Arrived under another seq than acknowledged, or although refused, or never sent.
    pub(crate) wrong: u64,
}

impl Ledger {
    /// Enters a message; returns its number.
    pub(crate) fn send(&mut self) -> u64 {
        self.lines.push(Line::default());
        self.lines.len() as u64 - 1
    }

    pub(crate) fn ack(&mut self, number: u64, seq: u64) {
        if let Some(line) = self.line(number) {
            line.acked = Some(seq);
        }
    }

    pub(crate) fn refuse(&mut self, number: u64) {
        if let Some(line) = self.line(number) {
            line.refused = true;
        }
    }

    pub(crate) fn arrive(&mut self, number: u64, seq: u64) {
        if seq <= self.last_seq {
            self.reordered += 1;
        } else {
            if self.last_seq > 0 {
                self.holes += seq - self.last_seq - 1;
            }
            self.last_seq = seq;
        }
        self.note(number, seq);
    }

    /// The client library skips these seqs, and says so.
    pub(crate) fn skip(&mut self, from: u64, to: u64) {
        self.announced += to + 1 - from;
        if self.last_seq > 0 && from > self.last_seq + 1 {
            self.holes += from - self.last_seq - 1;
        }
        self.last_seq = self.last_seq.max(to);
    }

    /// A message of an announced gap, read back from history: it has no turn that it could miss.
    pub(crate) fn read_back(&mut self, number: u64, seq: u64) {
        self.note(number, seq);
    }

    fn note(&mut self, number: u64, seq: u64) {
        match self.line(number) {
            None => self.unexpected += 1,
            Some(Line { arrived: Some(_), .. }) => self.duplicated += 1,
            Some(line) => line.arrived = Some(seq),
        }
    }

    /// Whether everything acknowledged has arrived.
    pub(crate) fn settled(&self) -> bool {
        self.lines.iter().all(|line| line.acked.is_none() || line.arrived.is_some())
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            sent: self.lines.len() as u64,
            duplicated: self.duplicated,
            reordered: self.reordered,
            holes: self.holes,
            announced: self.announced,
            wrong: self.unexpected,
            ..Verdict::default()
        };
        for line in &self.lines {
            verdict.acked += u64::from(line.acked.is_some());
            verdict.received += u64::from(line.arrived.is_some());
            verdict.refused += u64::from(line.refused);
            verdict.unknown += u64::from(line.acked.is_none() && !line.refused);
            match (line.acked, line.arrived) {
                (Some(_), None) => verdict.lost += 1,
                (Some(acked), Some(arrived)) => verdict.wrong += u64::from(acked != arrived),
                (None, Some(_)) => verdict.wrong += u64::from(line.refused),
                (None, None) => {}
            }
        }
        verdict
    }

    fn line(&mut self, number: u64) -> Option<&mut Line> {
        self.lines.get_mut(usize::try_from(number).ok()?)
    }
}

impl Verdict {
    /// Adds another pair's.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { sent, acked, received, refused, unknown, lost, duplicated, reordered, holes, announced, wrong } =
            other;
        self.sent += sent;
        self.acked += acked;
        self.received += received;
        self.refused += refused;
        self.unknown += unknown;
        self.lost += lost;
        self.duplicated += duplicated;
        self.reordered += reordered;
        self.holes += holes;
        self.announced += announced;
        self.wrong += wrong;
    }

    /// Whether every promise was kept.
    pub(crate) fn kept(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.reordered == 0 && self.holes == 0 && self.wrong == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three messages, sent and acknowledged at 11, 12 and 13.
    fn books() -> Ledger {
        let mut ledger = Ledger::default();
        for seq in 11..=13 {
            let number = ledger.send();
            ledger.ack(number, seq);
        }
        ledger
    }

    fn judged(arrivals: &[(u64, u64)]) -> Verdict {
        let mut ledger = books();
        for &(number, seq) in arrivals {
            ledger.arrive(number, seq);
        }
        ledger.verdict()
    }

    #[test]
    fn books_that_balance_are_kept() {
        let verdict = judged(&[(0, 11), (1, 12), (2, 13)]);
        assert!(verdict.kept());
        assert_eq!((verdict.sent, verdict.acked, verdict.received), (3, 3, 3));
    }

    #[test]
    fn every_breach_is_found() {
        let lost = judged(&[(0, 11), (1, 12)]);
        assert_eq!((lost.lost, lost.kept()), (1, false));
        let repeated = judged(&[(0, 11), (1, 12), (1, 12), (2, 13)]);
        assert_eq!((repeated.duplicated, repeated.reordered, repeated.kept()), (1, 1, false));
        let disordered = judged(&[(1, 12), (0, 11), (2, 13)]);
        assert_eq!((disordered.reordered, disordered.kept()), (1, false));
        let hole = judged(&[(0, 11), (2, 13)]);
        assert_eq!((hole.holes, hole.lost, hole.kept()), (1, 1, false));
        let elsewhere = judged(&[(0, 11), (1, 12), (2, 14)]);
        assert_eq!((elsewhere.wrong, elsewhere.kept()), (1, false));
        let unheard_of = judged(&[(0, 11), (1, 12), (2, 13), (9, 14)]);
        assert_eq!((unheard_of.wrong, unheard_of.kept()), (1, false));
    }

    #[test]
    fn an_announced_gap_is_kept_once_it_is_read_back() {
        let mut ledger = books();
        ledger.arrive(0, 11);
        ledger.skip(12, 12);
        ledger.arrive(2, 13);
        assert_eq!((ledger.verdict().lost, ledger.verdict().holes), (1, 0));
        ledger.read_back(1, 12);
        assert!(ledger.verdict().kept());
        ledger.read_back(1, 12);
        assert_eq!(ledger.verdict().duplicated, 1);
    }

    #[test]
    fn a_gap_announced_too_short_leaves_a_hole() {
        let mut ledger = books();
        ledger.arrive(0, 11);
        ledger.skip(13, 13);
        assert_eq!(ledger.verdict().holes, 1);
    }

    #[test]
    fn a_refused_message_must_not_arrive_and_an_unknown_one_may() {
        let mut ledger = Ledger::default();
        let (refused, unknown) = (ledger.send(), ledger.send());
        ledger.refuse(refused);
        ledger.arrive(unknown, 1);
        assert!(ledger.verdict().kept());
        assert_eq!(ledger.verdict().unknown, 1);
        ledger.arrive(refused, 2);
        assert!(!ledger.verdict().kept());
    }
}
