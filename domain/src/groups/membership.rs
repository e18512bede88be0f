//! Who comes and goes: adding, removing, joining, leaving.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use proto::store::{GroupKind, JoinPolicy, Role};
use proto::{entry, store};
use storage::Batch;

use super::members::ROWS_PER_READ;
use super::{Change, Groups, MemberRow, Standing};
use crate::caller::Caller;
use crate::conversations::MembershipKey;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::retry::Tries;
use crate::text::check_text;

/// Users' homes that one call writes at the same time; the store puts their commits together.
const AT_ONCE: usize = 64;

/// What became of one user of a batch.
#[derive(Debug, Clone)]
pub enum Added {
    /// Is a member now.
    Yes,
    /// Was one before.
    Already,
    /// Could not be added: unknown, on the group's block list, or the group is full.
    Failed(Error),
}

/// Whether an owner may leave without handing the group over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Stays,
    MayGo,
}

/// Whether one who cannot be removed keeps the others in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    AllOrNone,
    Each,
}

impl Groups {
    /// Adds members, with their names in the group, as far as the caller may, without asking them. One result per user, in order.
    ///
    /// Each new member's membership row is written first; then, in one commit, all member rows and the entry that tells of them.
    /// A crash in between adds nobody; adding them again completes it.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for more than the configured number.
    pub async fn add_members(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[(UserId, String)],
    ) -> Result<Vec<(UserId, Added)>> {
        self.check_batch(users.len())?;
        users.iter().try_for_each(|(_, card)| check_text("card", card, self.limits.name))?;
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            if !before.members_may_invite {
                standing.require_admin()?;
            }
            let (results, new) = self.sort_out(caller.app(), &before, users).await?;
            if self.admit(caller, before, new, &mut tries).await? {
                return Ok(results);
            }
        }
    }

    /// Joins a group that is open to all. Joining again changes nothing.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(JoinClosed)`, `Denied(Barred)`, `Denied(GroupFull)`.
    pub async fn join(&self, caller: &Caller, group: GroupId) -> Result<()> {
        let user = caller.user()?;
        if self.record(caller.app(), group).await?.kind() == GroupKind::Room {
            return self.enter(caller, group).await;
        }
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            if self.member_row(caller.app(), group, user).await?.is_some() {
                return Ok(());
            }
            if before.join_policy() != JoinPolicy::Open && !caller.is_privileged() && before.owner != user.0 {
                return Err(Error::Denied(Denial::JoinClosed));
            }
            let (results, new) = self.sort_out(caller.app(), &before, &[(user, String::new())]).await?;
            if let Some((_, Added::Failed(error))) = results.into_iter().next() {
                return Err(error);
            }
            if self.admit(caller, before, new, &mut tries).await? {
                return Ok(());
            }
        }
    }

    /// Removes members, all of them or none. Whoever is no member is passed over.
    ///
    /// In one commit, the member rows go and an entry tells the others; then each removed user's membership row goes, and a notice tells the
    /// user. After a crash in between they are no members any more, and do not know yet; removing them again tells them.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`; `Denied(NotAdmin)` or `Denied(NotOwner)` if the caller may not remove one of them;
    /// `Denied(OwnerCannotLeave)` for an owner who removes the owner; `Invalid` for more than the configured number.
    pub async fn remove_members(&self, caller: &Caller, group: GroupId, users: &[UserId]) -> Result<()> {
        self.remove(caller, group, users, Removal::AllOrNone).await.map(drop)
    }

    /// As [`Self::remove_members`], but whoever cannot be removed does not keep the others in. One result per user, in order.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for more than the configured number.
    /// For one user: `NotFound(Member)`, `Denied(NotOwner)`, `Denied(OwnerCannotLeave)`.
    pub async fn remove_each(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Result<()>)>> {
        self.remove(caller, group, users, Removal::Each).await
    }

    async fn remove(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[UserId],
        how: Removal,
    ) -> Result<Vec<(UserId, Result<()>)>> {
        self.check_batch(users.len())?;
        let kind = entry::tip::Kind::MembersRemoved;
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        let results = loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            standing.require_admin()?;
            let rows = self.member_rows(caller.app(), group, users).await?;
            let judge = |row: &Option<store::Member>| match row {
                Some(member) => may_remove(standing, role_in(&before, member)),
                None => Err(Error::NotFound(Noun::Member)),
            };
            let results: Vec<_> = users.iter().copied().zip(rows.iter().map(judge)).collect();
            let refusal = results.iter().find_map(|(_, result)| match result {
                Err(error) if !matches!(error, Error::NotFound(_)) => Some(error.clone()),
                _ => None,
            });
            if let (Removal::AllOrNone, Some(refusal)) = (how, refusal) {
                return Err(refusal);
            }
            let mut seen = HashSet::new();
            let leave = |(row, (user, result)): (Option<store::Member>, &(UserId, Result<()>))| {
                row.filter(|_| result.is_ok() && seen.insert(*user))
            };
            let leaving: Vec<_> = rows.into_iter().zip(&results).filter_map(leave).collect();
            if self.dismiss_members(caller, before, &leaving, kind, &mut tries).await? {
                break results;
            }
        };
        // Also those without a member row: an earlier call may have come no further.
        let gone = |result: &Result<()>| matches!(result, Ok(()) | Err(Error::NotFound(_)));
        let users: HashSet<UserId> = results.iter().filter(|(_, result)| gone(result)).map(|(user, _)| *user).collect();
        self.see_off(caller, group, users.into_iter().collect(), kind).await?;
        Ok(results)
    }

    /// Leaves a group. As [`Self::remove_members`], by oneself.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(OwnerCannotLeave)`.
    pub async fn leave(&self, caller: &Caller, group: GroupId) -> Result<()> {
        self.go(caller, group, Owner::Stays).await
    }

    /// As [`Self::leave`], but the owner of a private group may go too; it then has none.
    ///
    /// # Errors
    /// As [`Self::leave`].
    pub async fn quit(&self, caller: &Caller, group: GroupId) -> Result<()> {
        self.go(caller, group, Owner::MayGo).await
    }

    async fn go(&self, caller: &Caller, group: GroupId, owner: Owner) -> Result<()> {
        if self.record(caller.app(), group).await?.kind() == GroupKind::Room {
            return self.exit(caller, group).await;
        }
        let (app, user) = (caller.app(), caller.user()?);
        let kind = entry::tip::Kind::MemberLeft;
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            let abandoned = owner == Owner::MayGo && before.kind() == GroupKind::Private;
            if before.owner == user.0 && !abandoned {
                return Err(Error::Denied(Denial::OwnerCannotLeave));
            }
            let rows = self.rows(app, group, &[user]).await?;
            let membership = MembershipKey { app, user, conversation: ConversationId::Group(group) };
            if rows.is_empty() && self.store.get(&membership).await?.is_none() {
                return Err(Error::Denied(Denial::NotMember));
            }
            if self.dismiss_members(caller, before, &rows, kind, &mut tries).await? {
                break;
            }
        }
        self.see_off(caller, group, vec![user], kind).await
    }

    /// Writes each user's membership row, unless there is one.
    pub(super) async fn add_memberships(&self, app: AppNumber, group: GroupId, users: Vec<UserId>) -> Result<()> {
        let conversation = ConversationId::Group(group);
        let writes = users.into_iter().map(|user| self.log.join(app, user, conversation));
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What will become of each user, and the rows of those who can be added.
    pub(super) async fn sort_out(
        &self,
        app: AppNumber,
        group: &store::Group,
        users: &[(UserId, String)],
    ) -> Result<(Vec<(UserId, Added)>, Vec<store::Member>)> {
        let ids: Vec<UserId> = users.iter().map(|(user, _)| *user).collect();
        let unknown = self.unknown(app, &ids).await?;
        let mut members: HashSet<UserId> =
            self.rows(app, GroupId(group.id), &ids).await?.iter().map(|member| UserId(member.user)).collect();
        let barred = self.barred_among(app, group, &ids).await?;
        let mut room = self.capacity(group).saturating_sub(group.members);
        let mut new = Vec::new();
        let mut results = Vec::with_capacity(users.len());
        for ((user, card), unknown) in users.iter().zip(unknown) {
            let result = if unknown {
                Added::Failed(Error::NotFound(Noun::User))
            } else if group.kind() == GroupKind::Room {
                Added::Failed(Error::Denied(Denial::JoinClosed))
            } else if members.contains(user) {
                Added::Already
            } else if barred.contains(user) {
                Added::Failed(Error::Denied(Denial::Barred))
            } else if room == 0 {
                Added::Failed(Error::Denied(Denial::GroupFull))
            } else {
                room -= 1;
                members.insert(*user);
                let role = if group.owner == user.0 { Role::Owner } else { Role::Member };
                let (user, role) = (user.0, role as i32);
                new.push(store::Member { user, role, card: card.clone(), ..store::Member::default() });
                Added::Yes
            };
            results.push((*user, result));
        }
        Ok((results, new))
    }

    /// Makes these users members. `false` after a lost race.
    async fn admit(
        &self,
        caller: &Caller,
        before: store::Group,
        new: Vec<store::Member>,
        tries: &mut Tries,
    ) -> Result<bool> {
        if new.is_empty() {
            return Ok(true);
        }
        let users: Vec<u64> = new.iter().map(|member| member.user).collect();
        let ids = users.iter().copied().map(UserId).collect();
        self.add_memberships(caller.app(), GroupId(before.id), ids).await?;
        let mut after = before.clone();
        after.members += u32::try_from(new.len()).expect("no more than a batch");
        let kind = entry::tip::Kind::MembersAdded as i32;
        let tip = entry::Tip { kind, users, ..entry::Tip::default() };
        let change = Change { before: Some(before), after, members: new.into_iter().map(MemberRow::Joins).collect() };
        self.settled(self.write(caller, change, tip).await, tries).await
    }

    /// Removes these members' rows. `false` after a lost race.
    pub(super) async fn dismiss_members(
        &self,
        caller: &Caller,
        before: store::Group,
        rows: &[store::Member],
        kind: entry::tip::Kind,
        tries: &mut Tries,
    ) -> Result<bool> {
        if rows.is_empty() {
            return Ok(true);
        }
        let mut after = before.clone();
        after.members = after.members.saturating_sub(u32::try_from(rows.len()).expect("no more than a batch"));
        if kind == entry::tip::Kind::MemberLeft && rows.iter().any(|member| member.user == before.owner) {
            after.owner = 0;
        }
        let users = rows.iter().map(|member| member.user).collect();
        let tip = entry::Tip { kind: kind as i32, users, ..entry::Tip::default() };
        let members = rows.iter().cloned().map(MemberRow::Leaves).collect();
        let change = Change { before: Some(before), after, members };
        self.settled(self.write(caller, change, tip).await, tries).await
    }

    pub(super) async fn settled(&self, outcome: Result<store::Group>, tries: &mut Tries) -> Result<bool> {
        match outcome {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => tries.lost().await.map(|()| false),
            Err(error) => Err(error),
        }
    }

    /// Takes the group out of former members' homes and tells them.
    pub(super) async fn see_off(
        &self,
        caller: &Caller,
        group: GroupId,
        users: Vec<UserId>,
        kind: entry::tip::Kind,
    ) -> Result<()> {
        let goodbyes = users.into_iter().map(|user| self.see_off_one(caller, group, user, kind));
        stream::iter(goodbyes).buffer_unordered(AT_ONCE).try_collect().await
    }

    pub(super) async fn see_off_one(
        &self,
        caller: &Caller,
        group: GroupId,
        user: UserId,
        kind: entry::tip::Kind,
    ) -> Result<()> {
        let (app, conversation) = (caller.app(), ConversationId::Group(group));
        let key = MembershipKey { app, user, conversation };
        if self.store.get(&key).await?.is_none() {
            return Ok(());
        }
        let mut batch = Batch::new(storage::Key::home(&key));
        batch.delete(&key);
        self.store.commit(batch).await?;
        // Another process may have added the user again after the member row went and before this row did.
        if self.member_row(app, group, user).await?.is_some() {
            return self.log.join(app, user, conversation).await;
        }
        let tip = entry::Tip { kind: kind as i32, users: vec![user.0], group: group.0, ..entry::Tip::default() };
        self.log.notice(caller.app_shared(), user, caller.user().unwrap_or_default(), tip).await
    }

    /// Tells every member of a group something about it, in their notices.
    pub(super) async fn tell_members(
        &self,
        caller: &Caller,
        group: &store::Group,
        kind: entry::tip::Kind,
    ) -> Result<()> {
        let (app, id) = (caller.app(), GroupId(group.id));
        let mut from = 0;
        loop {
            let members = self.members_from(app, id, from, ROWS_PER_READ).await?;
            let Some(last) = members.last() else { return Ok(()) };
            from = last.user + 1;
            let tell =
                |member: store::Member| self.tell(caller, UserId(member.user), kind, group, &group.name, Vec::new());
            stream::iter(members.into_iter().map(tell)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
    }

    /// The rows of those of these users who are members.
    pub(super) async fn rows(&self, app: AppNumber, group: GroupId, users: &[UserId]) -> Result<Vec<store::Member>> {
        Ok(self.member_rows(app, group, users).await?.into_iter().flatten().collect())
    }

    pub(super) fn check_batch(&self, count: usize) -> Result<()> {
        if count > self.limits.batch {
            return Err(Error::Invalid { field: "users", message: format!("at most {} at once", self.limits.batch) });
        }
        Ok(())
    }
}

/// Whether who stands so may remove a member with this role.
fn may_remove(standing: Standing, role: Role) -> Result<()> {
    if role == Role::Owner && standing == Standing::Role(Role::Owner) {
        return Err(Error::Denied(Denial::OwnerCannotLeave));
    }
    standing.require_above(role)
}

/// A member's role; the group's own record says who owns it.
pub(crate) fn role_in(group: &store::Group, member: &store::Member) -> Role {
    match member.role() {
        _ if group.owner == member.user => Role::Owner,
        // The row of a former owner: handing over changes both in one commit, so this is a member like any other.
        Role::Owner => Role::Member,
        role => role,
    }
}
