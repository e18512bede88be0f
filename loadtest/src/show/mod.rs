//! What is shown while a run goes on.

pub mod dashboard;
mod draw;
mod history;
pub mod lines;
pub mod prometheus;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::measure::tick::Tick;
use crate::run::message::Milestone;

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Told how a run goes, as it goes.
pub trait Show: Send {
    /// A second is over, in every worker.
    fn tick(&mut self, tick: &Tick);
    /// Every worker is so far; `elapsed` since the start.
    fn milestone(&mut self, milestone: Milestone, elapsed: Duration);
    /// The run was asked to end early.
    fn stopping(&mut self) {}
}

/// Several at once, or none.
#[derive(Default)]
pub struct Shows(pub Vec<Box<dyn Show>>);

impl Show for Shows {
    fn tick(&mut self, tick: &Tick) {
        self.0.iter_mut().for_each(|show| show.tick(tick));
    }

    fn milestone(&mut self, milestone: Milestone, elapsed: Duration) {
        self.0.iter_mut().for_each(|show| show.milestone(milestone, elapsed));
    }

    fn stopping(&mut self) {
        self.0.iter_mut().for_each(|show| show.stopping());
    }
}

/// How a run is asked to end early: with Ctrl-C, or from the dashboard, which sees that key itself.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Notify>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Resolves once the run is asked to end. Whoever presses Ctrl-C again after that does not want to wait for the report.
    pub async fn asked(self) {
        tokio::select! {
            () = heard(SignalKind::interrupt()) => {}
            () = heard(SignalKind::terminate()) => {}
            () = self.0.notified() => {}
        }
        tokio::spawn(async {
            heard(SignalKind::interrupt()).await;
            std::process::exit(INTERRUPTED);
        });
    }
}

async fn heard(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        // Without a handler for signals there is no early end.
        Err(_) => std::future::pending().await,
    }
}
