//! What the books say in the end.

use serde::{Deserialize, Serialize};

/// What the books say. Messages are counted once; arrivals once for each reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Messages given to the client library.
    pub sent: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages definitely refused.
    pub refused: u64,
    /// Messages neither acknowledged nor refused.
    pub unknown: u64,
    /// First arrivals, over all readers.
    pub received: u64,
    /// Acknowledged, and never arrived at a reader.
    pub lost: u64,
    /// Arrived at a reader more than once.
    pub duplicated: u64,
    /// Arrived behind a later message of the same sender, or at a seq not above the one before.
    pub reordered: u64,
    /// Seqs skipped between two arrivals without a word.
    pub gaps: u64,
    /// Refused, and arrived all the same.
    pub ghosts: u64,
    /// At another seq than acknowledged, or at two.
    pub misplaced: u64,
    /// Arrived under the run's mark, and never sent.
    pub unheard_of: u64,
    /// Seqs that the client library announced to skip; they were read back from history. No fault.
    pub skipped: u64,
    /// Not stored, by intention, and not arrived at a reader. No fault.
    pub missed: u64,
}

impl Verdict {
    /// Adds another process's.
    pub fn add(&mut self, other: Self) {
        let Self {
            sent,
            acked,
            refused,
            unknown,
            received,
            lost,
            duplicated,
            reordered,
            gaps,
            ghosts,
            misplaced,
            unheard_of,
            skipped,
            missed,
        } = other;
        self.sent += sent;
        self.acked += acked;
        self.refused += refused;
        self.unknown += unknown;
        self.received += received;
        self.lost += lost;
        self.duplicated += duplicated;
        self.reordered += reordered;
        self.gaps += gaps;
        self.ghosts += ghosts;
        self.misplaced += misplaced;
        self.unheard_of += unheard_of;
        self.skipped += skipped;
        self.missed += missed;
    }

    /// What was entered, by name, each with its count: what was sent and how far it came, and of the rest what happened at all.
    #[must_use]
    pub fn entered(&self) -> Vec<(&'static str, u64)> {
        let always = [("sent", self.sent), ("acknowledged", self.acked), ("received", self.received)];
        let besides = [
            ("refused", self.refused),
            ("outcome unknown", self.unknown),
            ("read back from history", self.skipped),
            ("missed, not stored by intention", self.missed),
        ];
        always.into_iter().chain(besides.into_iter().filter(|&(_, count)| count > 0)).collect()
    }

    /// Faults by name, each with its count; those that did not happen too.
    #[must_use]
    pub fn faults(&self) -> [(&'static str, u64); 7] {
        [
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("gaps", self.gaps),
            ("ghosts", self.ghosts),
            ("misplaced", self.misplaced),
            ("unheard of", self.unheard_of),
        ]
    }

    /// Whether every promise was kept.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.faults().iter().all(|&(_, count)| count == 0)
    }
}
