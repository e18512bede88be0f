//! Withdrawing and editing.
//!
//! Either is an entry of its own, which tells every device, and in the same commit the message's own row changes: what was withdrawn is gone
//! from the disk, and whoever reads back needs no look at later entries.

use std::time::Duration;

use proto::entry;
use proto::entry::content::Kind;
use proto::entry::entry::Body;
use storage::Millis;

use super::{Messages, check_client_msg_id, invalid, is_recalled};
use crate::caller::{Caller, Subject};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{ConversationId, Seq, UserId};
use crate::log::{Draft, EntryKey, expiry, put};
use crate::retry::Tries;

impl Messages {
    /// Withdraws a message: one's own within the limit, or any as a group's owner or admin, or as the app's server.
    /// A message that is withdrawn already stays so.
    ///
    /// # Errors
    /// `NotFound(Conversation)`; `NotFound(Message)` also for what is no message; `Denied(NotAuthor|TooLate)`.
    pub async fn recall(&self, caller: &Caller, conversation: ConversationId, seq: Seq) -> Result<()> {
        let mut tries = Tries::default();
        loop {
            let (actor, target) = self.target(caller, conversation, seq).await?;
            if is_recalled(&target) {
                return Ok(());
            }
            self.may_recall(caller, actor, conversation, &target).await?;
            let replaced = rewritten(&target, entry::Content::default());
            let body = Body::Recall(entry::Recall { seq: seq.0 });
            match self.replace(caller, actor, conversation, (target, replaced), body, String::new()).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    /// Replaces the content of one's own message, where one may still write.
    ///
    /// # Errors
    /// `Invalid`; `NotFound(Conversation)`; `NotFound(Message)` also for what is no message, or withdrawn;
    /// `Denied(NotAuthor|TooLate)`, and those of sending.
    pub async fn edit(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        seq: Seq,
        content: entry::Content,
    ) -> Result<()> {
        self.check_content(&content)?;
        let content = self.rules.review_edit(caller, content).await?;
        let mut tries = Tries::default();
        loop {
            let (actor, target) = self.own(caller, conversation, seq).await?;
            let content = in_place_of(&target, content.clone());
            let replaced = rewritten(&target, content.clone());
            let told = entry::Edit { seq: seq.0, content: Some(content) };
            match self.replace(caller, actor, conversation, (target, replaced), Body::Edit(told), String::new()).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    /// Puts more words behind one's own text, where one may still write: what is written bit by bit needs no new message for each.
    /// Devices learn of it as of an edit.
    ///
    /// A retry under the same `client_msg_id` changes nothing; under an empty one, it adds the words again.
    ///
    /// # Errors
    /// As [`Self::edit`]; `Invalid` also if the message is no text.
    pub async fn append(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        seq: Seq,
        client_msg_id: &str,
        text: &str,
    ) -> Result<()> {
        check_client_msg_id(client_msg_id, 0)?;
        let mut tries = Tries::default();
        loop {
            if !client_msg_id.is_empty() && self.sent(caller, conversation, client_msg_id).await?.is_some() {
                return Ok(());
            }
            let (actor, target) = self.own(caller, conversation, seq).await?;
            let content = grown(&target, text)?;
            self.check_content(&content)?;
            let content = self.rules.review_edit(caller, content).await?;
            let replaced = rewritten(&target, content.clone());
            let told = Body::Edit(entry::Edit { seq: seq.0, content: Some(content) });
            let id = client_msg_id.to_owned();
            match self.replace(caller, actor, conversation, (target, replaced), told, id).await {
                // Reused: this very call was retried, and what it made of the text differs for it was made of a longer one.
                Err(error) if error.is_conflict() || matches!(error, Error::Reused) => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    /// A message of the caller's own that may still be changed.
    async fn own(&self, caller: &Caller, conversation: ConversationId, seq: Seq) -> Result<(UserId, entry::Entry)> {
        let (actor, target) = self.target(caller, conversation, seq).await?;
        if is_recalled(&target) {
            return Err(Error::NotFound(Noun::Message));
        }
        if target.sender != actor.0 {
            return Err(Error::Denied(Denial::NotAuthor));
        }
        self.in_time(&target, self.config.edit_window)?;
        // Whoever may not speak any more must not do so by changing what was said before.
        self.access.author(caller, conversation, true).await?;
        Ok((actor, target))
    }

    /// Who acts, and the message that is to change.
    async fn target(&self, caller: &Caller, conversation: ConversationId, seq: Seq) -> Result<(UserId, entry::Entry)> {
        let app = caller.app();
        let actor = match caller.subject() {
            Subject::Server => UserId(0),
            Subject::User { id, .. } => {
                let view = self.access.view(app, id, conversation).await?;
                if !view.shows(seq) {
                    return Err(Error::NotFound(Noun::Message));
                }
                id
            }
            Subject::Anonymous => return Err(Error::Denied(Denial::Credential)),
        };
        let found = self.store.get(&EntryKey { app, conversation, seq }).await?;
        let message = found.filter(|entry| matches!(entry.body, Some(Body::Message(_))));
        message.map(|entry| (actor, entry)).ok_or(Error::NotFound(Noun::Message))
    }

    async fn may_recall(
        &self,
        caller: &Caller,
        actor: UserId,
        conversation: ConversationId,
        target: &entry::Entry,
    ) -> Result<()> {
        if caller.subject() == Subject::Server {
            return Ok(());
        }
        if let ConversationId::Group(group) = conversation
            && self.access.leads(caller.app(), group, actor).await?
        {
            return Ok(());
        }
        if target.sender != actor.0 {
            return Err(Error::Denied(Denial::NotAuthor));
        }
        self.in_time(target, self.config.recall_window)
    }

    fn in_time(&self, target: &entry::Entry, window: Duration) -> Result<()> {
        if window.is_zero() || self.clock.now() <= Millis(target.time).plus(window) {
            return Ok(());
        }
        Err(Error::Denied(Denial::TooLate))
    }

    /// Appends the entry that tells of a change, and changes the message's row with it.
    async fn replace(
        &self,
        caller: &Caller,
        actor: UserId,
        conversation: ConversationId,
        (before, after): (entry::Entry, entry::Entry),
        body: Body,
        client_msg_id: String,
    ) -> Result<()> {
        let settings = self.access.settings(caller.app()).await?;
        let expires = expiry(Millis(before.time), settings.retention_ms);
        let key = EntryKey { app: caller.app(), conversation, seq: Seq(before.seq) };
        let draft = Draft {
            sender: actor,
            client_msg_id,
            body,
            more: Some(Box::new(move |batch, place| {
                place.head.expiring |= expires.is_some();
                batch.expect_unchanged(&key, Some(&before));
                put(batch, &key, &after, expires);
            })),
        };
        self.log.write(caller.app_shared(), conversation, draft).await.map(|_| ())
    }
}

/// What comes into a message's place. Whether the app said it, and when, stay as they are.
fn in_place_of(target: &entry::Entry, content: entry::Content) -> entry::Content {
    match &target.body {
        Some(Body::Message(before)) => entry::Content { system: before.system, said_at: before.said_at, ..content },
        _ => content,
    }
}

/// A message with another content.
fn rewritten(target: &entry::Entry, content: entry::Content) -> entry::Entry {
    entry::Entry { body: Some(Body::Message(content)), ..target.clone() }
}

/// A text with more words behind it.
fn grown(target: &entry::Entry, more: &str) -> Result<entry::Content> {
    if let Some(Body::Message(content)) = &target.body
        && let Some(Kind::Text(text)) = &content.kind
    {
        let text = entry::Text { text: format!("{}{more}", text.text) };
        // What the dialect kept beside the text was the shorter one.
        return Ok(entry::Content { kind: Some(Kind::Text(text)), raw: String::new(), ..content.clone() });
    }
    Err(invalid("content", "only texts can be added to"))
}
