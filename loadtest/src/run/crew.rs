//! The workers of a run, as their coordinator has them.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::clock::Offset;
use super::message::{FromWorker, ToWorker};
use super::worker;

/// The coordinator's end of a worker, wherever that is.
#[derive(Debug)]
pub struct Worker {
    /// Who it is, for people.
    pub(crate) name: String,
    pub(crate) inbox: mpsc::Sender<ToWorker>,
    pub(crate) outbox: mpsc::Receiver<FromWorker>,
    /// A task of this process: its clock and its costs are the coordinator's.
    pub(crate) here: bool,
    /// The agent's machine, when it is an agent's.
    pub(crate) machine: Option<Machine>,
    /// Local addresses to connect from, where they are not the plan's.
    pub(crate) sources: Vec<String>,
    /// What carries the messages; ends the worker when dropped.
    pub(crate) carrier: AbortOnDropHandle<()>,
}

/// A worker that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who it was.
    pub name: String,
    /// Its clock beside the coordinator's.
    pub clock: Offset,
    /// The agent's machine, when it is an agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// A machine of the generator, other than the coordinator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Where its agent listens.
    pub address: String,
    /// Its cores.
    pub cores: usize,
}

impl Worker {
    fn new<F: Future<Output = ()> + Send + 'static>(
        name: String,
        here: bool,
        carry: impl FnOnce(mpsc::Receiver<ToWorker>, mpsc::Sender<FromWorker>) -> F,
    ) -> Self {
        let (inbox, commands) = mpsc::channel(worker::QUEUE);
        let (reports, outbox) = mpsc::channel(worker::QUEUE);
        let carrier = AbortOnDropHandle::new(tokio::spawn(carry(commands, reports)));
        Self { name, inbox, outbox, here, machine: None, sources: Vec::new(), carrier }
    }

    /// A task of this process.
    #[must_use]
    pub fn local() -> Self {
        Self::new("this process".to_owned(), true, worker::work)
    }

    /// One whose messages are carried there and back by this.
    pub(crate) fn elsewhere<F: Future<Output = ()> + Send + 'static>(
        name: String,
        carry: impl FnOnce(mpsc::Receiver<ToWorker>, mpsc::Sender<FromWorker>) -> F,
    ) -> Self {
        Self::new(name, false, carry)
    }

    /// One that a test plays.
    #[cfg(test)]
    pub(crate) fn imagined(name: &str) -> (Self, mpsc::Receiver<ToWorker>, mpsc::Sender<FromWorker>) {
        let (inbox, commands) = mpsc::channel(worker::QUEUE);
        let (reports, outbox) = mpsc::channel(worker::QUEUE);
        let carrier = AbortOnDropHandle::new(tokio::spawn(std::future::pending()));
        (
            Self { name: name.to_owned(), inbox, outbox, here: false, machine: None, sources: Vec::new(), carrier },
            commands,
            reports,
        )
    }
}
