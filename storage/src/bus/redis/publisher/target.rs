//! One process that is published to: what waits for it, and the task that sends it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Publisher;
use crate::bus::redis::cluster::Query;
use crate::bus::redis::frame;
use crate::bus::redis::names::{Boot, GONE};
use crate::bus::redis::outbox::{Batch, Outbox};
use crate::metrics;
use crate::redis::node::{Command, Reply};

/// How long to wait before a message is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A process that is published to.
#[derive(Debug)]
pub(super) struct Target {
    limit: usize,
    state: Mutex<State>,
    queued: Notify,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug)]
struct State {
    outbox: Outbox,
    /// Since when the process has had no lease, as far as anyone can tell.
    absent: Option<Instant>,
    /// The first publication of the batch that is being sent.
    sending: Option<u64>,
    gone: bool,
}

/// What became of a batch.
enum Outcome {
    Arrived,
    Lost,
    /// Nobody hears on that channel, nor ever will.
    Gone,
}

/// Whether there is somebody to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Here,
    Absent,
    Gone,
}

impl Target {
    pub(super) fn start(publisher: Arc<Publisher>, boot: Boot, stream: u64) -> Arc<Self> {
        let config = &publisher.config;
        let outbox = Outbox::new(config.heartbeat, config.catch_up);
        let target = Arc::new(Self {
            limit: config.process_bytes.bytes(),
            state: Mutex::new(State { outbox, absent: None, sending: None, gone: false }),
            queued: Notify::new(),
            task: Mutex::default(),
        });
        let sender = Sender { publisher, target: Arc::clone(&target), boot, stream };
        *target.task.lock() = Some(tokio::spawn(sender.run()).abort_handle());
        target
    }

    /// Queues a publication. [`Self::wake`] has it sent.
    pub(super) fn push(&self, payload: Bytes, now: Instant) {
        let dropped = self.state.lock().outbox.push(payload, self.limit, now);
        metrics::publications_dropped(dropped);
    }

    /// Counts publications as lost.
    pub(super) fn skip(&self, lost: u64, now: Instant) {
        self.state.lock().outbox.skip(lost, now);
    }

    pub(super) fn wake(&self) {
        self.queued.notify_one();
    }

    /// How many publications there were.
    pub(super) fn end(&self) -> u64 {
        self.state.lock().outbox.end()
    }

    /// Whether the first `end` publications have been sent or lost.
    pub(super) fn is_settled(&self, end: u64) -> bool {
        let state = self.state.lock();
        state.gone || state.sending.is_none_or(|first| first >= end) && state.outbox.front() >= end
    }

    /// Nothing more will be sent.
    pub(super) fn retire(&self) {
        self.state.lock().gone = true;
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

/// The task of a target.
struct Sender {
    publisher: Arc<Publisher>,
    target: Arc<Target>,
    boot: Boot,
    stream: u64,
}

impl Sender {
    async fn run(self) {
        loop {
            let queued = self.target.queued.notified();
            let (batch, next) = {
                let mut state = self.target.state.lock();
                let now = Instant::now();
                let batch = state.outbox.take(self.publisher.config.batch_bytes.bytes(), now);
                state.sending = batch.as_ref().map(|batch| batch.before);
                (batch, state.outbox.next())
            };
            self.publisher.progress.notify_waiters();
            let gone = match (batch, next) {
                (Some(batch), _) => self.pass_on(batch).await,
                (None, Some(next)) => {
                    let _ = tokio::time::timeout_at(next, queued).await;
                    false
                }
                // After a long silence, see whether there is still somebody.
                (None, None) => {
                    let patience = self.publisher.config.topic_lifetime;
                    tokio::time::timeout(patience, queued).await.is_err() && self.standing().await == Standing::Gone
                }
            };
            if gone {
                return self.publisher.bury(self.boot).await;
            }
        }
    }

    /// Sends a batch and takes note of what became of it. True if the process is gone.
    async fn pass_on(&self, batch: Batch) -> bool {
        let outcome = self.send(&batch).await;
        let now = Instant::now();
        let mut state = self.target.state.lock();
        match outcome {
            Outcome::Arrived => {
                metrics::batch_sent(batch.payloads.len(), batch.payloads.iter().map(Bytes::len).sum());
                state.outbox.arrived(&batch, now);
            }
            Outcome::Lost => {
                metrics::publications_lost(batch.payloads.len());
                state.outbox.lost(now);
            }
            Outcome::Gone => return true,
        }
        false
    }

    async fn send(&self, batch: &Batch) -> Outcome {
        let Publisher { config, names, cluster, id, .. } = &*self.publisher;
        let channel = names.channel(self.boot);
        let message = frame::encode(*id, self.stream, batch);
        let query = Query::new(&channel, Command::new("SPUBLISH").arg(channel.clone()).arg(message));
        let deadline = Instant::now() + config.retry;
        loop {
            // Whether it arrived may stay unknown. The receiver knows a message that comes twice by its number.
            let answer = cluster.ask(std::slice::from_ref(&query)).await.pop();
            match &answer {
                Some(Ok(Reply::Number(1..))) => {
                    self.target.state.lock().absent = None;
                    return Outcome::Arrived;
                }
                Some(Ok(_)) => match self.standing().await {
                    Standing::Here => {}
                    // Nobody to wait for. Should it be there after all, the next message shows what it missed.
                    Standing::Absent => return Outcome::Lost,
                    Standing::Gone => return Outcome::Gone,
                },
                _ => {}
            }
            // A reminder will be followed by another one.
            if batch.payloads.is_empty() {
                return Outcome::Lost;
            }
            if Instant::now() >= deadline {
                let reason =
                    answer.and_then(Result::err).map_or_else(|| "it does not listen".into(), |error| error.to_string());
                tracing::warn!(process = %self.boot, reason, "bus: publications did not reach a process");
                return Outcome::Lost;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks whether the process has its lease, or has taken leave.
    ///
    /// A master that is cut off from the others serves for a while, and sees leases lapse that are renewed elsewhere.
    /// So a process that has said nothing counts as gone only when it has been without a lease for as long again.
    async fn standing(&self) -> Standing {
        let lease = self.publisher.names.lease(self.boot);
        let query = Query::new(&lease, Command::new("GET").arg(lease.clone()));
        let answer = self.publisher.cluster.ask(&[query]).await.pop();
        let mut state = self.target.state.lock();
        match answer {
            Some(Ok(Reply::Nil)) => {}
            Some(Ok(Reply::Text(text))) if text == GONE => return Standing::Gone,
            _ => {
                state.absent = None;
                return Standing::Here;
            }
        }
        let now = Instant::now();
        let since = *state.absent.get_or_insert(now);
        if now - since >= self.publisher.config.lease { Standing::Gone } else { Standing::Absent }
    }
}
