//! Messages: sending, reading back, withdrawing, editing.

use proto::{entry, store};

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{ConversationId, Epoch, MessageId, Seq};

/// A message to send. The sender is the caller.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub conversation: ConversationId,
    /// 1 to 64 bytes; a retry under the same one changes nothing.
    pub client_msg_id: String,
    pub content: entry::Content,
    /// Not stored; only who is connected gets it.
    pub online_only: bool,
}

/// What the sender learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub conversation: ConversationId,
    pub epoch: Epoch,
    /// 0 for an online-only message.
    pub seq: Seq,
    pub message_id: MessageId,
    /// Unix milliseconds.
    pub time: i64,
}

/// A message that has its place in the order but is not durable yet.
#[must_use = "a message is acknowledged only once it is durable"]
#[derive(Debug)]
pub struct Submitted {}

impl Submitted {
    /// Waits until the message is durable and has been handed to delivery. Dropping this changes neither.
    pub async fn durable(self) -> Result<Sent> { todo!() }
}

/// Which entries to read.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRange {
    /// First seq wanted, inclusive; 0: the newest (descending) or the oldest (ascending).
    pub from: Seq,
    pub ascending: bool,
    /// 1 to the configured limit.
    pub limit: usize,
}

/// Entries of one conversation, in the order asked for.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub epoch: u64,
    pub entries: Vec<entry::Entry>,
    /// Nothing lies beyond the last entry.
    pub complete: bool,
    /// Oldest seq that the caller may read.
    pub first_seq: u64,
    /// Newest seq.
    pub last_seq: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Messages {}

impl Messages {
    /// Checks the caller's right, gives the message its place, and hands it to the store.
    /// Two calls one after the other keep their order, whatever is awaited later.
    ///
    /// # Errors
    /// `Invalid`, `NotFound(User|Group)`, `Denied(Blocked|NotFriends|NotMember|Muted)`, `Reused`, `Limited`, ...
    pub async fn submit(&self, caller: &Caller, message: Outgoing) -> Result<Submitted> { todo!() }

    /// [`Self::submit`] and wait.
    pub async fn send(&self, caller: &Caller, message: Outgoing) -> Result<Sent> { self.submit(caller, message).await?.durable().await }

    /// Entries of a conversation that the caller is in. Recalled messages come without content; edits are entries of their own.
    pub async fn history(&self, caller: &Caller, conversation: ConversationId, range: HistoryRange) -> Result<History> { todo!() }

    /// The caller's newest messages over all conversations, oldest first (gobelieve `GET /messages`).
    pub async fn recent(&self, caller: &Caller, limit: usize) -> Result<Vec<(ConversationId, entry::Entry)>> { todo!() }

    /// Where a message id is in a conversation.
    pub async fn position(&self, caller: &Caller, conversation: ConversationId, message: MessageId) -> Result<Option<Seq>> { todo!() }

    /// Withdraws a message: one's own within the limit, or any as a group's owner or admin.
    pub async fn recall(&self, caller: &Caller, conversation: ConversationId, seq: Seq) -> Result<()> { todo!() }

    /// Replaces the content of one's own message.
    pub async fn edit(&self, caller: &Caller, conversation: ConversationId, seq: Seq, content: entry::Content) -> Result<()> { todo!() }
}
