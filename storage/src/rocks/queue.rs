//! The bounded queue between whoever commits and the one thread that writes.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{Batch, Error, Result};

/// A batch that waits for its outcome.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) batch: Batch,
    pub(crate) bytes: usize,
    reply: oneshot::Sender<Result<()>>,
}

impl Ticket {
    /// Tells the outcome. Nobody may be listening any more, which changes nothing.
    pub(crate) fn answer(self, outcome: Result<()>) {
        let _ = self.reply.send(outcome);
    }
}

/// Commits in the order of their calls.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    most_commits: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    tickets: VecDeque<Ticket>,
    // Of all that is not answered yet, whether still queued or being written: this is what memory has to hold.
    commits: usize,
    bytes: usize,
    writer_sleeps: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(most_commits: usize, most_bytes: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), most_commits, most_bytes }
    }

    /// Takes a batch in, or refuses it.
    pub(crate) fn push(&self, batch: Batch) -> Result<oneshot::Receiver<Result<()>>> {
        let bytes = batch.size();
        let (reply, outcome) = oneshot::channel();
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::Unavailable("the store is closed".into()));
        }
        // A batch larger than the whole limit still passes when it is alone, or it could never be written.
        if state.commits >= self.most_commits || (state.commits > 0 && state.bytes + bytes > self.most_bytes) {
            return Err(Error::Overloaded);
        }
        state.commits += 1;
        state.bytes += bytes;
        state.tickets.push_back(Ticket { batch, bytes, reply });
        if std::mem::take(&mut state.writer_sleeps) {
            // Unlocked first, so that the writer does not wake up only to wait for this lock.
            drop(state);
            self.filled.notify_one();
        }
        Ok(outcome)
    }

    /// Waits for tickets and moves up to `most_bytes` of them into `group`. False once the queue is closed and empty.
    pub(crate) fn take(&self, group: &mut Vec<Ticket>, most_bytes: usize) -> bool {
        let mut state = self.state.lock();
        while state.tickets.is_empty() {
            if state.closed {
                return false;
            }
            state.writer_sleeps = true;
            self.filled.wait(&mut state);
        }
        let mut bytes = 0;
        while let Some(ticket) = state.tickets.pop_front_if(|ticket| bytes == 0 || bytes + ticket.bytes <= most_bytes) {
            bytes += ticket.bytes;
            group.push(ticket);
        }
        true
    }

    /// Makes room for as much as has been answered; returns how many still wait.
    pub(crate) fn release(&self, commits: usize, bytes: usize) -> usize {
        let mut state = self.state.lock();
        state.commits -= commits;
        state.bytes -= bytes;
        state.commits
    }

    /// Lets the writer finish what is queued, and refuses the rest.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }
}
