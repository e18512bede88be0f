//! Messages: sending, reading back, withdrawing, editing.
//!
//! A message is an entry of its conversation's log, written once however many read it. What may be sent is decided here, who may send in
//! `access`, and the order is made in `log`.

mod change;
mod history;
mod prepared;

use std::sync::Arc;

use proto::entry::entry::Body;
use proto::{Message, entry, store};
use storage::{Clock, Store};

use crate::access::Access;
use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{ConversationId, Epoch, MessageId, Seq};
use crate::log::{Draft, Log};

pub use crate::log::Submitted;
pub(crate) use history::read;
pub use history::{History, HistoryRange};
#[cfg(test)]
pub(crate) use prepared::PreparedKey;

/// Longest client_msg_id, in bytes.
const CLIENT_MSG_ID_LIMIT: usize = 64;

/// A message to send. The sender is the caller.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to. A 1:1 conversation begins with its first message.
    pub conversation: ConversationId,
    /// 1 to 64 bytes; a retry under the same one changes nothing.
    pub client_msg_id: String,
    /// What is said.
    pub content: entry::Content,
    /// Not stored; only who is connected gets it.
    pub online_only: bool,
}

/// What the sender learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where the message is.
    pub conversation: ConversationId,
    /// Of the conversation's log; 0 for an online-only message in a conversation without entries.
    pub epoch: Epoch,
    /// Its place; 0 for an online-only message.
    pub seq: Seq,
    /// Its id, unique in the app.
    pub message_id: MessageId,
    /// Unix milliseconds.
    pub time: i64,
}

/// See the module.
#[derive(Debug)]
pub struct Messages {
    store: Store,
    clock: Clock,
    access: Access,
    log: Arc<Log>,
    events: Arc<Events>,
    config: Arc<Config>,
}

impl Messages {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        access: Access,
        log: Arc<Log>,
        events: Arc<Events>,
        config: Arc<Config>,
    ) -> Self {
        Self { store, clock, access, log, events, config }
    }

    /// Checks the caller's right, gives the message its place, and hands it to the store.
    /// Two calls one after the other keep their order, whatever is awaited later.
    ///
    /// The app's server may write as the app itself (user 0) to its groups and to anyone's notices.
    ///
    /// # Errors
    /// `Invalid`; `NotFound(User|Group|Conversation)`; `Denied(Blocked|NotFriends|NotMember|Muted|Credential)`;
    /// `Reused` if another content was sent under this client_msg_id; `Full`, `Limited`, `Unavailable`.
    pub async fn submit(&self, caller: &Caller, message: Outgoing) -> Result<Submitted> {
        self.submit_as(caller, message, None).await
    }

    async fn submit_as(&self, caller: &Caller, message: Outgoing, given: Option<MessageId>) -> Result<Submitted> {
        self.check_content(&message.content)?;
        if !(1..=CLIENT_MSG_ID_LIMIT).contains(&message.client_msg_id.len()) {
            return Err(invalid("client_msg_id", "must be 1 to 64 bytes"));
        }
        let known = self.log.is_started(caller.app(), message.conversation);
        let sender = self.access.author(caller, message.conversation, known).await?;
        if message.online_only {
            return self.pass_on(caller, sender.0, message).await;
        }
        let Outgoing { conversation, client_msg_id, content, .. } = message;
        let draft = Draft { sender, client_msg_id, body: Body::Message(content), more: None };
        self.log.append_as(caller.app_shared(), conversation, draft, given).await
    }

    /// [`Self::submit`] and wait.
    ///
    /// # Errors
    /// As [`Self::submit`] and [`Submitted::durable`].
    pub async fn send(&self, caller: &Caller, message: Outgoing) -> Result<Sent> {
        self.submit(caller, message).await?.durable().await
    }

    /// Hands a message to whoever is connected, and to nobody else.
    async fn pass_on(&self, caller: &Caller, sender: u64, message: Outgoing) -> Result<Submitted> {
        let app = caller.app();
        let head = self.log.head(app, message.conversation).await?.unwrap_or_default();
        let sent = Sent {
            conversation: message.conversation,
            epoch: Epoch(head.epoch),
            seq: Seq(0),
            message_id: self.log.message_id(app).await?,
            time: self.clock.now().0,
        };
        let entry = entry::Entry {
            seq: 0,
            message_id: sent.message_id.0,
            sender,
            time: sent.time,
            client_msg_id: message.client_msg_id,
            body: Some(Body::Message(message.content)),
        };
        let appended = store::Appended {
            conversation: Some(message.conversation.to_wire()),
            epoch: head.epoch,
            members_version: head.members_version,
            entry: Some(entry),
            online_only: true,
        };
        self.events.tell(app, store::event::Body::Appended(appended)).await;
        Ok(Submitted::known(sent))
    }

    fn check_content(&self, content: &entry::Content) -> Result<()> {
        if content.kind.is_none() {
            return Err(invalid("content", "says nothing"));
        }
        let limit = self.config.content_limit.bytes();
        if content.encoded_len() > limit {
            return Err(Error::Invalid { field: "content", message: format!("is longer than {limit} bytes") });
        }
        if content.mentions.len() > self.config.mention_limit {
            let message = format!("names more than {} users", self.config.mention_limit);
            return Err(Error::Invalid { field: "mentions", message });
        }
        Ok(())
    }
}

/// Whether an entry is a message that was withdrawn. Every other message says something.
#[must_use]
pub fn is_recalled(entry: &entry::Entry) -> bool {
    matches!(&entry.body, Some(Body::Message(content)) if content.kind.is_none())
}

/// Whether an entry adds to what a user has not read: a message for people, by somebody else, that was not withdrawn.
pub(crate) fn counts_as_unread(entry: &entry::Entry, reader: crate::ids::UserId) -> bool {
    use entry::content::Kind;

    let Some(Body::Message(content)) = &entry.body else { return false };
    entry.sender != reader.0 && !matches!(content.kind, None | Some(Kind::Command(_)))
}

fn invalid(field: &'static str, message: &str) -> Error {
    Error::Invalid { field, message: message.to_owned() }
}
