//! The state of active conversations, kept at hand.
//!
//! A lane only saves reading the head: a forgotten lane, or one that is behind, costs a conflict and another attempt, never a wrong entry.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};
use proto::{entry, store};
use storage::{Commit, Home};
use tokio::sync::oneshot;

use super::submitted::stopped;
use super::{Chain, Changes, SentKey};
use crate::error::{Error, Result};
use crate::ids::{AppNumber, ConversationId, Epoch, MessageId, Seq, UserId};
use crate::messages::Sent;
use crate::metrics::LANES;
use crate::outbox::Purposes;
use crate::tables;

/// Locks that the lanes are spread over.
const SHARDS: usize = 64;

type Shard = HashMap<(AppNumber, ConversationId), Arc<Lane>, RandomState>;

/// The lanes of conversations that were written to lately.
#[derive(Debug)]
pub(super) struct Lanes {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    shard_capacity: usize,
    gauge: metrics::Gauge,
}

impl Lanes {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            shard_capacity: (capacity / SHARDS).max(1),
            gauge: metrics::gauge!(LANES),
        }
    }

    /// The lane of a conversation, which is made if there is none.
    pub(super) fn lane(&self, app: AppNumber, conversation: ConversationId) -> Arc<Lane> {
        let key = (app, conversation);
        // The low bits of the hash choose the shard; the remainder is below the number of shards, so it fits.
        let shard = self.hasher.hash_one(key) as usize % SHARDS;
        let mut lanes = self.shards[shard].lock();
        if let Some(lane) = lanes.get(&key) {
            lane.used.store(true, Ordering::Relaxed);
            return lane.clone();
        }
        if lanes.len() >= self.shard_capacity {
            let before = lanes.len();
            // Invariant: whoever works with a lane holds it, and can take hold of it under this lock only.
            // So a lane with something on its way stays, and there are never two for one conversation.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.used.swap(false, Ordering::Relaxed));
            if lanes.len() >= self.shard_capacity {
                lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
            self.gauge.decrement((before - lanes.len()) as f64);
        }
        self.gauge.increment(1.0);
        let lane = Arc::new(Lane::new(app, conversation));
        lanes.insert(key, lane.clone());
        lane
    }
}

/// One conversation's log, as it will be once everything on its way is written.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) app: AppNumber,
    pub(super) conversation: ConversationId,
    pub(super) home: Home,
    state: Mutex<LaneState>,
    /// Since the shard was last cleared.
    used: AtomicBool,
    started: AtomicBool,
    /// For which period the outbox's journal has a line of this conversation; 0 for none that is known of.
    pub(super) outbox_line: AtomicI64,
}

impl Lane {
    fn new(app: AppNumber, conversation: ConversationId) -> Self {
        Self {
            app,
            conversation,
            home: tables::conversation(app, conversation),
            state: Mutex::default(),
            used: AtomicBool::new(false),
            started: AtomicBool::new(false),
            outbox_line: AtomicI64::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock()
    }

    /// Whether the conversation's users are known to be members of it.
    pub(super) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub(super) fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.lock().head.as_ref().and_then(|head| head.0.as_ref()).map(|head| Epoch(head.epoch))
    }

    pub(super) fn sent_key<'a>(&self, slot: &'a Slot) -> SentKey<'a> {
        SentKey {
            app: self.app,
            conversation: self.conversation,
            sender: UserId(slot.entry.sender),
            client_msg_id: &slot.entry.client_msg_id,
        }
    }
}

/// A head that is known; `None` where the log has no entry.
#[derive(Debug)]
pub(super) struct Head(pub(super) Option<store::Head>);

/// What a lane's lock protects.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    /// After everything in the queue; `None` while it must be read.
    pub(super) head: Option<Head>,
    /// In the order of their places. While the head is unknown, new slots wait here without a commit.
    pub(super) queue: VecDeque<Box<Slot>>,
    /// How many slots at the front lost their place and wait for another.
    parked: usize,
    /// Whether a task is waiting for the queue's commits.
    pub(super) driven: bool,
    /// The last entry that became durable here: a head below it, or another one in its place, means that the store has lost it.
    pub(super) durable: Durable,
    /// Ids of messages of which it is unknown whether they are stored, and which nobody was told of. The latest ones.
    pub(super) unsure: Vec<u64>,
    /// How many entries were placed since the lane was last without any on its way.
    pub(super) placed: u32,
}

/// An entry that was durable once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Durable {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) message_id: u64,
}

/// Messages of one lane whose outcome is unknown that are remembered.
const MOST_UNSURE: usize = 1_024;

/// What the task that drives a lane does next.
pub(super) enum Step {
    Await(Commit),
    Restart,
    Done,
}

impl LaneState {
    pub(super) fn next_step(&mut self) -> Step {
        match self.queue.get_mut(self.parked).map(|slot| slot.commit.take()) {
            Some(Some(commit)) => Step::Await(commit),
            Some(None) => Step::Restart,
            None if self.parked > 0 => Step::Restart,
            None => {
                self.driven = false;
                self.placed = 0;
                Step::Done
            }
        }
    }

    /// Takes the slot whose commit was awaited.
    pub(super) fn take_settled(&mut self) -> Box<Slot> {
        let slot = self.queue.remove(self.parked).expect("only the driving task removes slots");
        self.durable = Durable { epoch: slot.epoch, seq: slot.entry.seq, message_id: slot.entry.message_id };
        slot
    }

    /// Forgets the head, which the failed entry was part of, and keeps the slot for another attempt or gives it back.
    pub(super) fn settle_failed(&mut self, error: &storage::Error) -> Option<Box<Slot>> {
        self.head = None;
        let slot = self.queue.get_mut(self.parked)?;
        if matches!(error, storage::Error::Conflict) && !slot.decisive {
            slot.attempts += 1;
            self.parked += 1;
            return None;
        }
        if matches!(error, storage::Error::Unavailable(_)) {
            let id = slot.entry.message_id;
            if self.unsure.len() == MOST_UNSURE {
                self.unsure.remove(0);
            }
            self.unsure.push(id);
        }
        self.queue.remove(self.parked)
    }

    /// Whether a message was left unsure; it is not any more.
    pub(super) fn take_unsure(&mut self, message: MessageId) -> bool {
        let at = self.unsure.iter().position(|id| *id == message.0);
        at.map(|at| self.unsure.swap_remove(at)).is_some()
    }

    /// Takes the slots that lost their place. The head is unknown, so whatever comes now queues up behind them.
    pub(super) fn take_parked(&mut self) -> VecDeque<Box<Slot>> {
        let parked = std::mem::take(&mut self.parked);
        self.queue.drain(..parked).collect()
    }

    pub(super) fn put_back(&mut self, slots: VecDeque<Box<Slot>>) {
        for slot in slots.into_iter().rev() {
            self.queue.push_front(slot);
        }
    }

    /// Answers everything in the lane with an error.
    pub(super) fn fail_all(&mut self, error: &Error) {
        self.head = None;
        self.parked = 0;
        for slot in self.queue.drain(..) {
            slot.refuse(error);
        }
    }

    /// Answers what waits behind a refused entry of its chain. Nothing in the queue has a commit under way.
    pub(super) fn refuse_cut_off(&mut self, error: &Error) {
        for slot in std::mem::take(&mut self.queue) {
            if slot.is_cut_off() { slot.refuse(error) } else { self.queue.push_back(slot) }
        }
    }
}

/// Held by the task that drives a lane: if it ends otherwise than by being done, those who wait must not wait for ever.
pub(super) struct Driving<'a> {
    lane: &'a Lane,
    done: bool,
}

impl<'a> Driving<'a> {
    pub(super) fn new(lane: &'a Lane) -> Self {
        Self { lane, done: false }
    }

    /// The lane's state says that nobody drives it, and somebody else may already do so.
    pub(super) fn done(&mut self) {
        self.done = true;
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.lane.lock();
            state.driven = false;
            state.fail_all(&stopped());
        }
    }
}

/// An entry on its way.
pub(super) struct Slot {
    /// The author's changes besides the entry, until they are in a commit.
    pub(super) more: Option<Changes>,
    /// Had such changes: a conflict may be about them, so the author must decide again.
    pub(super) decisive: bool,
    /// Milliseconds; 0 for ever.
    pub(super) retention: i64,
    /// With seq and time, once it has a place.
    pub(super) entry: entry::Entry,
    /// Others know the message by its id, which has to stay.
    pub(super) is_id_given: bool,
    pub(super) epoch: u64,
    pub(super) members_version: u64,
    /// What else is to happen because of it.
    pub(super) purposes: Purposes,
    pub(super) digest: u64,
    /// Its outcome, until the driving task takes it.
    pub(super) commit: Option<Commit>,
    pub(super) attempts: u32,
    /// What it must not overtake.
    pub(super) chain: Option<Chain>,
    pub(super) reply: oneshot::Sender<Result<Sent>>,
}

impl Slot {
    /// What the author learns of the place that the slot has.
    pub(super) fn sent(&self, conversation: ConversationId) -> Sent {
        Sent {
            conversation,
            epoch: Epoch(self.epoch),
            seq: Seq(self.entry.seq),
            message_id: MessageId(self.entry.message_id),
            time: self.entry.time,
        }
    }

    /// Whether an entry that it must not overtake was refused for now.
    pub(super) fn is_cut_off(&self) -> bool {
        self.chain.as_ref().is_some_and(Chain::is_broken)
    }

    /// Answers with an error, which may break the chain. Under the lane's lock, or while the lane is being restarted.
    pub(super) fn refuse(self, error: &Error) {
        if let Some(chain) = &self.chain {
            chain.note(error);
        }
        self.answer(Err(error.clone()));
    }

    pub(super) fn answer(self, outcome: Result<Sent>) {
        // Nobody may be waiting any more.
        let _ = self.reply.send(outcome);
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Slot").field("seq", &self.entry.seq).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    /// There is one for almost every message, in memory that is taken, filled and given back, and moved on the way.
    #[tokio::test]
    async fn the_task_of_a_lane_is_small() {
        let world = World::new().await;
        let log = world.domain.messages.log();
        let lane = log.lanes.lane(world.server.app(), ConversationId::Notices(UserId(1)));
        let driving = log.clone().drive(lane);
        let size = size_of_val(&driving);
        assert!(size <= 1_000, "{size} bytes");
    }
}
