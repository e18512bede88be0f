//! Comparing what a device holds with what there is.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use proto::entry;

use super::{Conversation, Conversations, Page, describe_all, memberships_page};
use crate::access::View;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::ids::{ConversationId, Epoch, MessageId, Seq};
use crate::log::{EntryKey, Lost};
use crate::messages::read;

/// Whether a device can be sure to have everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// With these entries, the device has all that its user may read.
    Complete,
    /// A gap remains below: too long for this page, or gone by retention.
    Truncated {
        /// The first of the entries; one past the newest where there are none.
        from: Seq,
    },
    /// What the device holds is of another history: it must forget it and start from these entries, the newest ones.
    Reset,
}

/// What a device holds of a conversation.
#[derive(Debug, Clone)]
pub struct Have {
    /// Of the history that it holds.
    pub epoch: Epoch,
    /// It has every entry up to here.
    pub seq: Seq,
    /// Of the newest entries up to `seq`, ascending; as many as it knows.
    pub message_ids: Vec<MessageId>,
}

impl Have {
    /// The entries of which it knows the ids.
    fn known(&self) -> impl Iterator<Item = (Seq, MessageId)> {
        let seqs = (1..=self.seq.0).rev().map(Seq);
        seqs.zip(self.message_ids.iter().rev().copied())
    }
}

/// One conversation, compared with what the device holds.
#[derive(Debug, Clone)]
pub struct Synced {
    /// As it is now.
    pub conversation: Conversation,
    /// Whether the device has everything, once it has taken the entries.
    pub verdict: Verdict,
    /// What the device lacks, without gaps up to the newest. Ascending.
    pub entries: Vec<entry::Entry>,
}

impl Conversations {
    /// Compares what a device has with every conversation of the caller, page by page (in key order, so that a cursor is stable).
    ///
    /// What is not answered is not the caller's any more. `entries` is how many the device takes per conversation, at most.
    ///
    /// # Errors
    /// `Invalid` for `limit`, `entries` or the cursor.
    pub async fn sync(
        &self,
        caller: &Caller,
        have: &HashMap<ConversationId, Have>,
        cursor: Option<&[u8]>,
        limit: usize,
        entries: usize,
    ) -> Result<Page<Synced>> {
        self.check_limit(limit)?;
        if !(1..=self.config.history_limit).contains(&entries) {
            let message = format!("must be 1 to {}", self.config.history_limit);
            return Err(Error::Invalid { field: "entries", message });
        }
        let (app, user) = (caller.app(), caller.user()?);
        let cursor = cursor.map(Bytes::copy_from_slice);
        let (rows, next) = memberships_page(&self.store, app, user, cursor, limit).await?;
        let views = self.access.views(app, user, rows).await?;
        let described = describe_all(&self.store, &views, self.config.unread_cap).await?;
        let others = self.of_other_histories(&views, have).await?;
        let mut items = Vec::with_capacity(views.len());
        for (view, mut conversation) in views.iter().zip(described) {
            let have = have.get(&view.conversation);
            // What was said in another epoch is void, and so is what this epoch's log does not hold any more.
            let lost = match have.filter(|have| have.epoch.0 == view.head.epoch) {
                Some(have) if have.seq > view.last() => Some(Lost::End(have.seq)),
                Some(_) if others.contains(&view.conversation) => Some(Lost::Entries),
                _ => None,
            };
            if let Some(lost) = lost {
                conversation.head = self.log.has_lost(app, view.conversation, view.head, lost).await?;
            }
            let is_void = lost.is_some() || have.is_some_and(|have| have.epoch.0 != view.head.epoch);
            let held = have.filter(|_| !is_void).map_or(Seq(0), |have| have.seq);
            items.push(self.compare(view, conversation, held, is_void, entries).await?);
        }
        Ok(Page { items, next })
    }

    /// Conversations in which a device holds an entry in whose place there is another one: the log lost it, and grew again.
    async fn of_other_histories(
        &self,
        views: &[View],
        have: &HashMap<ConversationId, Have>,
    ) -> Result<HashSet<ConversationId>> {
        let mut found = HashSet::new();
        let mut doubts = Vec::new();
        for view in views {
            let Some(have) = have.get(&view.conversation).filter(|have| have.epoch.0 == view.head.epoch) else {
                continue;
            };
            let newest = MessageId(view.head.last_message_id);
            for (seq, id) in have.known().filter(|(seq, _)| view.shows(*seq)) {
                if seq < view.last() {
                    doubts.push((EntryKey { app: view.app, conversation: view.conversation, seq }, id));
                } else if id != newest {
                    found.insert(view.conversation);
                }
            }
        }
        // A store that only this process writes to loses nothing while it runs.
        if !self.events.is_shared() || doubts.is_empty() {
            return Ok(found);
        }
        let keys: Vec<EntryKey> = doubts.iter().map(|(key, _)| *key).collect();
        for ((key, id), entry) in doubts.iter().zip(self.store.get_many(&keys).await?) {
            // One that has vanished proves nothing.
            if entry.is_some_and(|entry| entry.message_id != id.0) {
                found.insert(key.conversation);
            }
        }
        Ok(found)
    }

    async fn compare(
        &self,
        view: &View,
        conversation: Conversation,
        held: Seq,
        is_void: bool,
        limit: usize,
    ) -> Result<Synced> {
        let last = view.last();
        // What comes before `granted` is not this user's to read, so lacking it is no gap.
        let wanted = view.granted.max(Seq(held.0 + 1));
        let low = wanted.max(view.first);
        let mut entries = read(&self.store, view, low, last, true, limit).await?;
        // Rows may have vanished in between, where the retention was changed: only what is joined to the newest is a proof.
        let joined = entries.iter().zip((0..=last.0).rev()).take_while(|(entry, seq)| entry.seq == *seq).count();
        entries.truncate(joined);
        entries.reverse();
        let from = entries.first().map_or(Seq(last.0 + 1), |entry| Seq(entry.seq));
        let verdict = match (is_void, from > wanted) {
            (true, _) => Verdict::Reset,
            (false, true) => Verdict::Truncated { from },
            (false, false) => Verdict::Complete,
        };
        Ok(Synced { conversation, verdict, entries })
    }
}
