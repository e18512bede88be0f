//! Reading who is in a group, and who of them is an admin or silent.

use proto::store;
use proto::store::{Member, Role};
use storage::Scan;

use super::marks::Mark;
use super::{Groups, MemberKey, Standing};
use crate::caller::Caller;
use crate::conversations::Page;
use crate::error::{Denial, Error, Result};
use crate::ids::{AppNumber, GroupId, UserId};
use crate::{page, tables};

/// Rows that are read at a time where many are wanted.
pub(super) const ROWS_PER_READ: usize = 1_000;

/// A page, and how many there are on all pages.
#[derive(Debug, Clone)]
pub struct Counted<T> {
    /// This page.
    pub page: Page<T>,
    /// On all pages.
    pub total: usize,
}

impl Groups {
    /// Members by user id, for members and privileged callers; where the group hides its members, not for plain members.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for a cursor that is none.
    pub async fn members(
        &self,
        caller: &Caller,
        group: GroupId,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<Member>> {
        let from = page::after(cursor)?;
        let limit = limit.clamp(1, self.limits.members_page);
        self.require_may_list(caller, group).await?;
        let members = self.members_from(caller.app(), group, from, limit + 1).await?;
        Ok(page::cut(members, limit, |member| member.user))
    }

    /// As [`Self::members`], for clients that count: `limit` members after the first `offset`.
    ///
    /// Worst case: it reads as many rows as the group has members.
    ///
    /// # Errors
    /// As [`Self::members`].
    pub async fn members_at(
        &self,
        caller: &Caller,
        group: GroupId,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Member>> {
        let record = self.require_may_list(caller, group).await?;
        let limit = limit.clamp(1, self.limits.members_page);
        let (mut from, mut skip) = (0, offset);
        if offset >= record.members as usize {
            return Ok(Vec::new());
        }
        while skip > 0 {
            let rows = self.members_from(caller.app(), group, from, skip.min(ROWS_PER_READ)).await?;
            let Some(last) = rows.last() else { return Ok(Vec::new()) };
            from = last.user + 1;
            skip -= rows.len();
        }
        self.members_from(caller.app(), group, from, limit).await
    }

    /// These users' memberships, in their order; `None` for who is not a member. For members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`; `Invalid` for more than the configured number.
    pub async fn members_of(&self, caller: &Caller, group: GroupId, users: &[UserId]) -> Result<Vec<Option<Member>>> {
        self.check_batch(users.len())?;
        self.standing(caller, &self.record(caller.app(), group).await?).await?;
        self.member_rows(caller.app(), group, users).await
    }

    /// One's own or another's membership; `None` if not a member. Others' are for members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`.
    pub async fn member(&self, caller: &Caller, group: GroupId, user: UserId) -> Result<Option<Member>> {
        let record = self.record(caller.app(), group).await?;
        if !caller.user().is_ok_and(|own| own == user) {
            self.standing(caller, &record).await?;
        }
        self.member_row(caller.app(), group, user).await
    }

    /// The admins, by user id, without the owner; for members and privileged callers.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`.
    pub async fn admins(&self, caller: &Caller, group: GroupId) -> Result<Vec<Member>> {
        let app = caller.app();
        self.standing(caller, &self.record(app, group).await?).await?;
        let users = self.marked(app, group, Mark::Admin).await?;
        let rows = self.member_rows(app, group, &users).await?;
        Ok(rows.into_iter().flatten().filter(|member| member.role() == Role::Admin).collect())
    }

    /// Members who are silent by themselves, by user id; for owner and admins.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for a cursor that is none.
    pub async fn muted(
        &self,
        caller: &Caller,
        group: GroupId,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Counted<Member>> {
        let app = caller.app();
        let from = page::after(cursor)?;
        let limit = limit.clamp(1, self.limits.members_page);
        self.standing(caller, &self.record(app, group).await?).await?.require_admin()?;
        let users = self.marked(app, group, Mark::Muted).await?;
        let total = users.len();
        let wanted: Vec<UserId> = users.into_iter().filter(|user| user.0 >= from).take(limit + 1).collect();
        let rows = self.member_rows(app, group, &wanted).await?;
        let members = rows.into_iter().flatten().collect();
        Ok(Counted { page: page::cut(members, limit, |member: &Member| member.user), total })
    }

    /// The group, if the caller may list its members.
    async fn require_may_list(&self, caller: &Caller, group: GroupId) -> Result<store::Group> {
        let record = self.record(caller.app(), group).await?;
        let standing = self.standing(caller, &record).await?;
        if record.members_hidden && standing == Standing::Role(Role::Member) {
            return Err(Error::Denied(Denial::NotAdmin));
        }
        Ok(record)
    }

    pub(super) async fn members_from(
        &self,
        app: AppNumber,
        group: GroupId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Member>> {
        let scan = Scan::<MemberKey>::new(tables::group(app, group), limit).from(|rest| {
            rest.u64(from);
        });
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }
}
