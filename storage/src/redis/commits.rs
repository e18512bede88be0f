//! Commits: for each home, in the order of their calls.

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::functions;
use super::lanes::{Call, Group};
use super::layout::ChunkPlace;
use super::node::{Command, Reply};
use super::seal::Request;
use super::worker::Flies;
use crate::{Batch, Error, Home, Result, Table, metrics};

/// A batch that waits for its outcome.
pub(super) struct Ticket {
    batch: Batch,
    slot: u16,
    bytes: usize,
    deadline: Instant,
    /// Whoever is to hear that it has begun a new chunk of a log.
    opens: Option<(mpsc::Sender<Request>, Table)>,
    reply: oneshot::Sender<Result<()>>,
}

impl Ticket {
    /// A batch that [`functions::check`] let pass, and where its outcome will be.
    pub(super) fn new(cluster: &Cluster, batch: Batch) -> (Self, oneshot::Receiver<Result<()>>) {
        let (reply, outcome) = oneshot::channel();
        let opens = cluster.sealing().and_then(|sealing| Some((sealing.clone(), functions::opened(&batch)?)));
        let ticket = Self {
            slot: cluster.names.slot(&batch.home),
            bytes: batch.size(),
            deadline: Instant::now() + cluster.config.timeout,
            batch,
            opens,
            reply,
        };
        (ticket, outcome)
    }

    /// Tells the outcome. Nobody may be listening any more, which changes nothing.
    fn tell(self, outcome: Result<()>) {
        if let (Ok(()), Some((sealing, table))) = (&outcome, self.opens) {
            // One that is lost is caught up with when the next chunk begins.
            let _ = sealing.try_send(Request::SealBehind(self.batch.home, table));
        }
        let _ = self.reply.send(outcome);
    }
}

impl Call for Ticket {
    type Lane = Home;

    fn lane(&self) -> Home {
        self.batch.home.clone()
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

    fn joins(&self, next: &Self) -> bool {
        // What only deletes passes where memory is full, and so it travels apart from what does not.
        self.batch.puts.is_empty() == next.batch.puts.is_empty()
    }
}

impl Flies for Ticket {
    const KIND: &'static str = "commit";
    // It may have happened, and whoever committed can find out.
    const REPEATABLE: bool = false;

    fn command(cluster: &Cluster, group: &Group<Self>) -> Command {
        functions::commit(&cluster.names, group.iter().map(|ticket| &ticket.batch), cluster.clock.now())
    }

    fn mark(&self, _: &Cluster) -> Option<Command> {
        // A commit writes, or marks by itself.
        None
    }

    fn answer(group: Group<Self>, reply: Reply) {
        match functions::committed(reply, group.len()) {
            Some(outcomes) => {
                metrics::committed(outcomes.iter());
                for (ticket, outcome) in group.into_iter().zip(outcomes) {
                    ticket.tell(outcome);
                }
            }
            None => Self::fail(group, &Error::Unavailable("a shard answered something else than was asked".into())),
        }
    }

    fn fail(group: Group<Self>, error: &Error) {
        for ticket in group {
            let outcome = Err(error.clone());
            metrics::committed(std::iter::once(&outcome));
            ticket.tell(outcome);
        }
    }

    fn unseal(cluster: &Cluster, group: &Group<Self>, code: u8, number: u64) -> bool {
        let home = group.first().map(|ticket| ticket.batch.home.clone());
        home.is_some_and(|home| cluster.unseal(ChunkPlace { home, code, number }))
    }

    fn waits(_: &Cluster) -> bool {
        true
    }
}
