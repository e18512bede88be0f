//! Conversations: what a user is in, how far it has been read, and what a device lacks.

use proto::{entry, store};

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{ConversationId, Epoch, Seq, UserId};

/// A conversation as one user sees it.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub id: ConversationId,
    pub head: store::Head,
    pub membership: store::Membership,
    /// Oldest entry that the user may read.
    pub first_seq: Seq,
    pub read_seq: Seq,
    pub unread: u64,
    /// In 1:1 conversations: how far the other one has read.
    pub peer_read_seq: Seq,
    /// The newest entry, if any is visible.
    pub last: Option<entry::Entry>,
}

/// A page, and where the next one starts.
#[derive(Debug, Clone, Default)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next: Option<bytes::Bytes>,
}

/// Whether a device can be sure to have everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Complete,
    Truncated { from: Seq },
    Reset,
}

/// What a device holds of a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Have {
    pub epoch: Epoch,
    pub seq: Seq,
}

/// One conversation, compared with what the device holds.
#[derive(Debug, Clone)]
pub struct Synced {
    pub conversation: Conversation,
    pub verdict: Verdict,
    /// Ascending.
    pub entries: Vec<entry::Entry>,
}

/// Changes to one's own view; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ViewChange {
    pub pinned: Option<bool>,
    pub muted: Option<bool>,
    pub remark: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Conversations {}

impl Conversations {
    /// The caller's conversations: pinned first, then the most recently active. Hidden (deleted) ones are left out.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<Conversation>> { todo!() }
    /// One of them. # Errors: `NotFound(Conversation)`.
    pub async fn get(&self, caller: &Caller, id: ConversationId) -> Result<Conversation> { todo!() }
    /// Compares what a device has with every conversation of the caller, page by page (in key order, so that a cursor is stable).
    pub async fn sync(&self, caller: &Caller, have: &std::collections::HashMap<ConversationId, Have>, cursor: Option<&[u8]>, limit: usize, entries: usize) -> Result<Page<Synced>> { todo!() }
    /// Marks as read up to `seq`; never goes back. Tells the other members (at most once).
    pub async fn read(&self, caller: &Caller, id: ConversationId, seq: Seq) -> Result<()> { todo!() }
    /// How far the members have read; only those at or past `seq`.
    pub async fn receipts(&self, caller: &Caller, id: ConversationId, seq: Seq) -> Result<Vec<(UserId, store::Watermark)>> { todo!() }
    pub async fn update(&self, caller: &Caller, id: ConversationId, change: ViewChange) -> Result<()> { todo!() }
    /// Hides what is there so far from the caller. A new entry brings the conversation back.
    pub async fn delete(&self, caller: &Caller, id: ConversationId) -> Result<()> { todo!() }
    /// Tells the others that the caller is writing; at most once, never stored.
    pub async fn typing(&self, caller: &Caller, id: ConversationId, active: bool) -> Result<()> { todo!() }
}
