//! Messages: sending, reading back, withdrawing, editing.
//!
//! A message is an entry of its conversation's log, written once however many read it. What may be sent is decided here, who may send in
//! `access`, and the order is made in `log`.

mod change;
mod history;
mod import;
mod prepared;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use proto::entry::entry::Body;
use proto::{Message, entry, store};
use storage::{Clock, Millis, Store};

use crate::access::{Access, Kept};
use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::ids::{ConversationId, Epoch, MessageId, Seq, UserId};
use crate::log::{Draft, Log};
use crate::rules::Rules;

pub use crate::log::{Chain, Submitted};
pub(crate) use history::read;
pub use history::{History, HistoryRange};
pub use import::Imported;
#[cfg(test)]
pub(crate) use prepared::PreparedKey;
pub use sweep::Swept;

/// Longest client_msg_id, in bytes.
const CLIENT_MSG_ID_LIMIT: usize = 64;
/// For how long it holds what was found about a message that waits for its turn: as long as copies of settings and rules do.
const FOUND_HOLDS: Duration = Duration::from_secs(1);

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

/// What was found when a message was looked at.
struct Found {
    sender: UserId,
    /// What its content must be reviewed by.
    rules: Option<Arc<store::Rules>>,
    /// Of a message that is passed on: where to, and how far the log is there. In a box, since most messages are kept.
    passing: Option<Box<(Kept, store::Head)>>,
    at: Millis,
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
    rules: Arc<Rules>,
}

impl Messages {
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        access: Access,
        log: Arc<Log>,
        events: Arc<Events>,
        config: Arc<Config>,
        rules: Arc<Rules>,
    ) -> Self {
        Self { store, clock, access, log, events, config, rules }
    }

    /// Checks the caller's right, gives the message its place, and hands it to the store.
    /// Two calls one after the other keep their order, whatever is awaited later.
    ///
    /// The app's server may write as the app itself (user 0) to its groups and to anyone's notices.
    ///
    /// # Errors
    /// `Invalid`; `NotFound(User|Group|Conversation)`; `Denied(Blocked|NotFriends|NotMember|Muted|Censored|Credential)`;
    /// `Reused` if another content was sent under this client_msg_id; `Full`, `Limited`, `Unavailable`.
    pub async fn submit(&self, caller: &Caller, message: Outgoing) -> Result<Submitted> {
        self.submit_as(caller, Box::new(message), None, None, std::future::ready(())).await
    }

    /// [`Self::submit`], behind the messages that were submitted in the same chain.
    ///
    /// # Errors
    /// As [`Self::submit`], and `Limited` once the chain is broken.
    pub async fn submit_in(&self, caller: &Caller, message: Outgoing, chain: &Chain) -> Result<Submitted> {
        self.submit_in_turn(caller, Box::new(message), chain, std::future::ready(())).await
    }

    /// [`Self::submit_in`] for one of several messages at once: the store is asked what it may do now, and it is counted and placed, or
    /// refused, once `turn` is over. The turns of a sender's messages come one after the other: each when the message before has its answer.
    ///
    /// # Errors
    /// As [`Self::submit_in`], and never before its turn, so that a refusal concerns only those behind it.
    pub async fn submit_in_turn(
        &self,
        caller: &Caller,
        message: Box<Outgoing>,
        chain: &Chain,
        turn: impl Future<Output = ()>,
    ) -> Result<Submitted> {
        let outcome = self.submit_as(caller, message, None, Some(chain), turn).await;
        outcome.inspect_err(|error| chain.note(error))
    }

    #[cfg(test)]
    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    async fn submit_as(
        &self,
        caller: &Caller,
        message: Box<Outgoing>,
        given: Option<MessageId>,
        chain: Option<&Chain>,
        turn: impl Future<Output = ()>,
    ) -> Result<Submitted> {
        let mut found = self.look(caller, &message, chain).await;
        turn.await;
        if let Some(chain) = chain {
            chain.check()?;
        }
        if found.as_ref().is_ok_and(|found| found.at.plus(FOUND_HOLDS) <= self.clock.now()) {
            found = Box::pin(self.look(caller, &message, chain)).await;
        }
        let Found { sender, rules, passing, .. } = found?;
        let Outgoing { conversation, client_msg_id, content, .. } = *message;
        let mut content = own_words(caller, content);
        if let Some(rules) = rules {
            content = Box::pin(self.rules.review(&rules, caller, sender, conversation, content)).await?;
        }
        if let Some(passing) = passing {
            return Box::pin(self.pass_on(caller, sender.0, (conversation, client_msg_id, content), *passing)).await;
        }
        let draft = Draft { sender, client_msg_id, body: Body::Message(content), more: None };
        self.log.append_as(caller.app_shared(), conversation, draft, given, chain).await
    }

    /// Looks whether a message may be sent. It reads and changes nothing, so that several messages may be looked at together.
    async fn look(&self, caller: &Caller, message: &Outgoing, chain: Option<&Chain>) -> Result<Found> {
        if let Some(chain) = chain {
            // What it asks for may be long in coming, for each message that is refused anyway.
            chain.check()?;
        }
        self.check_content(&message.content)?;
        check_client_msg_id(&message.client_msg_id, 1)?;
        let (app, conversation) = (caller.app(), message.conversation);
        let known = self.log.is_started(app, conversation);
        let (sender, kept) = self.access.author_where(caller, conversation, known).await?;
        let rules = self.rules.binding(caller, sender, conversation).await?;
        let passing = match message.online_only || kept == Kept::Nowhere {
            true => Some(Box::new((kept, Box::pin(self.log.head(app, conversation)).await?.unwrap_or_default()))),
            false => None,
        };
        Ok(Found { sender, rules, passing, at: self.clock.now() })
    }

    /// [`Self::submit`] and wait.
    ///
    /// # Errors
    /// As [`Self::submit`] and [`Submitted::durable`].
    pub async fn send(&self, caller: &Caller, message: Outgoing) -> Result<Sent> {
        self.submit(caller, message).await?.durable().await
    }

    /// Sends a notice of the app's: to a group, or to a user, who finds it among the notices. The author is the user whom the caller acts
    /// for, or the app itself (see [`Caller::as_server`]).
    ///
    /// # Errors
    /// As [`Self::send`]; `Denied(Credential)` unless the caller is privileged.
    pub async fn notify(&self, caller: &Caller, message: Outgoing) -> Result<Sent> {
        caller.require_privileged()?;
        let content = entry::Content { system: true, ..message.content };
        self.send(caller, Outgoing { content, ..message }).await
    }

    /// Hands a message to whoever is connected, and to nobody else.
    async fn pass_on(
        &self,
        caller: &Caller,
        sender: u64,
        (conversation, client_msg_id, content): (ConversationId, String, entry::Content),
        (kept, head): (Kept, store::Head),
    ) -> Result<Submitted> {
        let app = caller.app();
        let sent = Sent {
            conversation,
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
            client_msg_id,
            body: Some(Body::Message(content)),
        };
        let appended = store::Appended {
            conversation: Some(conversation.to_wire()),
            epoch: head.epoch,
            members_version: head.members_version,
            entry: Some(entry),
            online_only: true,
            room: kept == Kept::Nowhere,
            outbox: false,
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

/// When a message was said: where it was brought here later, that is before its entry's time.
#[must_use]
pub fn said_at(entry: &entry::Entry) -> i64 {
    match &entry.body {
        Some(Body::Message(content)) if content.said_at != 0 => content.said_at,
        _ => entry.time,
    }
}

/// Whether an entry adds to what a user has not read: a message for people, by somebody else, said here, that was not withdrawn.
pub(crate) fn counts_as_unread(entry: &entry::Entry, reader: crate::ids::UserId) -> bool {
    use entry::content::Kind;

    let Some(Body::Message(content)) = &entry.body else { return false };
    entry.sender != reader.0 && content.said_at == 0 && !matches!(content.kind, None | Some(Kind::Command(_)))
}

/// Checks an id that a sender gave, of `least` bytes or more.
fn check_client_msg_id(id: &str, least: usize) -> Result<()> {
    if (least..=CLIENT_MSG_ID_LIMIT).contains(&id.len()) {
        return Ok(());
    }
    Err(Error::Invalid { field: "client_msg_id", message: format!("must be {least} to {CLIENT_MSG_ID_LIMIT} bytes") })
}

/// The content without what only the app can say. It is taken off, not refused, since clients pass on what they were shown.
fn own_words(caller: &Caller, content: entry::Content) -> entry::Content {
    entry::Content { system: content.system && caller.is_privileged(), said_at: 0, flagged: false, ..content }
}

fn invalid(field: &'static str, message: &str) -> Error {
    Error::Invalid { field, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use crate::ConversationId;
    use crate::messages::Chain;
    use crate::testing::{World, message};

    /// Every message is this large while it is being submitted, in memory that is taken, filled and given back for each.
    #[tokio::test]
    async fn a_message_on_its_way_in_is_small() {
        let world = World::new().await;
        let (alice, bob) = (world.user("alice").await, world.user("bob").await);
        let conversation = ConversationId::direct(alice.user().unwrap(), bob.user().unwrap());
        let chain = Chain::default();
        let submitting = world.domain.messages.submit_in(&alice, message(conversation, "a"), &chain);
        let size = size_of_val(&submitting);
        assert!(size <= 2_500, "{size} bytes");
        submitting.await.unwrap().durable().await.unwrap();
    }
}
