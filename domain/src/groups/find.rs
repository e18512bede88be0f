//! Finding groups, and which ones a user is in.

use proto::store;
use proto::store::GroupKind;
use storage::{Key, Rest, Scan};

use super::{GroupKey, Groups, MemberKey, gid_of};
use crate::caller::Caller;
use crate::conversations::{MembershipKey, Page};
use crate::error::{Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, GroupId, GroupRef};
use crate::names::Space;
use crate::{page, tables};

impl Groups {
    /// A group that the caller may see: as a member, as a privileged caller, or anyone where the group is not a private one.
    ///
    /// # Errors
    /// `NotFound(Group)`, also for one that was dismissed or is not the caller's to see.
    pub async fn find(&self, caller: &Caller, group: &GroupRef) -> Result<store::Group> {
        let found = self.find_many(caller, std::slice::from_ref(group)).await?.pop().flatten();
        found.ok_or(Error::NotFound(Noun::Group))
    }

    /// As [`Self::find`], many; those that the caller may not see are `None`. In the order asked for.
    ///
    /// # Errors
    /// `Invalid` for more than the configured number.
    pub async fn find_many(&self, caller: &Caller, groups: &[GroupRef]) -> Result<Vec<Option<store::Group>>> {
        if groups.len() > self.limits.batch {
            let message = format!("at most {} at once", self.limits.batch);
            return Err(Error::Invalid { field: "groups", message });
        }
        let app = caller.app();
        let found = self.resolve(app, groups).await?;
        let Ok(user) = caller.user() else {
            return Ok(found.into_iter().map(|group| group.filter(|_| caller.is_privileged())).collect());
        };
        let needs_row = |group: &&store::Group| !caller.is_privileged() && !is_open(group) && group.owner != user.0;
        let keys = found.iter().flatten().filter(needs_row);
        let keys: Vec<_> = keys.map(|group| MemberKey { app, group: GroupId(group.id), user }).collect();
        let mut rows = self.store.get_many(&keys).await?.into_iter();
        let mut is_seen = |group: &store::Group| !needs_row(&group) || rows.next().flatten().is_some();
        Ok(found.into_iter().map(|group| group.filter(&mut is_seen)).collect())
    }

    /// Groups that the caller is in, by group id. A page may hold fewer than `limit` although more follow.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is none.
    pub async fn list(&self, caller: &Caller, cursor: Option<&[u8]>, limit: usize) -> Result<Page<store::Group>> {
        let (app, user) = (caller.app(), caller.user()?);
        let from = page::after(cursor)?;
        let limit = limit.clamp(1, self.limits.page);
        let bound = |group: u64| {
            let conversation = ConversationId::Group(GroupId(group));
            move |rest: &mut Rest| MembershipKey { app, user, conversation }.rest(rest)
        };
        let scan = Scan::<MembershipKey>::new(tables::user(app, user), limit + 1).from(bound(from)).to(bound(u64::MAX));
        let rows = self.store.scan(scan).await?.into_iter();
        let ids = rows.filter_map(|row| match ConversationId::from_wire(row.record.conversation.as_ref()?)? {
            ConversationId::Group(group) => Some(group),
            ConversationId::Direct { .. } | ConversationId::Notices(_) => None,
        });
        let Page { items: ids, next } = page::cut(ids.collect(), limit, |group: &GroupId| group.0);
        let members: Vec<_> = ids.iter().map(|group| MemberKey { app, group: *group, user }).collect();
        let groups: Vec<_> = ids.iter().map(|group| GroupKey { app, group: *group }).collect();
        let members = self.store.get_many(&members).await?;
        let groups = self.store.get_many(&groups).await?;
        let is_in = |(group, member): (Option<store::Group>, Option<store::Member>)| {
            group.filter(|group| member.is_some() && !group.dismissed)
        };
        Ok(Page { items: groups.into_iter().zip(members).filter_map(is_in).collect(), next })
    }

    /// All of [`Self::list`].
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is a user.
    pub async fn list_all(&self, caller: &Caller) -> Result<Vec<store::Group>> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.list(caller, cursor.as_deref(), self.limits.page).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// What the caller set for these groups' conversations, in their order; the defaults where that is nothing, or the caller is no user.
    ///
    /// # Errors
    /// What the store says.
    pub async fn own_settings(&self, caller: &Caller, groups: &[GroupId]) -> Result<Vec<store::Membership>> {
        let app = caller.app();
        let Ok(user) = caller.user() else { return Ok(vec![store::Membership::default(); groups.len()]) };
        let key = |group: &GroupId| MembershipKey { app, user, conversation: ConversationId::Group(*group) };
        let rows = self.store.get_many(&groups.iter().map(key).collect::<Vec<_>>()).await?;
        Ok(rows.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The records that these references find, in their order, without dismissed groups.
    pub(super) async fn resolve(&self, app: AppNumber, groups: &[GroupRef]) -> Result<Vec<Option<store::Group>>> {
        let gid = |group: &GroupRef| match group {
            GroupRef::Gid(gid) => Some(gid.clone()),
            GroupRef::Number(number) => Some(number.to_string()),
            GroupRef::Id(_) => None,
        };
        let gids: Vec<String> = groups.iter().filter_map(gid).collect();
        let mut targets = self.names.targets(app, Space::Gid, &gids).await?.into_iter();
        let key = |group: &GroupRef| match group {
            GroupRef::Id(group) => GroupKey { app, group: *group },
            GroupRef::Gid(_) | GroupRef::Number(_) => {
                GroupKey { app, group: GroupId(targets.next().flatten().unwrap_or(0)) }
            }
        };
        let keys: Vec<_> = groups.iter().map(key).collect();
        let found = self.store.get_many(&keys).await?;
        let is_meant = |(asked, found): (&GroupRef, Option<store::Group>)| {
            found.filter(|found| !found.dismissed && is_called(found, asked))
        };
        Ok(groups.iter().zip(found).map(is_meant).collect())
    }
}

/// Whether anyone may see a group.
fn is_open(group: &store::Group) -> bool {
    matches!(group.kind(), GroupKind::Public | GroupKind::Meeting | GroupKind::Room)
}

/// Whether a reference means this group. A name row alone proves nothing.
fn is_called(group: &store::Group, asked: &GroupRef) -> bool {
    match asked {
        GroupRef::Id(id) => group.id == id.0,
        GroupRef::Gid(gid) => gid_of(group) == *gid,
        GroupRef::Number(number) => group.id == *number || group.gid == number.to_string(),
    }
}
