//! The sequencer: gives every entry its place in its conversation, and takes it to delivery once it is durable.
//!
//! Each active conversation has a [`Lane`]: what its head will be once everything that is on its way has been written, and what is on its way.
//! An entry is placed and handed to the store under the lane's lock, without waiting for the ones before it; so a conversation is not limited
//! to one entry per disk write. Every commit names the head that it expects, so two processes cannot write two histories.
//! One task per busy lane ([`Log::drive`]) waits for the commits in order, delivers, and answers; nobody else needs to be polled for that.
//!
//! It knows nothing of permissions: whoever calls [`Log::append`] has checked them.

mod chain;
mod epochs;
mod keys;
mod lanes;
mod positions;
mod repeats;
mod submitted;
mod used;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use proto::entry::entry::Body;
use proto::{entry, store};
use sha2::{Digest, Sha256};
use storage::{Batch, Clock, Millis, State, Store};
use tokio::sync::oneshot;

use crate::apps::Directory;
use crate::config::Config;
use crate::conversations::MembershipKey;
use crate::counters::{Counters, Sequence};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{AppNumber, ConversationId, ID_END, MessageId, Seq, UserId};
use crate::messages::Sent;
use crate::outbox::{Outbox, Purposes};
use crate::{metrics as names, tables};

pub use chain::Chain;
pub(crate) use epochs::Lost;
pub(crate) use keys::{EntryKey, HeadKey, PositionKey, SentKey};
use lanes::{Lane, Lanes, Slot};
pub use submitted::Submitted;
use used::Used;

/// How often an entry is placed anew before its sender is told to try again later.
const ATTEMPTS: u32 = 32;
/// Entries that a lane places without a break where other processes write as well: they find the head at rest only in a break.
const BURST: u32 = 32;

/// An entry to be placed.
pub(crate) struct Draft {
    /// The author; user 0 is the app itself.
    pub(crate) sender: UserId,
    /// Empty where a retry needs no recognition.
    pub(crate) client_msg_id: String,
    /// What the entry says.
    pub(crate) body: Body,
    /// What else changes in the same commit.
    pub(crate) more: Option<Changes>,
}

/// Adds further changes of the conversation's home to an entry's commit.
///
/// If one of its expectations does not hold, nothing happens and [`Submitted::durable`] yields [`Error::is_conflict`]:
/// what the changes were derived from must be read again. The same may happen when only the head moved.
pub(crate) type Changes = Box<dyn FnOnce(&mut Batch, &mut Place<'_>) + Send>;

/// An entry's place, as its commit is built.
pub(crate) struct Place<'a> {
    /// Its seq.
    pub(crate) seq: Seq,
    /// Its time.
    pub(crate) time: Millis,
    /// The head after this entry; changes to it are written.
    pub(crate) head: &'a mut store::Head,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Log {
    store: Store,
    clock: Clock,
    counters: Counters,
    directory: Directory,
    events: Arc<Events>,
    outbox: Arc<Outbox>,
    lanes: Lanes,
    used: Used,
    dedupe_window: Duration,
    entries: Counter,
    repeats: Counter,
    placed_again: Counter,
}

impl Log {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        counters: Counters,
        directory: Directory,
        events: Arc<Events>,
        outbox: Arc<Outbox>,
        config: &Config,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            counters,
            directory,
            events,
            outbox,
            lanes: Lanes::new(config.active_conversations),
            used: Used::default(),
            dedupe_window: config.dedupe_window,
            entries: metrics::counter!(names::ENTRIES),
            repeats: metrics::counter!(names::REPEATS),
            placed_again: metrics::counter!(names::PLACED_AGAIN),
        })
    }

    /// Gives an entry its place and hands it to the store.
    ///
    /// The first entry of a 1:1 conversation, or of someone's notices, is preceded by the membership rows of its users.
    /// A crash in between leaves rows of a conversation without a head, which every reader passes over and the next entry completes.
    ///
    /// # Errors
    /// `Reused`, `Full`, `Limited`, `Unavailable`.
    pub(crate) async fn append(
        self: &Arc<Self>,
        app: &Arc<store::App>,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<Submitted> {
        self.append_as(app, conversation, draft, None, None).await
    }

    /// [`Self::append`], under an id that was given out before, or behind the entries of a chain.
    /// The caller sees to it that no other entry gets the id.
    pub(crate) async fn append_as(
        self: &Arc<Self>,
        app: &Arc<store::App>,
        conversation: ConversationId,
        draft: Draft,
        given: Option<MessageId>,
        chain: Option<&Chain>,
    ) -> Result<Submitted> {
        let number = AppNumber(app.number);
        let digest = if draft.client_msg_id.is_empty() { 0 } else { digest(&draft.body) };
        if !draft.client_msg_id.is_empty() {
            let key = SentKey { app: number, conversation, sender: draft.sender, client_msg_id: &draft.client_msg_id };
            // What is rarely waited for is in a box of its own, here and below: every message under way would be as large as all of it.
            if self.used.note(&key)
                && let Some(earlier) = Box::pin(self.earlier(&key, digest)).await?
            {
                Box::pin(self.tell_again(&key, &earlier)).await?;
                return Ok(Submitted::known(earlier));
            }
        }
        let lane = self.lanes.lane(number, conversation);
        if !lane.is_started() {
            Box::pin(self.start(&lane)).await?;
        }
        // A caller's copy may be as old as its connection.
        let settings = self.directory.settings(number).await?;
        let purposes = Purposes::of(&settings, &draft.body);
        if !purposes.is_empty() {
            Box::pin(self.outbox.announce(number, conversation, &lane.outbox_line)).await?;
        }
        let message_id = match given {
            Some(id) => id,
            None => self.message_id(number).await?,
        };
        let (reply, outcome) = oneshot::channel();
        let entry = entry::Entry {
            message_id: message_id.0,
            sender: draft.sender.0,
            client_msg_id: draft.client_msg_id,
            body: Some(draft.body),
            ..entry::Entry::default()
        };
        let slot = Slot {
            decisive: draft.more.is_some(),
            more: draft.more,
            retention: settings.retention_ms,
            entry,
            is_id_given: given.is_some(),
            epoch: 0,
            members_version: 0,
            purposes,
            digest,
            commit: None,
            attempts: 0,
            chain: chain.cloned(),
            reply,
        };
        self.submit(&lane, Box::new(slot));
        Ok(Submitted::awaited(outcome))
    }

    /// [`Self::append`], and wait.
    pub(crate) async fn write(
        self: &Arc<Self>,
        app: &Arc<store::App>,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<Sent> {
        self.append(app, conversation, draft).await?.durable().await
    }

    /// Tells a user, and all the user's devices, through the user's notices.
    pub(crate) async fn notice(
        self: &Arc<Self>,
        app: &Arc<store::App>,
        user: UserId,
        sender: UserId,
        tip: entry::Tip,
    ) -> Result<()> {
        let draft = Draft { sender, client_msg_id: String::new(), body: Body::Tip(tip), more: None };
        self.write(app, ConversationId::Notices(user), draft).await.map(|_| ())
    }

    /// Whether the conversation is known to have members; `false` where nobody has looked.
    pub(crate) fn is_started(&self, app: AppNumber, conversation: ConversationId) -> bool {
        self.lanes.lane(app, conversation).is_started()
    }

    /// Tells an event of something that is not stored.
    pub(crate) async fn tell(&self, app: AppNumber, body: store::event::Body) {
        self.events.tell(app, body).await;
    }

    /// An id for a message, whether or not it is stored.
    pub(crate) async fn message_id(&self, app: AppNumber) -> Result<MessageId> {
        Ok(MessageId(self.counters.next(app, Sequence::Messages).await?))
    }

    /// Puts a slot at the end of its lane, and on its way if the head is known.
    fn submit(self: &Arc<Self>, lane: &Arc<Lane>, mut slot: Box<Slot>) {
        let mut state = lane.lock();
        if slot.is_cut_off() {
            return slot.refuse(&cut_off());
        }
        if state.placed >= BURST && self.events.is_shared() {
            // Without a break, other processes would always find the head moved on.
            state.head = None;
        }
        if let Some(head) = state.head.take() {
            state.head = Some(self.place(lane, head, &mut slot));
            state.placed += 1;
        }
        state.queue.push_back(slot);
        if !state.driven {
            state.driven = true;
            tokio::spawn(self.clone().drive(lane.clone()));
        }
    }

    /// Builds a slot's commit after `head`, hands it to the store, and returns the head after it.
    fn place(&self, lane: &Lane, head: lanes::Head, slot: &mut Slot) -> lanes::Head {
        let before = head.0;
        let mut after = before.unwrap_or_else(|| store::Head { epoch: new_epoch(), ..store::Head::default() });
        after.last_seq += 1;
        let now = self.clock.now();
        after.last_time = brought(&slot.entry).unwrap_or(now.0).max(after.last_time + 1);
        let last_id = after.last_message_id;
        // Among others ids do not ascend for long, and one of an older version would lose the stretch from the head.
        let is_alone = !self.events.is_shared();
        if is_alone
            && slot.entry.message_id <= last_id
            && !slot.is_id_given
            && let Some(later) = self.counters.take(lane.app, Sequence::Messages)
        {
            // Who came by it first was placed later: ids that ascend need no row.
            slot.entry.message_id = later;
        }
        // Two processes may give the same seq at the same millisecond. Were their heads alike, an entry would follow the other's predecessor.
        after.last_message_id = slot.entry.message_id;
        let message = MessageId(slot.entry.message_id);
        let is_in_order = is_alone && positions::extend_stretch(&mut after, last_id, message);
        let (seq, time) = (Seq(after.last_seq), Millis(after.last_time));
        let mut batch = Batch::new(lane.home.clone());
        let head_key = HeadKey { app: lane.app, conversation: lane.conversation };
        batch.expect_unchanged(&head_key, before.as_ref());
        let expires = expiry(time, slot.retention);
        after.expiring |= expires.is_some();
        if let Some(more) = slot.more.take() {
            more(&mut batch, &mut Place { seq, time, head: &mut after });
        }
        slot.entry.seq = seq.0;
        slot.entry.time = time.0;
        slot.epoch = after.epoch;
        slot.members_version = after.members_version;
        batch.put(&head_key, &after);
        put(&mut batch, &EntryKey { app: lane.app, conversation: lane.conversation, seq }, &slot.entry, expires);
        self.outbox.leave(slot.purposes, &mut batch, (lane.app, lane.conversation), (seq, time));
        if !is_in_order {
            let position = PositionKey { app: lane.app, conversation: lane.conversation, message };
            put(&mut batch, &position, &store::Position { seq: seq.0 }, expires);
        }
        if !slot.entry.client_msg_id.is_empty() {
            let key = lane.sent_key(slot);
            let sent = store::Sent { seq: seq.0, message_id: message.0, time: time.0, digest: slot.digest };
            batch.expect(&key, State::Absent).put_expiring(&key, &sent, now.plus(self.dedupe_window));
        }
        slot.commit = Some(self.store.commit(batch));
        lanes::Head(Some(after))
    }

    /// Waits for a lane's commits in order, until none is left.
    async fn drive(self: Arc<Self>, lane: Arc<Lane>) {
        let mut driving = lanes::Driving::new(&lane);
        loop {
            let step = lane.lock().next_step();
            match step {
                lanes::Step::Await(commit) => {
                    let outcome = commit.await;
                    self.settle(&lane, outcome).await;
                }
                lanes::Step::Restart => Box::pin(self.restart(&lane)).await,
                lanes::Step::Done => return driving.done(),
            }
        }
    }

    /// Acts on the outcome of the commit that [`lanes::Step::Await`] gave.
    async fn settle(&self, lane: &Lane, outcome: storage::Result<()>) {
        let slot = match outcome {
            Ok(()) => lane.lock().take_settled(),
            Err(error) => {
                // Refused under the lock, so that nothing of the same chain is placed in between.
                let mut state = lane.lock();
                if let Some(slot) = state.settle_failed(&error) {
                    slot.refuse(&error.into());
                }
                return;
            }
        };
        let sent = slot.sent(lane.conversation);
        let Slot { entry, epoch, members_version, purposes, reply, .. } = *slot;
        self.entries.increment(1);
        let appended = store::Appended {
            conversation: Some(lane.conversation.to_wire()),
            epoch,
            members_version,
            entry: Some(entry),
            online_only: false,
            room: false,
            outbox: !purposes.is_empty(),
        };
        self.events.tell(lane.app, store::event::Body::Appended(appended)).await;
        // Nobody may be waiting any more; the entry is durable and told all the same.
        let _ = reply.send(Ok(sent));
    }

    /// Reads the head again and puts everything that waits in the lane on its way, in the order in which it came.
    async fn restart(&self, lane: &Lane) {
        let (parked, rested) = {
            let mut state = lane.lock();
            (state.take_parked(), state.placed >= BURST)
        };
        let mut kept = VecDeque::with_capacity(parked.len());
        let attempts = parked.front().map_or(0, |slot| slot.attempts);
        if attempts > 1 || rested {
            // Other processes are writing here too, or may want to. Random, so that two do not keep meeting.
            tokio::time::sleep(Duration::from_micros(rand::random_range(0..500 * u64::from(attempts.max(1))))).await;
        }
        let known = self.known(lane, &parked).await;
        for slot in parked {
            if slot.attempts > ATTEMPTS {
                slot.refuse(&cut_off());
                continue;
            }
            // A retry may have met its original under way: then this is where it finds the place that was given.
            let earlier = match &known {
                Ok(known) if !known.contains(&slot.entry.message_id) => Ok(None),
                Ok(_) => self.earlier(&lane.sent_key(&slot), slot.digest).await,
                Err(error) => Err(error.clone()),
            };
            match earlier {
                Ok(None) => kept.push_back(slot),
                Ok(Some(sent)) => match self.tell_again(&lane.sent_key(&slot), &sent).await {
                    Ok(()) => slot.answer(Ok(sent)),
                    Err(error) => slot.refuse(&error),
                },
                Err(error) => slot.refuse(&error),
            }
        }
        self.placed_again.increment(kept.len() as u64);
        let head = self.head_of(lane).await;
        let mut state = lane.lock();
        state.placed = 0;
        state.put_back(kept);
        state.refuse_cut_off(&cut_off());
        match head {
            Ok(head) => {
                let mut head = lanes::Head(head);
                for slot in &mut state.queue {
                    head = self.place(lane, head, slot);
                }
                state.head = Some(head);
            }
            Err(error) => state.fail_all(&error),
        }
    }

    /// The head of a conversation's log; `None` before its first entry.
    pub(crate) async fn head(&self, app: AppNumber, conversation: ConversationId) -> Result<Option<store::Head>> {
        Ok(self.store.get(&HeadKey { app, conversation }).await?)
    }

    /// Learns whether the conversation has entries, and makes its users members of it if it has none.
    async fn start(&self, lane: &Lane) -> Result<()> {
        let users: &[UserId] = match &lane.conversation {
            ConversationId::Direct { low, high } if low == high => &[*low],
            ConversationId::Direct { low, high } => &[*low, *high],
            ConversationId::Notices(user) => &[*user],
            ConversationId::Group(_) => &[],
        };
        if !users.is_empty() && self.head(lane.app, lane.conversation).await?.is_none() {
            for &user in users {
                self.join(lane.app, user, lane.conversation).await?;
            }
        }
        lane.set_started();
        Ok(())
    }

    /// Writes a user's membership row, unless there is one.
    pub(crate) async fn join(&self, app: AppNumber, user: UserId, conversation: ConversationId) -> Result<()> {
        let key = MembershipKey { app, user, conversation };
        let membership = store::Membership {
            conversation: Some(conversation.to_wire()),
            created: self.clock.now().0,
            ..store::Membership::default()
        };
        let mut batch = Batch::new(tables::user(app, user));
        batch.expect(&key, State::Absent).put(&key, &membership);
        match self.store.commit(batch).await {
            Ok(()) | Err(storage::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Puts a row of a conversation's log, which vanishes with its entry.
pub(crate) fn put<K: storage::Key>(batch: &mut Batch, key: &K, record: &K::Record, expires: Option<Millis>) {
    match expires {
        Some(at) => batch.put_expiring(key, record, at),
        None => batch.put(key, record),
    };
}

/// When an entry of this time vanishes; `None` for never.
pub(crate) fn expiry(time: Millis, retention_ms: i64) -> Option<Millis> {
    (retention_ms > 0).then(|| Millis(time.0.saturating_add(retention_ms)))
}

/// When an entry was said that was said elsewhere and brought here later. It keeps its time where the order allows.
fn brought(entry: &entry::Entry) -> Option<i64> {
    let Some(Body::Message(content)) = &entry.body else { return None };
    Some(content.said_at).filter(|time| *time != 0)
}

/// Tells two contents under one client_msg_id apart.
fn digest(body: &Body) -> u64 {
    // As in an entry that has nothing else: that is what was always hashed, without a copy of what may be long.
    let mut encoded = Vec::with_capacity(body.encoded_len());
    body.encode(&mut encoded);
    let hash = Sha256::digest(&encoded);
    u64::from_be_bytes(hash[..8].try_into().expect("a SHA-256 hash is longer than eight bytes"))
}

/// A random epoch that JSON numbers carry; never 0, which means that there is none.
fn new_epoch() -> u64 {
    rand::random_range(1..ID_END)
}

/// For an entry that must not be placed before one that its sender sends again.
fn cut_off() -> Error {
    Error::Limited { retry_after: Duration::from_millis(100) }
}
