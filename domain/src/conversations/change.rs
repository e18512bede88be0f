//! Changing one's own view of a conversation: what is hidden, pinned, muted, and how much shows as unread.

use proto::{entry, store};
use storage::{Batch, Key};

use super::{Conversations, MembershipKey, WatermarkKey};
use crate::access::View;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::ids::{AppNumber, ConversationId, Seq, UserId};
use crate::messages::{counts_as_unread, read};
use crate::retry::Tries;

/// Longest remark, in bytes.
const REMARK_LIMIT: usize = 256;
/// Entries that are read at a time to find where unread messages begin.
const ENTRIES_PER_READ: usize = 256;

/// Changes to one's own view; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ViewChange {
    /// Kept at the top of lists.
    pub pinned: Option<bool>,
    /// How much the user wants to hear of it.
    pub mute: Option<store::Mute>,
    /// Which of its messages are pushed to sleeping phones.
    pub push_mode: Option<store::PushMode>,
    /// A note of the user's own; at most 256 bytes.
    pub remark: Option<String>,
    /// So many messages show as unread, see [`Conversations::set_unread`].
    pub unread: Option<u64>,
}

impl Conversations {
    /// Changes one's own view, and tells one's other devices by a notice.
    ///
    /// A crash in between leaves the view changed and the other devices untold until they compare again.
    ///
    /// # Errors
    /// `NotFound(Conversation)`; `Invalid` for the remark.
    pub async fn update(&self, caller: &Caller, id: ConversationId, change: ViewChange) -> Result<()> {
        if change.remark.as_ref().is_some_and(|remark| remark.len() > REMARK_LIMIT) {
            return Err(Error::Invalid { field: "remark", message: format!("is longer than {REMARK_LIMIT} bytes") });
        }
        let user = caller.user()?;
        let unread = match change.unread {
            Some(count) => Some(self.unread_mark(caller.app(), user, id, count).await?),
            None => None,
        };
        self.alter(caller, user, id, |membership, _| {
            membership.unread_mark = unread.or(membership.unread_mark);
            membership.pinned = change.pinned.unwrap_or(membership.pinned);
            if let Some(mute) = change.mute {
                membership.set_mute(mute);
            }
            if let Some(push_mode) = change.push_mode {
                membership.set_push_mode(push_mode);
            }
            if let Some(remark) = &change.remark {
                membership.remark.clone_from(remark);
            }
        })
        .await
    }

    /// Hides what is there so far from the caller. A new entry brings the conversation back.
    ///
    /// # Errors
    /// `NotFound(Conversation)`.
    pub async fn delete(&self, caller: &Caller, id: ConversationId) -> Result<()> {
        self.alter(caller, caller.user()?, id, |membership, last| membership.deleted_to = last.0).await
    }

    /// Says how many messages show as unread to a user: oneself, or anyone for a privileged caller. Later ones add to that, and reading on
    /// ends it. Nobody's read mark moves. Where fewer messages can be unread, all of them are.
    ///
    /// A crash in between leaves the count changed and the user's devices untold until they compare again.
    ///
    /// # Errors
    /// `Denied(Credential)`, `NotFound(Conversation)`.
    pub async fn set_unread(&self, caller: &Caller, user: UserId, id: ConversationId, count: u64) -> Result<()> {
        if !caller.user().is_ok_and(|me| me == user) {
            caller.require_privileged()?;
        }
        let mark = self.unread_mark(caller.app(), user, id, count).await?;
        self.alter(caller, user, id, |membership, _| membership.unread_mark = Some(mark)).await
    }

    /// Ends what [`Self::set_unread`] began: the user has read on.
    pub(super) async fn drop_unread_mark(&self, caller: &Caller, view: &View) -> Result<()> {
        if view.membership.unread_mark.is_none() {
            return Ok(());
        }
        self.alter(caller, view.user, view.conversation, |membership, _| membership.unread_mark = None).await
    }

    /// The mark under which so many messages show as unread.
    async fn unread_mark(
        &self,
        app: AppNumber,
        user: UserId,
        id: ConversationId,
        count: u64,
    ) -> Result<store::UnreadMark> {
        let view = self.access.view(app, user, id).await?;
        let from = self.nth_newest(&view, count).await?;
        let read = self.store.get(&WatermarkKey { app, conversation: id, user }).await?.map_or(0, |mark| mark.seq);
        Ok(store::UnreadMark { from: from.0, read })
    }

    /// Where the newest `count` messages begin that can be unread. As when they are counted, only the newest entries are looked at.
    async fn nth_newest(&self, view: &View, count: u64) -> Result<Seq> {
        let lowest = view.first.max(Seq(view.last().0.saturating_sub(self.config.unread_cap) + 1));
        let mut left = count;
        let mut from = Seq(view.last().0 + 1);
        let mut high = view.last();
        while left > 0 && high >= lowest {
            let entries = read(&self.store, view, lowest, high, true, ENTRIES_PER_READ).await?;
            let Some(end) = entries.last() else { break };
            high = Seq(end.seq - 1);
            let counting = entries.iter().filter(|entry| counts_as_unread(entry, view.user));
            for entry in counting.take(usize::try_from(left).unwrap_or(usize::MAX)) {
                left -= 1;
                from = Seq(entry.seq);
            }
        }
        Ok(from)
    }

    /// Changes a user's membership row; nothing is written or told if it stays the same.
    async fn alter(
        &self,
        caller: &Caller,
        user: UserId,
        id: ConversationId,
        mut change: impl FnMut(&mut store::Membership, Seq),
    ) -> Result<()> {
        let app = caller.app();
        let key = MembershipKey { app, user, conversation: id };
        let mut tries = Tries::default();
        loop {
            let view = self.access.view(app, user, id).await?;
            let mut changed = view.membership.clone();
            change(&mut changed, view.last());
            if changed == view.membership {
                return Ok(());
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, Some(&view.membership)).put(&key, &changed);
            if tries.settled(self.store.commit(batch).await).await? {
                break;
            }
        }
        let (users, group) = match id {
            ConversationId::Direct { .. } => (vec![id.peer_of(user).unwrap_or(user).0], 0),
            ConversationId::Group(group) => (Vec::new(), group.0),
            // Its own change would be the newest notice for ever: a deletion could never empty it.
            ConversationId::Notices(_) => return Ok(()),
        };
        let kind = entry::tip::Kind::ConversationChanged.into();
        let tip = entry::Tip { kind, users, group, ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), user, user, tip).await
    }
}
