//! Messages that are made in one call and sent in another.
//!
//! Some systems' clients first make a message, learn its id, show it, and then send it by that id. What was made is kept for a while in the
//! author's home, so that any process finds it; the dialect's own text is kept, for only the dialect knows what it means.

use proto::store;
use storage::{Batch, Home, Key, Rest, Table};

use super::{Messages, Outgoing, Sent, invalid};
use crate::caller::Caller;
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, MessageId, UserId};
use crate::tables;

/// A message that is made but perhaps not sent.
///
/// home: the author.  rest: message id as u64.  value: `store.Prepared`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PreparedKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) message: MessageId,
}

impl Key for PreparedKey {
    const TABLE: Table = tables::PREPARED;
    type Record = store::Prepared;

    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.message.0);
    }
}

impl Messages {
    /// Keeps a message that is to be sent later, and gives it the id that it will have then. `conversation` says where to, if that is known.
    ///
    /// # Errors
    /// `Invalid` if the text is longer than a message may be; `Denied(Credential)` unless the caller is a user.
    pub async fn prepare(
        &self,
        caller: &Caller,
        conversation: Option<ConversationId>,
        text: String,
    ) -> Result<MessageId> {
        let (app, user) = (caller.app(), caller.user()?);
        if text.len() > self.config.content_limit.bytes() {
            return Err(invalid("content", "is too long"));
        }
        let message = self.log.message_id(app).await?;
        let key = PreparedKey { app, user, message };
        let conversation = conversation.map(|conversation| conversation.to_wire());
        let mut batch = Batch::new(key.home());
        // Once a retry is no longer recognised, the id must be gone too, or two messages could get it.
        let until = self.clock.now().plus(self.config.prepared_window.min(self.config.dedupe_window));
        batch.put_expiring(&key, &store::Prepared { text, conversation }, until);
        self.store.commit(batch).await?;
        Ok(message)
    }

    /// The text of a message that the caller prepared; `None` once it is kept no longer.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user.
    pub async fn prepared(&self, caller: &Caller, message: MessageId) -> Result<Option<String>> {
        let key = PreparedKey { app: caller.app(), user: caller.user()?, message };
        Ok(self.store.get(&key).await?.map(|prepared| prepared.text))
    }

    /// Sends what was prepared under this id: the message then has that id, and sending it again changes nothing.
    ///
    /// If the caller prepared nothing under it (any more), or something for another conversation, this is [`Self::send`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_prepared(&self, caller: &Caller, message: MessageId, outgoing: Outgoing) -> Result<Sent> {
        let key = PreparedKey { app: caller.app(), user: caller.user()?, message };
        let prepared = self.store.get(&key).await?.and_then(|prepared| prepared.conversation);
        // Invariant: an id is used in one conversation only, or it would not be unique.
        if outgoing.online_only || prepared.and_then(|to| ConversationId::from_wire(&to)) != Some(outgoing.conversation)
        {
            return self.send(caller, outgoing).await;
        }
        // The id is unique, so it is the client_msg_id too: whoever sends it twice sends one message.
        let outgoing = Outgoing { client_msg_id: message.to_string(), ..outgoing };
        self.submit_as(caller, Box::new(outgoing), Some(message), None, std::future::ready(())).await?.durable().await
    }
}
