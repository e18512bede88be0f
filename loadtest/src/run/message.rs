//! What the coordinator and its workers say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::ledger::Verdict;
use crate::measure::process::Sample;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::plan::credentials::User;

/// Version of these messages. An agent serves only a coordinator of the same.
pub(crate) const PROTOCOL: u32 = 1;

/// A point of a run that every worker reaches, and waits at until all have: costs are counted from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Milestone {
    /// Nothing was done yet.
    Start,
    /// Everybody is logged in and has what was missed; what logging in left behind was put away.
    Connected,
    /// What the scenario does to the server from outside happens now, at the coordinator's
    /// (`Scenario::strike`).
    Strike,
    /// The load is over: sent and acknowledged, or held as long as was asked.
    Loaded,
    /// What was under way has arrived, or is given up.
    Settled,
}

impl Milestone {
    /// All, in the order in which they are reached.
    pub const ALL: [Self; 5] = [Self::Start, Self::Connected, Self::Strike, Self::Loaded, Self::Settled];
}

/// To a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message: what to do.
    Start(Box<Assignment>),
    /// Everybody has reached the milestone, and goes on together.
    Go {
        /// Which.
        milestone: Milestone,
        /// When to go on, Unix microseconds by the worker's clock.
        at_us: u64,
    },
    /// End early, and report.
    Stop,
    /// Answer with your clock.
    Ping,
}

/// A worker's part of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assignment {
    /// Its own share, not the whole.
    pub plan: Plan,
    /// Its own users.
    pub users: Vec<User>,
    /// The authorities that the plan names, as PEM: the file is where the coordinator is.
    pub authorities: Option<Vec<u8>>,
    /// When the run begins, Unix microseconds by the worker's clock. Its seconds count from then.
    pub begin_us: u64,
    /// Tells this run's messages from those of earlier ones.
    pub run: u64,
}

/// From a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromWorker {
    /// Waits for [`ToWorker::Go`].
    Reached {
        /// Where.
        milestone: Milestone,
        /// What its process cost so far.
        generator: Sample,
    },
    /// A second is over.
    Tick(Box<Tick>),
    /// The answer to [`ToWorker::Ping`].
    Pong {
        /// Unix microseconds.
        clock_us: u64,
    },
    /// The last message: it went as planned, or was stopped.
    Done(Box<Part>),
    /// The last message: it could not go on.
    Failed(String),
}

impl FromWorker {
    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }
}

/// What a worker tells in the end, besides its ticks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Part {
    /// Its books.
    pub verdict: Verdict,
    /// Errors in words, and how often each.
    pub errors: BTreeMap<String, u64>,
    /// Numbers that only this scenario has; added up over workers.
    pub figures: BTreeMap<String, f64>,
}
