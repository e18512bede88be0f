//! A group's block list: users who cannot come into the group, whoever asks, until they are taken off the list.

use std::collections::HashSet;

use proto::entry::tip::Kind;
use proto::store::{Barred, Role};
use proto::{entry, store};
use storage::{Home, Key, Rest, Scan, State, Table};

use super::membership::role_in;
use super::{Change, Groups, MemberRow, Standing};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, GroupId, UserId};
use crate::log::Changes;
use crate::retry::Tries;
use crate::{page, tables};

/// That a user is on a group's block list.
///
/// home: the group's conversation.  rest: user id as u64.  value: `store.Barred`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BarredKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) user: UserId,
}

impl Key for BarredKey {
    const TABLE: Table = tables::BARRED;
    type Record = Barred;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

impl Groups {
    /// Puts users on the block list. Whoever is a member is removed. One result per user, in order; blocking again changes nothing.
    ///
    /// In one commit, users get on the list, members among them lose their rows, and an entry tells; then each of those loses the membership
    /// row and is told. After a crash in between they are no members any more, and do not know yet; blocking them again tells them.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for more than the configured number.
    /// For one user: `NotFound(User)`, `Denied(NotAdmin)`, `Denied(NotOwner)`, `Denied(OwnerCannotLeave)`, `Denied(TooMany)`.
    pub async fn block(&self, caller: &Caller, group: GroupId, users: &[UserId]) -> Result<Vec<(UserId, Result<()>)>> {
        self.check_batch(users.len())?;
        let app = caller.app();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        let results = loop {
            let before = self.record(app, group).await?;
            let standing = self.standing(caller, &before).await?;
            standing.require_admin()?;
            let (results, new) = self.judge_blocking(app, &before, standing, users).await?;
            if new.is_empty() {
                break results;
            }
            let leaving = self.rows(app, group, &new).await?;
            let mut after = before.clone();
            after.blocked += u32::try_from(new.len()).expect("no more than a batch");
            after.members = after.members.saturating_sub(u32::try_from(leaving.len()).expect("no more than a batch"));
            let members = leaving.into_iter().map(MemberRow::Leaves).collect();
            let change = Change { before: Some(before), after, members };
            let by = caller.user().unwrap_or_default();
            let tip = tip(Kind::MembersBlocked, &new);
            let outcome = self.write_with(caller, change, tip, Some(bar(app, group, new, by))).await;
            if self.settled(outcome, &mut tries).await? {
                break results;
            }
        };
        let blocked = results.iter().filter(|(_, result)| result.is_ok()).map(|(user, _)| *user).collect();
        self.see_off(caller, group, blocked, Kind::MembersBlocked).await?;
        Ok(results)
    }

    /// Takes users off the block list. One result per user, in order. They do not become members again.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for more than the configured number.
    /// For one user: `NotFound(User)` if not on the list.
    pub async fn unblock(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Result<()>)>> {
        self.check_batch(users.len())?;
        let app = caller.app();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            self.standing(caller, &before).await?.require_admin()?;
            let listed = self.barred_among(app, &before, users).await?;
            let missing = || Err(Error::NotFound(Noun::User));
            let judge = |user: &UserId| (*user, if listed.contains(user) { Ok(()) } else { missing() });
            let results = users.iter().map(judge).collect();
            if listed.is_empty() {
                return Ok(results);
            }
            let freed: Vec<UserId> = listed.into_iter().collect();
            let mut after = before.clone();
            after.blocked = after.blocked.saturating_sub(u32::try_from(freed.len()).expect("no more than a batch"));
            let change = Change { before: Some(before), after, members: Vec::new() };
            let tip = tip(Kind::MembersUnblocked, &freed);
            let outcome = self.write_with(caller, change, tip, Some(unbar(app, group, freed))).await;
            if self.settled(outcome, &mut tries).await? {
                return Ok(results);
            }
        }
    }

    /// The block list by user id, for owner and admins. The group's record says how long it is.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for a cursor that is none.
    pub async fn blocked(
        &self,
        caller: &Caller,
        group: GroupId,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<Barred>> {
        let from = page::after(cursor)?;
        let limit = limit.clamp(1, self.limits.members_page);
        let record = self.record(caller.app(), group).await?;
        self.standing(caller, &record).await?.require_admin()?;
        let scan = Scan::<BarredKey>::new(tables::group(caller.app(), group), limit + 1).from(|rest| {
            rest.u64(from);
        });
        let rows = self.store.scan(scan).await?.into_iter().map(|row| row.record).collect();
        Ok(page::cut(rows, limit, |row: &Barred| row.user))
    }

    /// Which of these users are on a group's block list.
    pub(super) async fn barred_among(
        &self,
        app: AppNumber,
        group: &store::Group,
        users: &[UserId],
    ) -> Result<HashSet<UserId>> {
        if group.blocked == 0 {
            return Ok(HashSet::new());
        }
        let keys: Vec<_> = users.iter().map(|user| BarredKey { app, group: GroupId(group.id), user: *user }).collect();
        let rows = self.store.get_many(&keys).await?;
        Ok(rows.into_iter().flatten().map(|row| UserId(row.user)).collect())
    }

    /// What becomes of each user who is to be blocked, and those who get on the list, each once.
    async fn judge_blocking(
        &self,
        app: AppNumber,
        group: &store::Group,
        standing: Standing,
        users: &[UserId],
    ) -> Result<(Vec<(UserId, Result<()>)>, Vec<UserId>)> {
        let unknown = self.unknown(app, users).await?;
        let members = self.member_rows(app, GroupId(group.id), users).await?;
        let mut listed = self.barred_among(app, group, users).await?;
        let mut room = self.limits.blocked.saturating_sub(group.blocked as usize);
        let mut new = Vec::new();
        let mut results = Vec::with_capacity(users.len());
        for ((user, unknown), member) in users.iter().zip(unknown).zip(members) {
            let role = member.map_or(Role::Member, |member| role_in(group, &member));
            let result = if unknown {
                Err(Error::NotFound(Noun::User))
            } else if group.owner == user.0 {
                Err(Error::Denied(Denial::OwnerCannotLeave))
            } else if let Err(error) = standing.require_above(role) {
                Err(error)
            } else if listed.contains(user) {
                Ok(())
            } else if room == 0 {
                Err(Error::Denied(Denial::TooMany))
            } else {
                room -= 1;
                listed.insert(*user);
                new.push(*user);
                Ok(())
            };
            results.push((*user, result));
        }
        Ok((results, new))
    }
}

fn tip(kind: Kind, users: &[UserId]) -> entry::Tip {
    entry::Tip { kind: kind as i32, users: users.iter().map(|user| user.0).collect(), ..entry::Tip::default() }
}

fn bar(app: AppNumber, group: GroupId, users: Vec<UserId>, by: UserId) -> Changes {
    Box::new(move |batch, place| {
        for user in users {
            let key = BarredKey { app, group, user };
            let row = Barred { user: user.0, by: by.0, created: place.time.0 };
            batch.expect(&key, State::Absent).put(&key, &row);
        }
    })
}

fn unbar(app: AppNumber, group: GroupId, users: Vec<UserId>) -> Changes {
    Box::new(move |batch, _| {
        for user in users {
            batch.delete(&BarredKey { app, group, user });
        }
    })
}
