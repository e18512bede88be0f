//! Messages: sending, reading back, withdrawing, editing.

use proto::entry::Entry;
use proto::wire::frame::Body;
use proto::wire::{Edit, History, Recall, Send, SendAck, SweepMessages};
use rand::Rng;
use tokio::sync::oneshot;

use crate::client::Client;
use crate::content::{self, Content};
use crate::conversations::ConversationId;
use crate::error::{Error, Result};

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a conversation.
    Conversation(ConversationId),
    /// To a user, by user id.
    User(u64),
    /// To a user, by the app's own id of them. Looked up once, then remembered.
    Uid(String),
}

impl From<ConversationId> for Target {
    fn from(id: ConversationId) -> Self {
        Self::Conversation(id)
    }
}

impl From<&str> for Target {
    /// The app's own id of a user.
    fn from(uid: &str) -> Self {
        Self::Uid(uid.to_owned())
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Where it goes.
    pub conversation: ConversationId,
    /// What it says.
    pub content: Content,
    /// 1 to 64 bytes, unique among the sender's messages; empty has the SDK choose one.
    ///
    /// An app that keeps unsent messages on disk chooses its own, and may then send the same message again after a restart:
    /// it is stored once.
    pub client_msg_id: String,
    /// Not stored: whoever is connected gets it, nobody else.
    pub online_only: bool,
}

/// The place that a message got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// In which conversation.
    pub conversation: ConversationId,
    /// The id it was sent under.
    pub client_msg_id: String,
    /// The conversation's epoch.
    pub epoch: u64,
    /// Position in the conversation; 0 for an online-only message.
    pub seq: u64,
    /// Unique within the app, below 2^53.
    pub message_id: u64,
    /// Unix milliseconds.
    pub time: i64,
}

/// A message on its way. Dropping this does not stop it.
#[derive(Debug)]
#[must_use = "a message is safe only once it is acknowledged"]
pub struct Pending {
    conversation: ConversationId,
    answer: oneshot::Receiver<Result<Box<Body>>>,
}

impl Pending {
    /// Waits until the server has made the message durable, or refused it.
    pub async fn acknowledged(self) -> Result<Sent> {
        match *self.answer.await.unwrap_or(Err(Error::Closed))? {
            Body::SendAck(SendAck { client_msg_id, epoch, seq, message_id, time, .. }) => {
                Ok(Sent { conversation: self.conversation, client_msg_id, epoch, seq, message_id, time })
            }
            _ => Err(Error::Protocol("a message was not answered with its place".to_owned())),
        }
    }
}

/// Which entries to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// The newest ones, descending.
    #[default]
    Newest,
    /// From the oldest one, ascending.
    Oldest,
    /// From this seq down, itself included.
    Backward(u64),
    /// From this seq up, itself included.
    Forward(u64),
}

/// Entries of one conversation, in the order asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryPage {
    /// The conversation's epoch.
    pub epoch: u64,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Nothing lies beyond the last entry.
    pub complete: bool,
    /// Oldest seq that the caller may read.
    pub first_seq: u64,
    /// Newest seq.
    pub last_seq: u64,
}

impl Client {
    /// Sends a text and waits until it is durable. See [`send`](Self::send).
    pub async fn send_text(&self, to: impl Into<Target>, text: impl Into<String>) -> Result<Sent> {
        self.send(to, content::text(text)).await
    }

    /// Sends a message and waits until the server has made it durable.
    ///
    /// Survives lost connections: the message is sent again, under the same id, until it is acknowledged or refused for good.
    /// While there is no connection it waits, [`Options::send_timeout`](crate::Options::send_timeout) at most.
    pub async fn send(&self, to: impl Into<Target>, content: Content) -> Result<Sent> {
        let conversation = self.conversation_with(to.into()).await?;
        let outgoing = Outgoing { conversation, content, client_msg_id: String::new(), online_only: false };
        self.submit(outgoing).await?.acknowledged().await
    }

    /// Puts a message in line and returns at once; many may be on their way together.
    ///
    /// Messages submitted one after the other arrive in that order, also if the server refuses one for now.
    pub async fn submit(&self, outgoing: Outgoing) -> Result<Pending> {
        let Outgoing { conversation, content, mut client_msg_id, online_only } = outgoing;
        if client_msg_id.is_empty() {
            client_msg_id = new_client_msg_id();
        }
        let send =
            Send { conversation: Some(conversation.to_wire()), client_msg_id, content: Some(content), online_only };
        Ok(Pending { conversation, answer: self.submit_request(Body::Send(send)).await? })
    }

    /// Passes something on to whoever is connected, and hears nothing of it: not stored, not acknowledged, not sent again, and lost without a
    /// word where there is no connection, or where the server refuses it. For what is worth nothing a moment later, such as a place on a map.
    ///
    /// Spares the acknowledgement that an [online-only](Outgoing::online_only) message has.
    pub async fn send_and_forget(&self, to: impl Into<Target>, content: Content) -> Result<()> {
        let conversation = Some(self.conversation_with(to.into()).await?.to_wire());
        let send = Send { conversation, client_msg_id: new_client_msg_id(), content: Some(content), online_only: true };
        self.notice(Body::Send(send)).await
    }

    /// The conversation that a target stands for.
    pub async fn conversation_with(&self, to: Target) -> Result<ConversationId> {
        let peer = match to {
            Target::Conversation(id) => return Ok(id),
            Target::User(user) => user,
            Target::Uid(uid) => self.user_id(&uid).await?,
        };
        Ok(ConversationId::between(self.me().await?.user, peer))
    }

    /// Entries of one conversation. `limit` is 1 to 200, 0 means 50.
    pub async fn history(&self, conversation: ConversationId, range: Range, limit: u32) -> Result<HistoryPage> {
        let (from_seq, forward) = match range {
            Range::Newest => (0, false),
            Range::Oldest => (0, true),
            Range::Backward(seq) => (seq, false),
            Range::Forward(seq) => (seq, true),
        };
        let body = Body::History(History { conversation: Some(conversation.to_wire()), from_seq, forward, limit });
        let page = answer!(self, body, HistoryPage);
        Ok(HistoryPage {
            epoch: page.epoch,
            entries: page.entries,
            complete: page.complete,
            first_seq: page.first_seq,
            last_seq: page.last_seq,
        })
    }

    /// Withdraws a message: one's own, or, as a group's owner or admin, anyone's.
    pub async fn recall(&self, conversation: ConversationId, seq: u64) -> Result<()> {
        self.ask_ok(Body::Recall(Recall { conversation: Some(conversation.to_wire()), seq })).await
    }

    /// Withdraws what one member said in a group, the newest first: for its owner and admins. Answers how many messages were withdrawn,
    /// once nothing older is left.
    pub async fn sweep_messages(&self, group: u64, user: u64) -> Result<u64> {
        let (mut recalled, mut from_seq) = (0, 0);
        loop {
            let swept = answer!(self, Body::SweepMessages(SweepMessages { group, user, from_seq }), Swept);
            recalled += u64::from(swept.recalled);
            from_seq = swept.next_seq;
            if from_seq == 0 {
                return Ok(recalled);
            }
        }
    }

    /// Replaces the content of one's own message.
    pub async fn edit(&self, conversation: ConversationId, seq: u64, content: Content) -> Result<()> {
        let conversation = Some(conversation.to_wire());
        self.ask_ok(Body::Edit(Edit { conversation, seq, content: Some(content) })).await
    }
}

/// 128 random bits, in hex.
fn new_client_msg_id() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}
