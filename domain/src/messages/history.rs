//! Reading back.

use std::cmp::Reverse;

use proto::entry;
use proto::entry::entry::Body;
use storage::{Scan, Store};

use super::{Messages, invalid};
use crate::access::View;
use crate::caller::{Caller, Subject};
use crate::conversations::memberships;
use crate::error::Result;
use crate::ids::{ConversationId, MessageId, Seq};
use crate::log::{EntryKey, SentKey};
use crate::tables;

/// Which entries to read.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRange {
    /// First seq wanted, inclusive; 0: the newest (descending) or the oldest (ascending).
    pub from: Seq,
    /// From the older to the newer.
    pub ascending: bool,
    /// 1 to the configured limit.
    pub limit: usize,
}

/// Entries of one conversation, in the order asked for.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Of the conversation's log.
    pub epoch: u64,
    /// The entries. Withdrawn messages keep their places, without content.
    pub entries: Vec<entry::Entry>,
    /// Nothing lies beyond the last entry.
    pub complete: bool,
    /// Oldest seq that the caller may read.
    pub first_seq: u64,
    /// Newest seq.
    pub last_seq: u64,
}

impl Messages {
    /// Entries of a conversation that the caller is in. Recalled messages come without content; edits are entries of their own, and the
    /// messages that they name show the new content.
    ///
    /// # Errors
    /// `NotFound(Conversation)`; `Invalid` for the limit.
    pub async fn history(&self, caller: &Caller, conversation: ConversationId, range: HistoryRange) -> Result<History> {
        if !(1..=self.config.history_limit).contains(&range.limit) {
            return Err(invalid("limit", "is out of range"));
        }
        let view = self.access.view(caller.app(), caller.user()?, conversation).await?;
        let (first, last) = (view.first, view.last());
        let (low, high) = match (range.ascending, range.from) {
            (_, Seq(0)) => (first, last),
            (true, from) => (first.max(from), last),
            (false, from) => (first, last.min(from)),
        };
        let entries = read(&self.store, &view, low, high, !range.ascending, range.limit).await?;
        let complete = entries.len() < range.limit
            || entries.last().is_none_or(|end| end.seq == if range.ascending { last.0 } else { first.0 });
        Ok(History { epoch: view.head.epoch, entries, complete, first_seq: first.0, last_seq: last.0 })
    }

    /// The caller's newest messages over all conversations, oldest first (gobelieve `GET /messages`), with what happened to groups among them.
    /// Withdrawn ones are left out.
    ///
    /// # Errors
    /// `Invalid` for the limit.
    pub async fn recent(&self, caller: &Caller, limit: usize) -> Result<Vec<(ConversationId, entry::Entry)>> {
        if !(1..=self.config.recent_limit).contains(&limit) {
            return Err(invalid("limit", "is out of range"));
        }
        let (app, user) = (caller.app(), caller.user()?);
        let rows = memberships(&self.store, app, user).await?;
        let mut views = self.access.views(app, user, rows).await?;
        views.sort_by_key(|view| Reverse(view.head.last_time));
        let mut found: Vec<(ConversationId, entry::Entry)> = Vec::new();
        for view in views {
            // Every entry of this conversation, and of those after it, is older than all that was found.
            if found.len() == limit && found.last().is_some_and(|(_, oldest)| oldest.time >= view.head.last_time) {
                break;
            }
            let newest = self.newest_messages(&view, limit).await?;
            found.extend(newest.into_iter().map(|entry| (view.conversation, entry)));
            found.sort_by_key(|(conversation, entry)| (Reverse(entry.time), *conversation));
            found.truncate(limit);
        }
        found.reverse();
        Ok(found)
    }

    /// The newest messages of one conversation, newest first.
    async fn newest_messages(&self, view: &View, limit: usize) -> Result<Vec<entry::Entry>> {
        let mut found = Vec::new();
        let mut high = view.last();
        while found.len() < limit && high >= view.first {
            let entries = read(&self.store, view, view.first, high, true, limit).await?;
            let Some(end) = entries.last() else { break };
            high = Seq(end.seq - 1);
            let is_told = |entry: &entry::Entry| match &entry.body {
                Some(Body::Message(said)) => said.kind.is_some(),
                Some(Body::Tip(_)) => matches!(view.conversation, ConversationId::Group(_)),
                Some(Body::Edit(_) | Body::Recall(_)) | None => false,
            };
            found.extend(entries.into_iter().filter(is_told));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Where a message id is in a conversation; `None` where it is not, or not for the caller to see. The app's server sees everything.
    ///
    /// # Errors
    /// `NotFound(Conversation)`.
    pub async fn position(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        message: MessageId,
    ) -> Result<Option<Seq>> {
        let app = caller.app();
        let view = match caller.subject() {
            Subject::Server => None,
            Subject::User { .. } | Subject::Anonymous => {
                Some(self.access.view(app, caller.user()?, conversation).await?)
            }
        };
        let found = self.log.position(app, conversation, message).await?;
        Ok(found.filter(|seq| view.is_none_or(|view| view.shows(*seq))))
    }

    /// Where a message is that the caller sent under this client_msg_id; `None` if there is none, or none that is still recognised.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sent(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        client_msg_id: &str,
    ) -> Result<Option<Seq>> {
        let sender = caller.user().unwrap_or_default();
        let key = SentKey { app: caller.app(), conversation, sender, client_msg_id };
        Ok(self.store.get(&key).await?.map(|sent| Seq(sent.seq)))
    }
}

/// The entries from `low` to `high`, both included. What is beyond the view's last entry is left for the next call.
pub(crate) async fn read(
    store: &Store,
    view: &View,
    low: Seq,
    high: Seq,
    descending: bool,
    limit: usize,
) -> Result<Vec<entry::Entry>> {
    if low > high || limit == 0 {
        return Ok(Vec::new());
    }
    let mut scan = Scan::<EntryKey>::new(tables::conversation(view.app, view.conversation), limit)
        .from(|rest| {
            rest.u64(low.0);
        })
        .to(|rest| {
            rest.u64(high.0 + 1);
        });
    if descending {
        scan = scan.descending();
    }
    Ok(store.scan(scan).await?.into_iter().map(|row| row.record).collect())
}
