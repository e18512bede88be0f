//! What the client learns without asking.

use std::time::Duration;

use proto::entry::Entry;

use crate::conversations::{Conversation, ConversationId, Receipt};
use crate::error::Error;
use crate::presence::Presence;

/// Something that happened. Taken from [`Events::next`](crate::Events::next), in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The session is open.
    Connected {
        /// The caller's user id.
        user: u64,
        /// Whether an earlier session goes on, so that nothing has to be synchronised.
        resumed: bool,
    },
    /// There is no connection. The client tries again by itself.
    Disconnected {
        /// For people.
        reason: String,
        /// When the next attempt starts.
        retry_in: Duration,
    },
    /// Everything up to the moment of logging in has been delivered; what follows is live.
    Synced,
    /// The next entry of a conversation: a message, an edit, a recall or a tip. Own messages come back this way too.
    ///
    /// Within a conversation entries come in seq order, each once, without a hole that no [`Event::Gap`] announced.
    Entry(Box<Delivered>),
    /// A message that is not stored: its seq is 0, it is in no history, and it comes at most once.
    OnlineOnly(Box<Delivered>),
    /// Entries `from_seq..=to_seq` are skipped. They can be asked for with [`history`](crate::Client::history), if they still exist.
    Gap {
        /// Of which conversation.
        conversation: ConversationId,
        /// First seq skipped.
        from_seq: u64,
        /// Last seq skipped.
        to_seq: u64,
    },
    /// The server lost part of this conversation: everything held of it is void and starts anew under `epoch`.
    Reset {
        /// Of which conversation.
        conversation: ConversationId,
        /// The epoch that begins.
        epoch: u64,
    },
    /// A conversation's state at synchronisation: read marks, unread count, pin, mute.
    Conversation(Box<Conversation>),
    /// Someone's read mark moved; also one's own, from another device.
    Receipt(Receipt),
    /// Someone is writing, or stopped.
    Typing {
        /// In which conversation.
        conversation: ConversationId,
        /// Who, by user id.
        user: u64,
        /// Whether they are writing.
        active: bool,
    },
    /// Someone whose presence is subscribed to came or went.
    Presence(Presence),
    /// The server is about to stop. The client moves to another one by itself.
    Draining {
        /// When it will.
        reconnect_in: Duration,
    },
    /// The client is closed and stays so. Always the last event.
    Closed(Error),
}

/// An entry of a conversation's log, and where it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The conversation.
    pub conversation: ConversationId,
    /// The conversation's epoch. With the entry's seq it names the entry for good.
    pub epoch: u64,
    /// The entry.
    pub entry: Entry,
}

/// How far a device has got in one conversation. Plain data, for the app to keep between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The conversation.
    pub conversation: ConversationId,
    /// The epoch that `seq` counts in.
    pub epoch: u64,
    /// Every entry up to here is held.
    pub seq: u64,
    /// The message id of the entry at `seq`, by which a log that lost that entry is recognised; 0 where it is not known.
    pub message_id: u64,
}

/// Why the server ended a session for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KickReason {
    /// No reason that this version knows.
    Unknown,
    /// Another device of this platform logged in.
    OtherDevice,
    /// The app's server ended it.
    Admin,
    /// The token was revoked.
    TokenRevoked,
    /// The user was disabled.
    UserDisabled,
}

impl From<proto::wire::kicked::Reason> for KickReason {
    fn from(reason: proto::wire::kicked::Reason) -> Self {
        use proto::wire::kicked::Reason;
        match reason {
            Reason::Unknown => Self::Unknown,
            Reason::OtherDevice => Self::OtherDevice,
            Reason::Admin => Self::Admin,
            Reason::TokenRevoked => Self::TokenRevoked,
            Reason::UserDisabled => Self::UserDisabled,
        }
    }
}
