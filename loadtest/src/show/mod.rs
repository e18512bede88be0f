//! What is shown while a run goes on.

use std::time::Duration;

use crate::measure::tick::Tick;
use crate::run::message::Milestone;

/// Told how a run goes, as it goes.
pub trait Show: Send {
    /// A second is over, in every worker.
    fn tick(&mut self, tick: &Tick);
    /// Every worker is so far; `elapsed` since the start.
    fn milestone(&mut self, milestone: Milestone, elapsed: Duration);
    /// The run was asked to end early.
    fn stopping(&mut self) {}
}

/// Shows nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Show for Silent {
    fn tick(&mut self, _tick: &Tick) {}
    fn milestone(&mut self, _milestone: Milestone, _elapsed: Duration) {}
}
