//! Marks: which members are admins and which are silent, so that either can be listed without reading the others.
//!
//! A mark says nothing that the member's row does not, and changes in the same commit. The mark of a silence vanishes when the silence ends.

use proto::store::{Member, MemberMark, Role};
use storage::{Batch, Home, Key, Millis, Rest, Scan, Table};

use super::{Groups, MemberKey};
use crate::error::Result;
use crate::ids::{AppNumber, GroupId, UserId};
use crate::tables;

/// Rows that are read at a time.
const ROWS_PER_READ: usize = 1_000;

/// What is marked. Codes are never reused.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Admin = 1,
    Muted = 2,
}

/// That a member is marked.
///
/// home: the group's conversation.  rest: the mark's code as u8, then user id as u64.  value: `store.MemberMark`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberMarkKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) mark: Mark,
    pub(crate) user: UserId,
}

impl Key for MemberMarkKey {
    const TABLE: Table = tables::MEMBER_MARK;
    type Record = MemberMark;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u8(self.mark as u8).u64(self.user.0);
    }
}

impl Mark {
    /// Whether a member has it, and until when; -1 is for ever.
    fn of(self, member: &Member) -> Option<i64> {
        match self {
            Self::Admin => (member.role() == Role::Admin).then_some(-1),
            Self::Muted => (member.muted_until != 0).then_some(member.muted_until),
        }
    }
}

/// Keeps a member's marks in step with the row: `was` before the commit, `is` after it.
pub(super) fn keep(batch: &mut Batch, app: AppNumber, group: GroupId, was: Option<&Member>, is: Option<&Member>) {
    let Some(user) = is.or(was).map(|member| UserId(member.user)) else { return };
    for mark in [Mark::Admin, Mark::Muted] {
        let key = MemberMarkKey { app, group, mark, user };
        let had = was.and_then(|member| mark.of(member));
        match is.and_then(|member| mark.of(member)) {
            until if until == had => {}
            None => {
                batch.delete(&key);
            }
            Some(-1) => {
                batch.put(&key, &MemberMark { user: user.0 });
            }
            Some(until) => {
                batch.put_expiring(&key, &MemberMark { user: user.0 }, Millis(until));
            }
        }
    }
}

impl Groups {
    /// Every member with a mark, by user id.
    pub(super) async fn marked(&self, app: AppNumber, group: GroupId, mark: Mark) -> Result<Vec<UserId>> {
        let mut users: Vec<UserId> = Vec::new();
        loop {
            let bound = |user: UserId| move |rest: &mut Rest| MemberMarkKey { app, group, mark, user }.rest(rest);
            let from = UserId(users.last().map_or(0, |last| last.0 + 1));
            let scan = Scan::<MemberMarkKey>::new(tables::group(app, group), ROWS_PER_READ);
            let rows = self.store.scan(scan.from(bound(from)).to(bound(UserId(u64::MAX)))).await?;
            users.extend(rows.iter().map(|row| UserId(row.record.user)));
            if rows.len() < ROWS_PER_READ {
                return Ok(users);
            }
        }
    }

    /// The rows of these users, in their order; `None` for who is not a member.
    pub(super) async fn member_rows(
        &self,
        app: AppNumber,
        group: GroupId,
        users: &[UserId],
    ) -> Result<Vec<Option<Member>>> {
        let keys: Vec<_> = users.iter().map(|user| MemberKey { app, group, user: *user }).collect();
        Ok(self.store.get_many(&keys).await?)
    }
}
