//! Groups that this process has not listened to before.
//!
//! Somebody connected here becomes a member of a group: that much is told to the user. What else happens in the group comes here only
//! once the bus knows that it is wanted; what was said until then is read from the store, and told to whoever has just become a member.

use std::sync::Arc;

use proto::store;
use proto::store::event::Body;
use storage::Scan;

use super::{Events, MembersAt, topics};
use crate::deliver::Audience;
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::interests::Interests;
use crate::log::{EntryKey, HeadKey};
use crate::tables;

/// Entries that are caught up with. Whoever lacks more finds a gap, and asks for it.
const MOST: usize = 200;

impl Events {
    /// Sees to it that the users whom an entry makes members miss none of those after it.
    pub(super) fn catch_up_later(self: &Arc<Self>, app: AppNumber, group: GroupId, body: &Body) {
        let (Some(bus), Body::Appended(first)) = (self.outlet.bus(), body) else { return };
        let users = topics::named(first).iter().copied().map(UserId).collect();
        let after = first.entry.as_ref().map_or(0, |entry| entry.seq);
        let (events, interests) = (Arc::clone(self), Interests::new(bus.clone()));
        tokio::spawn(async move {
            interests.settle().await;
            if let Err(error) = events.catch_up(app, group, after, users).await {
                tracing::warn!(app = app.0, %error, "what was said while a group was new here could not be read");
            }
        });
    }

    async fn catch_up(&self, app: AppNumber, group: GroupId, after: u64, mut users: Vec<UserId>) -> Result<()> {
        let conversation = ConversationId::Group(group);
        let Some(deliver) = self.outlet.here() else { return Ok(()) };
        let Some(head) = self.store.get(&HeadKey { app, conversation }).await? else { return Ok(()) };
        if head.last_seq <= after {
            return Ok(());
        }
        let at = MembersAt { epoch: head.epoch, version: head.members_version };
        let members = self.members(app, group, Some(at)).await?;
        // In the order of their ids, as they are read from the store.
        users.retain(|user| members.binary_search(user).is_ok());
        let scan = Scan::<EntryKey>::new(tables::conversation(app, conversation), MOST).from(|rest| {
            rest.u64(after + 1);
        });
        let audience = Audience::Users(users);
        for row in self.store.scan(scan).await? {
            let appended = store::Appended {
                conversation: Some(conversation.to_wire()),
                epoch: head.epoch,
                members_version: head.members_version,
                entry: Some(row.record),
                ..store::Appended::default()
            };
            deliver.deliver(app, &audience, &Body::Appended(appended));
        }
        Ok(())
    }
}
