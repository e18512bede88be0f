//! Withdrawing everything that one user said in a group.

use proto::entry;
use proto::entry::entry::Body;
use storage::Scan;

use super::{Messages, is_recalled};
use crate::caller::{Caller, Subject};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{ConversationId, GroupId, Seq, UserId};
use crate::log::EntryKey;
use crate::tables;

/// How far a sweep came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Messages that were withdrawn by this call.
    pub recalled: usize,
    /// Where the next call goes on; `None` if nothing older is left.
    pub next: Option<Seq>,
}

impl Messages {
    /// Withdraws what a user said in a group, the newest first, whatever its age: for the group's owner and admins, and for the app's server.
    /// One call looks through so many entries (`sweep_limit`) at and before `from`, or the newest ones for 0; sweeping again changes nothing.
    ///
    /// Each message is withdrawn by a commit of its own; a crash in between leaves the older ones, for the next sweep.
    ///
    /// # Errors
    /// `NotFound(Conversation)`, `Denied(NotAdmin|Credential)`.
    pub async fn sweep(&self, caller: &Caller, group: GroupId, author: UserId, from: Seq) -> Result<Swept> {
        let app = caller.app();
        match caller.subject() {
            Subject::Server => {}
            Subject::User { id, .. } if self.access.leads(app, group, id).await? => {}
            Subject::User { .. } => return Err(Error::Denied(Denial::NotAdmin)),
            Subject::Anonymous => return Err(Error::Denied(Denial::Credential)),
        }
        let conversation = ConversationId::Group(group);
        let head = self.log.head(app, conversation).await?.ok_or(Error::NotFound(Noun::Conversation))?;
        let newest = if from.0 == 0 { head.last_seq } else { from.0.min(head.last_seq) };
        let limit = self.config.sweep_limit;
        let scan = Scan::<EntryKey>::new(tables::conversation(app, conversation), limit)
            .to(|rest| {
                rest.u64(newest + 1);
            })
            .descending();
        let entries: Vec<entry::Entry> = self.store.scan(scan).await?.into_iter().map(|row| row.record).collect();
        let full = entries.len() == limit;
        let oldest = entries.last().map_or(1, |entry| entry.seq);
        let said = |entry: &&entry::Entry| {
            entry.sender == author.0 && matches!(entry.body, Some(Body::Message(_))) && !is_recalled(entry)
        };
        let mut recalled = 0;
        for entry in entries.iter().filter(said) {
            match self.recall(caller, conversation, Seq(entry.seq)).await {
                Ok(()) => recalled += 1,
                // It was gone by retention, or is before what the admin may see.
                Err(Error::NotFound(Noun::Message)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Swept { recalled, next: (full && oldest > 1).then(|| Seq(oldest - 1)) })
    }
}
