//! Bringing messages here that were said elsewhere.

use std::collections::BTreeSet;

use proto::entry;
use proto::entry::entry::Body;

use super::{Messages, Sent, check_client_msg_id};
use crate::caller::Caller;
use crate::error::{Error, Noun, Result};
use crate::groups::GroupKey;
use crate::ids::{ConversationId, UserId};
use crate::log::{Draft, Submitted};
use crate::users::UserKey;

/// A message that was said elsewhere.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Who said it.
    pub sender: UserId,
    /// 1 to 64 bytes; importing it again under the same one changes nothing.
    pub client_msg_id: String,
    /// What was said.
    pub content: entry::Content,
    /// When, in Unix milliseconds; not in the future.
    pub said_at: i64,
}

impl Messages {
    /// Brings messages into a conversation that were said elsewhere, by their times. For privileged callers. Answers in the order given.
    ///
    /// They come behind what is in the conversation already, and keep the time at which they were said. They never count as unread.
    /// The users of a 1:1 conversation may be authors there, and everybody who exists in a group: its members may have left.
    ///
    /// Not one commit: everything that can be refused is refused before the first is written, and a crash in between leaves the older ones,
    /// which the same import again completes.
    ///
    /// # Errors
    /// `Denied(Credential)`, `Invalid`, `NotFound(User|Group|Conversation)`, `Reused`, `Full`, `Limited`, `Unavailable`.
    pub async fn import(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        messages: Vec<Imported>,
    ) -> Result<Vec<Sent>> {
        caller.require_privileged()?;
        self.check_import(caller, conversation, &messages).await?;
        let mut by_time: Vec<(usize, Imported)> = messages.into_iter().enumerate().collect();
        by_time.sort_by_key(|(_, message)| message.said_at);
        let mut submitted: Vec<(usize, Submitted)> = Vec::with_capacity(by_time.len());
        for (place, message) in by_time {
            let Imported { sender, client_msg_id, content, said_at } = message;
            let body = Body::Message(entry::Content { said_at, ..content });
            let draft = Draft { sender, client_msg_id, body, more: None };
            submitted.push((place, self.log.append(caller.app_shared(), conversation, draft).await?));
        }
        let mut sent = Vec::with_capacity(submitted.len());
        for (place, submitted) in submitted {
            sent.push((place, submitted.durable().await?));
        }
        sent.sort_by_key(|(place, _)| *place);
        Ok(sent.into_iter().map(|(_, sent)| sent).collect())
    }

    async fn check_import(&self, caller: &Caller, conversation: ConversationId, messages: &[Imported]) -> Result<()> {
        let most = self.config.import_batch;
        if !(1..=most).contains(&messages.len()) {
            return Err(Error::Invalid { field: "messages", message: format!("must be 1 to {most}") });
        }
        let now = self.clock.now().0;
        for message in messages {
            self.check_content(&message.content)?;
            check_client_msg_id(&message.client_msg_id, 1)?;
            if !(1..=now).contains(&message.said_at) {
                return Err(Error::Invalid { field: "time", message: "must not be in the future".to_owned() });
            }
        }
        let mut people: BTreeSet<UserId> = messages.iter().map(|message| message.sender).collect();
        match conversation {
            ConversationId::Direct { low, high } => {
                if people.iter().any(|sender| *sender != low && *sender != high) {
                    return Err(Error::NotFound(Noun::Conversation));
                }
                people.extend([low, high]);
            }
            ConversationId::Group(group) => {
                let found = self.store.get(&GroupKey { app: caller.app(), group }).await?;
                found.filter(|group| !group.dismissed).ok_or(Error::NotFound(Noun::Group))?;
            }
            ConversationId::Notices(user) => people.extend([user]),
        }
        let keys: Vec<_> = people.into_iter().map(|user| UserKey { app: caller.app(), user }).collect();
        let found = self.store.get_many(&keys).await?;
        if found.iter().any(Option::is_none) { Err(Error::NotFound(Noun::User)) } else { Ok(()) }
    }
}
