//! Reads: in no order, and again if need be.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::functions;
use super::lanes::{Call, Group, Lanes};
use super::node::{Command, Reply};
use super::worker::Flies;
use crate::{Error, Result};

/// A command that changes nothing, or the same if it comes twice, and waits for its answer.
pub(super) struct Read {
    // Every read has a lane of its own.
    serial: u64,
    command: Command,
    slot: u16,
    bytes: usize,
    deadline: Instant,
    reply: oneshot::Sender<Result<Reply>>,
}

impl Read {
    pub(super) fn new(cluster: &Cluster, slot: u16, command: Command) -> (Self, oneshot::Receiver<Result<Reply>>) {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let (reply, answer) = oneshot::channel();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + cluster.config.timeout;
        // What a flight is bounded by is what it brings back.
        let bytes = functions::answer_size(&command);
        (Self { serial, command, slot, bytes, deadline, reply }, answer)
    }
}

/// Asks whoever serves a slot.
pub(super) async fn ask(cluster: &Cluster, lanes: &Lanes<Read>, slot: u16, command: Command) -> Result<Reply> {
    let (read, answer) = Read::new(cluster, slot, command);
    lanes.push(read)?;
    answer.await.unwrap_or_else(|_| Err(Error::Unavailable("the store was closed".into())))
}

impl Call for Read {
    type Lane = u64;

    fn lane(&self) -> u64 {
        self.serial
    }

    fn slot(&self) -> u16 {
        self.slot
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn joins(&self, _: &Self) -> bool {
        false
    }
}

impl Flies for Read {
    const KIND: &'static str = "read";
    const REPEATABLE: bool = true;

    fn command(_: &Cluster, group: &Group<Self>) -> Command {
        group.first().map_or_else(|| Command::new("PING"), |read| read.command.clone())
    }

    fn mark(&self, cluster: &Cluster) -> Option<Command> {
        Some(functions::mark(&cluster.names, self.slot))
    }

    fn answer(group: Group<Self>, reply: Reply) {
        for read in group {
            let _ = read.reply.send(Ok(reply.clone()));
        }
    }

    fn fail(group: Group<Self>, error: &Error) {
        for read in group {
            let _ = read.reply.send(Err(error.clone()));
        }
    }

    fn unseal(_: &Cluster, _: &Group<Self>, _: u8, _: u64) -> bool {
        // A read is told of the object instead.
        false
    }

    fn waits(cluster: &Cluster) -> bool {
        cluster.config.durable_reads
    }
}
