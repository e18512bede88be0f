//! Asking to join a group, and answering who asks.
//!
//! An application lies in the group's home: accepting it and adding the member are one commit, so an application is answered once.
//! Notices come after the commit; a crash before them loses a notice and no fact.

use proto::store::{Application, JoinPolicy, RequestStatus};
use proto::{entry, store};
use storage::{Batch, Home, Key, Millis, Rest, Scan, Table};

use super::marks::Mark;
use super::{Change, Counted, Groups, MemberRow};
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, GroupId, GroupRef, UserId};
use crate::retry::Tries;
use crate::text::check_text;
use crate::{page, tables};

/// Applications and invitations are counted up to here.
pub(super) const MOST_COUNTED: usize = 1_000;

/// Somebody's wish to join a group.
///
/// home: the group's conversation.  rest: user id as u64.  value: `store.Application`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApplicationKey {
    pub(crate) app: AppNumber,
    pub(crate) group: GroupId,
    pub(crate) user: UserId,
}

impl Key for ApplicationKey {
    const TABLE: Table = tables::APPLICATION;
    type Record = Application;
    fn home(&self) -> Home {
        tables::group(self.app, self.group)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.user.0);
    }
}

/// What became of asking to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The group is open: the caller is a member now.
    Joined,
    /// The caller was a member before.
    Already,
    /// The group's owner and admins have been asked.
    Waits,
}

impl Groups {
    /// The id of a group that the caller has heard of, and may want to join. Tells nothing else about it.
    ///
    /// # Errors
    /// `NotFound(Group)`.
    pub async fn id_of(&self, caller: &Caller, group: &GroupRef) -> Result<GroupId> {
        let found = self.resolve(caller.app(), std::slice::from_ref(group)).await?.pop().flatten();
        found.map(|group| GroupId(group.id)).ok_or(Error::NotFound(Noun::Group))
    }

    /// Asks to join: at once where the group is open to all, else its owner and admins decide. Asking again while that waits renews it.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(JoinClosed)`, `Denied(Barred)`, `Denied(GroupFull)`, `Invalid`.
    pub async fn apply(&self, caller: &Caller, group: GroupId, reason: &str) -> Result<Applied> {
        check_text("reason", reason, self.limits.text)?;
        let (app, user) = (caller.app(), caller.user()?);
        let record = self.record(app, group).await?;
        if self.member_row(app, group, user).await?.is_some() {
            return Ok(Applied::Already);
        }
        if !self.barred_among(app, &record, &[user]).await?.is_empty() {
            return Err(Error::Denied(Denial::Barred));
        }
        // Who acts for a user asks as that user would have to.
        match record.join_policy() {
            _ if record.owner == user.0 => {}
            JoinPolicy::Open => {}
            JoinPolicy::Closed => return Err(Error::Denied(Denial::JoinClosed)),
            JoinPolicy::Approval => return self.ask(caller, &record, reason).await.map(|()| Applied::Waits),
        }
        self.join(caller, group).await?;
        Ok(Applied::Joined)
    }

    /// Answers an application: the owner and admins.
    ///
    /// Accepting writes the new member's membership row first; then, in one commit, the member row, the answer, and the entry that tells
    /// of it. A crash in between adds nobody, and the application still waits.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `NotFound(Application)` also for one that nobody answered in time;
    /// `Denied(Answered)`; `Denied(GroupFull)`; `Invalid`.
    pub async fn answer_application(
        &self,
        caller: &Caller,
        group: GroupId,
        user: UserId,
        accept: bool,
        answer: &str,
    ) -> Result<store::Group> {
        check_text("answer", answer, self.limits.text)?;
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let record = self.record(caller.app(), group).await?;
            self.standing(caller, &record).await?.require_admin()?;
            let key = ApplicationKey { app: caller.app(), group, user };
            let before = self.store.get(&key).await?.ok_or(Error::NotFound(Noun::Application))?;
            let now = self.clock.now();
            check_waits(before.status(), before.expires, now, Noun::Application)?;
            let status = if accept { RequestStatus::Accepted } else { RequestStatus::Declined };
            let handler = caller.user().unwrap_or_default().0;
            let (status, answer) = (status as i32, answer.to_owned());
            let after = Application { status, handler, answer, updated: now.0, ..before.clone() };
            let outcome = if accept {
                self.admit_applicant(caller, record.clone(), &before, &after).await
            } else {
                self.put_application(&key, Some(&before), &after).await.map(|()| record)
            };
            match outcome {
                Err(error) if error.is_conflict() => tries.lost().await?,
                Err(error) => return Err(error),
                Ok(record) => {
                    let kind = if accept {
                        entry::tip::Kind::ApplicationAccepted
                    } else {
                        entry::tip::Kind::ApplicationDeclined
                    };
                    self.tell(caller, user, kind, &record, &after.answer, vec![user.0]).await?;
                    return Ok(record);
                }
            }
        }
    }

    /// Applications to these groups, by group and user id, answered ones among them: for their owners and admins.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid` for a cursor that is none, or for too many groups.
    pub async fn applications(
        &self,
        caller: &Caller,
        groups: &[GroupId],
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Counted<Application>> {
        self.check_batch(groups.len())?;
        let limit = limit.clamp(1, self.limits.page);
        let (from_group, from_user) = page::after_pair(cursor)?;
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        groups.dedup();
        let (mut items, mut total) = (Vec::new(), 0);
        for group in groups {
            let record = self.record(caller.app(), group).await?;
            self.standing(caller, &record).await?.require_admin()?;
            let from = if group.0 == from_group { from_user } else { 0 };
            if group.0 >= from_group && items.len() <= limit {
                items.extend(self.applications_of(caller.app(), group, from, limit + 1 - items.len()).await?);
            }
            if total < MOST_COUNTED {
                total += self.applications_of(caller.app(), group, 0, MOST_COUNTED - total).await?.len();
            }
        }
        let page = page::cut_by_pair(items, limit, |application: &Application| (application.group, application.user));
        Ok(Counted { page, total })
    }

    async fn applications_of(
        &self,
        app: AppNumber,
        group: GroupId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Application>> {
        let scan = Scan::<ApplicationKey>::new(tables::group(app, group), limit).from(|rest| {
            rest.u64(from);
        });
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    /// Writes an application that waits, and tells who can answer it.
    async fn ask(&self, caller: &Caller, record: &store::Group, reason: &str) -> Result<()> {
        let (app, user, group) = (caller.app(), caller.user()?, GroupId(record.id));
        let key = ApplicationKey { app, group, user };
        let mut tries = Tries::default();
        loop {
            let before = self.store.get(&key).await?;
            let now = self.clock.now();
            let after = Application {
                user: user.0,
                group: group.0,
                reason: reason.to_owned(),
                created: now.0,
                updated: now.0,
                expires: now.plus(self.limits.request_window).0,
                ..Application::default()
            };
            match self.put_application(&key, before.as_ref(), &after).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        for leader in self.leaders(app, record).await? {
            self.tell(caller, leader, entry::tip::Kind::GroupApplied, record, reason, vec![user.0]).await?;
        }
        Ok(())
    }

    async fn put_application(
        &self,
        key: &ApplicationKey,
        before: Option<&Application>,
        after: &Application,
    ) -> Result<()> {
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(key, before).put_expiring(key, after, self.gone(after.updated));
        Ok(self.store.commit(batch).await?)
    }

    /// Makes an applicant a member. One who has become a member meanwhile needs the answer only.
    async fn admit_applicant(
        &self,
        caller: &Caller,
        record: store::Group,
        before: &Application,
        after: &Application,
    ) -> Result<store::Group> {
        let (app, group, user) = (caller.app(), GroupId(after.group), UserId(after.user));
        let key = ApplicationKey { app, group, user };
        let Some(member) = self.newcomer(app, &record, user).await? else {
            return self.put_application(&key, Some(before), after).await.map(|()| record);
        };
        self.add_memberships(app, group, vec![user]).await?;
        let (change, tip) = joining(record, member, "");
        let (before, after, gone) = (before.clone(), after.clone(), self.gone(after.updated));
        let further = move |batch: &mut Batch, _: &mut crate::log::Place<'_>| {
            batch.expect_unchanged(&key, Some(&before)).put_expiring(&key, &after, gone);
        };
        self.write_with(caller, change, tip, Some(Box::new(further))).await
    }

    /// The row of a user who is to join by consent; `None` for who is a member.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(GroupFull)`.
    pub(super) async fn newcomer(
        &self,
        app: AppNumber,
        group: &store::Group,
        user: UserId,
    ) -> Result<Option<store::Member>> {
        let (results, new) = self.sort_out(app, group, &[(user, String::new())]).await?;
        match results.into_iter().next() {
            Some((_, super::Added::Failed(error))) => Err(error),
            _ => Ok(new.into_iter().next()),
        }
    }

    /// When an application or invitation vanishes that changed last at this time.
    pub(super) fn gone(&self, updated: i64) -> Millis {
        Millis(updated).plus(self.limits.request_kept.max(self.limits.request_window))
    }

    /// Tells a user, in the user's notices, something about a group.
    pub(super) async fn tell(
        &self,
        caller: &Caller,
        user: UserId,
        kind: entry::tip::Kind,
        group: &store::Group,
        text: &str,
        users: Vec<u64>,
    ) -> Result<()> {
        let tip = entry::Tip { kind: kind as i32, users, text: text.to_owned(), group: group.id, data: String::new() };
        self.log.notice(caller.app_shared(), user, caller.user().unwrap_or_default(), tip).await
    }

    /// The group's owner and admins.
    async fn leaders(&self, app: AppNumber, group: &store::Group) -> Result<Vec<UserId>> {
        let owner = Some(UserId(group.owner)).filter(|owner| owner.0 != 0);
        let admins = self.marked(app, GroupId(group.id), Mark::Admin).await?;
        Ok(owner.into_iter().chain(admins.into_iter().filter(|admin| admin.0 != group.owner)).collect())
    }
}

/// One more member, and the entry that tells of it; `data` is the kind's own JSON.
pub(super) fn joining(before: store::Group, member: store::Member, data: &str) -> (Change, entry::Tip) {
    let after = store::Group { members: before.members + 1, ..before.clone() };
    let tip = entry::Tip {
        kind: entry::tip::Kind::MembersAdded as i32,
        users: vec![member.user],
        data: data.to_owned(),
        ..entry::Tip::default()
    };
    (Change { before: Some(before), after, members: vec![MemberRow::Joins(member)] }, tip)
}

/// Whether an application or invitation can still be answered.
pub(super) fn check_waits(status: RequestStatus, expires: i64, now: Millis, noun: Noun) -> Result<()> {
    if status != RequestStatus::Pending {
        return Err(Error::Denied(Denial::Answered));
    }
    if Millis(expires) <= now { Err(Error::NotFound(noun)) } else { Ok(()) }
}
