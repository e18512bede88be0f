//! What the coordinator and its workers say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::ledger::Verdict;
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::plan::credentials::User;

/// A point of a run that every worker reaches, and waits at until all have: costs are counted from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Milestone {
    /// Nothing was done yet.
    Start,
    /// Everybody is logged in and has what was missed; what logging in left behind was put away.
    Connected,
    /// The load is over: sent and acknowledged, or held as long as was asked.
    Loaded,
    /// What was under way has arrived, or is given up.
    Settled,
}

/// To a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message: what to do.
    Start(Box<Assignment>),
    /// Everybody has reached the milestone.
    Go(Milestone),
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
    /// Tells this run's messages from those of earlier ones.
    pub run: u64,
}

/// From a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum FromWorker {
    /// Waits for [`ToWorker::Go`].
    Reached(Milestone),
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
