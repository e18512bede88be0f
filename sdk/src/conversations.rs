//! Conversations: naming them, listing them, read marks, pin, mute and delete.

use proto::entry::{self, Entry, conversation_id::Kind};
use proto::wire::frame::Body;
use proto::wire::{
    self, CountUnread, DeleteConversation, GetConversation, ListConversations, Read, Receipts, Typing,
    UpdateConversation,
};

/// How much of a conversation its user wants to hear.
pub use proto::wire::Mute;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::page::Page;

/// Names one conversation. Absolute: every member sees the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConversationId {
    /// Between two users.
    Direct {
        /// The smaller user id.
        low: u64,
        /// The larger user id; the same one in a conversation with oneself.
        high: u64,
    },
    /// Of a group, by group id.
    Group(u64),
    /// A user's own notices: friend requests, invitations, device events.
    Notices(u64),
}

impl ConversationId {
    /// The conversation between two users, whichever is named first.
    #[must_use]
    pub fn between(one: u64, other: u64) -> Self {
        Self::Direct { low: one.min(other), high: one.max(other) }
    }

    /// In a 1:1 conversation, the user at the other end as seen by `user`.
    #[must_use]
    pub fn peer_of(self, user: u64) -> Option<u64> {
        match self {
            Self::Direct { low, high } => Some(if low == user { high } else { low }),
            Self::Group(_) | Self::Notices(_) => None,
        }
    }

    pub(crate) fn to_wire(self) -> entry::ConversationId {
        let kind = match self {
            Self::Direct { low, high } => Kind::Direct(entry::Direct { low, high }),
            Self::Group(group) => Kind::Group(group),
            Self::Notices(user) => Kind::Notices(user),
        };
        entry::ConversationId { kind: Some(kind) }
    }

    /// `None` for a kind that this version does not know.
    pub(crate) fn from_wire(id: Option<&entry::ConversationId>) -> Option<Self> {
        Some(match id?.kind.as_ref()? {
            Kind::Direct(direct) => Self::between(direct.low, direct.high),
            Kind::Group(group) => Self::Group(*group),
            Kind::Notices(user) => Self::Notices(*user),
        })
    }
}

impl std::fmt::Display for ConversationId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct { low, high } => write!(out, "direct:{low}-{high}"),
            Self::Group(group) => write!(out, "group:{group}"),
            Self::Notices(user) => write!(out, "notices:{user}"),
        }
    }
}

/// A conversation as the caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// Changes when the server lost part of it.
    pub epoch: u64,
    /// Newest entry; 0 when there is none.
    pub last_seq: u64,
    /// Oldest entry that the caller may read.
    pub first_seq: u64,
    /// Read by the caller up to here.
    pub read_seq: u64,
    /// Messages after `read_seq` that count.
    pub unread: u64,
    /// In 1:1 conversations: read by the other one up to here.
    pub peer_read_seq: u64,
    /// Kept on top of the list.
    pub pinned: bool,
    /// How much the caller wants to hear of it.
    pub mute: Mute,
    /// The caller's own name for it.
    pub remark: String,
    /// The newest entry; in lists only.
    pub last: Option<Entry>,
    /// Name of the group or the peer; in lists only.
    pub name: String,
    /// Avatar of the group or the peer; in lists only.
    pub avatar: String,
}

impl Conversation {
    pub(crate) fn from_wire(wire: wire::Conversation) -> Option<Self> {
        Some(Self {
            id: ConversationId::from_wire(wire.id.as_ref())?,
            epoch: wire.epoch,
            last_seq: wire.last_seq,
            first_seq: wire.first_seq,
            read_seq: wire.read_seq,
            unread: wire.unread,
            peer_read_seq: wire.peer_read_seq,
            pinned: wire.pinned,
            mute: wire.mute(),
            remark: wire.remark,
            last: wire.last,
            name: wire.name,
            avatar: wire.avatar,
        })
    }
}

/// How far a member has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// In which conversation.
    pub conversation: ConversationId,
    /// Who, by user id.
    pub user: u64,
    /// Up to here.
    pub seq: u64,
    /// When, in Unix milliseconds.
    pub time: i64,
}

impl Receipt {
    pub(crate) fn from_wire(wire: &wire::Receipt) -> Option<Self> {
        let conversation = ConversationId::from_wire(wire.conversation.as_ref())?;
        Some(Self { conversation, user: wire.user, seq: wire.seq, time: wire.time })
    }
}

/// Changes to the caller's own view of a conversation. `None` leaves a setting as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationChange {
    /// Keep it on top of the list.
    pub pinned: Option<bool>,
    /// How much the caller wants to hear of it.
    pub mute: Option<Mute>,
    /// The caller's own name for it.
    pub remark: Option<String>,
    /// So many messages show as unread, until the caller reads on. No read mark moves.
    pub unread: Option<u64>,
}

impl Client {
    /// The caller's conversations, pinned first, then the most recently active. `cursor` is `next` of the page before;
    /// `limit` is 1 to 200, 0 means 100.
    pub async fn conversations(&self, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Conversation>> {
        let cursor = crate::page::cursor(cursor);
        let body = Body::ListConversations(ListConversations { cursor, limit });
        let page = answer!(self, body, ConversationPage);
        Ok(Page::new(page.conversations.into_iter().filter_map(Conversation::from_wire), page.next))
    }

    /// One of the caller's conversations, without a name.
    pub async fn conversation(&self, conversation: ConversationId) -> Result<Conversation> {
        let body = Body::GetConversation(GetConversation { conversation: Some(conversation.to_wire()) });
        let found = Conversation::from_wire(answer!(self, body, Conversation));
        found.ok_or_else(|| Error::Protocol("a conversation without an id".to_owned()))
    }

    /// How many messages the caller has not read, over all conversations that are not muted altogether: what an app's icon shows.
    pub async fn unread_count(&self) -> Result<u64> {
        Ok(answer!(self, Body::CountUnread(CountUnread {}), UnreadCount).count)
    }

    /// Marks everything up to `seq` as read. Never goes back. The other members and the caller's other devices learn of it.
    pub async fn mark_read(&self, conversation: ConversationId, seq: u64) -> Result<()> {
        self.ask_ok(Body::Read(Read { conversation: Some(conversation.to_wire()), seq })).await
    }

    /// How far the members have read; only those who read as far as `seq`, 0 for all.
    pub async fn receipts(&self, conversation: ConversationId, seq: u64) -> Result<Vec<Receipt>> {
        let body = Body::Receipts(Receipts { conversation: Some(conversation.to_wire()), seq });
        let list = answer!(self, body, ReceiptList);
        Ok(list.receipts.iter().filter_map(Receipt::from_wire).collect())
    }

    /// Pins, mutes or renames a conversation for the caller, or marks it as unread.
    pub async fn update_conversation(&self, conversation: ConversationId, change: ConversationChange) -> Result<()> {
        let ConversationChange { pinned, mute, remark, unread } = change;
        let (conversation, mute) = (Some(conversation.to_wire()), mute.map(i32::from));
        self.ask_ok(Body::UpdateConversation(UpdateConversation { conversation, pinned, mute, remark, unread })).await
    }

    /// Hides the conversation and its entries so far from the caller. A new entry brings it back.
    pub async fn delete_conversation(&self, conversation: ConversationId) -> Result<()> {
        self.ask_ok(Body::DeleteConversation(DeleteConversation { conversation: Some(conversation.to_wire()) })).await
    }

    /// Tells the other members that the caller is writing, or has stopped. At most once; lost while there is no connection.
    pub async fn typing(&self, conversation: ConversationId, active: bool) -> Result<()> {
        let conversation = Some(conversation.to_wire());
        self.notice(Body::Typing(Typing { conversation, user: 0, active })).await
    }
}
