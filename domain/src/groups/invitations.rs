//! Inviting users into a group, and answering an invitation.
//!
//! Who does not ask to be asked (`group_confirm`) is added at once. For the others an invitation lies in their own home until they answer it.

use proto::store::{Invitation, RequestStatus};
use proto::{entry, store};
use serde_json::json;
use storage::{Batch, Home, Key, Rest, Scan, Table};

use super::applications::{MOST_COUNTED, check_waits, joining};
use super::{Added, Counted, Groups, Standing};
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, GroupId, UserId};
use crate::retry::Tries;
use crate::text::check_text;
use crate::users::UserKey;
use crate::{page, tables};

/// An invitation into a group.
///
/// home: the user who is invited.  rest: group id as u64, then the inviter's as u64.  value: `store.Invitation`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InvitationKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
    pub(crate) group: GroupId,
    pub(crate) inviter: UserId,
}

impl Key for InvitationKey {
    const TABLE: Table = tables::INVITATION;
    type Record = Invitation;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, out: &mut Rest) {
        out.u64(self.group.0).u64(self.inviter.0);
    }
}

/// What became of one user who was invited.
#[derive(Debug, Clone)]
pub enum Invited {
    /// Is a member now, for this user need not be asked.
    Added,
    /// Has been asked.
    Waits,
    /// Was a member before.
    Already,
    /// Could not be invited.
    Failed(Error),
}

impl Groups {
    /// Invites users, as far as the caller may add members. One result per user, in order. Inviting again while that waits renews it.
    ///
    /// Users who need not be asked are added first, as by [`Self::add_members`]; then each invitation is a commit of its own, and a notice.
    /// A crash in between leaves some uninvited; inviting them again changes nothing for the others.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`; `Invalid`.
    pub async fn invite(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[UserId],
        reason: &str,
    ) -> Result<Vec<(UserId, Invited)>> {
        check_text("reason", reason, self.limits.text)?;
        self.check_batch(users.len())?;
        let record = self.record(caller.app(), group).await?;
        self.require_may_invite(self.standing(caller, &record).await?, &record)?;
        let asked = self.who_is_asked(caller.app(), users).await?;
        let at_once: Vec<_> =
            users.iter().zip(&asked).filter(|(_, asked)| !**asked).map(|(user, _)| (*user, String::new())).collect();
        let mut added = self.add_members(caller, group, &at_once).await?.into_iter();
        let mut results = Vec::with_capacity(users.len());
        for (user, asked) in users.iter().zip(asked) {
            let result = if asked {
                self.invite_one(caller, &record, *user, reason).await?
            } else {
                match added.next() {
                    Some((_, Added::Yes)) => Invited::Added,
                    Some((_, Added::Failed(error))) => Invited::Failed(error),
                    Some((_, Added::Already)) | None => Invited::Already,
                }
            };
            results.push((*user, result));
        }
        Ok(results)
    }

    /// Answers an invitation of the caller's; without an inviter, whichever waits for that group. Accepting one settles all into that group.
    ///
    /// Accepting makes the caller a member first, and settles the invitations then. After a crash in between, the caller is a member,
    /// and accepting once more settles them.
    ///
    /// # Errors
    /// `NotFound(Invitation)`, also for one that was not answered in time or whose inviter may not invite any more; `Denied(Answered)`;
    /// `NotFound(Group)`, `Denied(GroupFull)`.
    pub async fn answer_invitation(
        &self,
        caller: &Caller,
        group: GroupId,
        inviter: Option<UserId>,
        accept: bool,
    ) -> Result<()> {
        let (app, user) = (caller.app(), caller.user()?);
        let mut tries = Tries::default();
        let (invitation, record) = loop {
            let all = self.invitations_into(app, user, group).await?;
            let meant = all.iter().filter(|one| inviter.is_none_or(|inviter| one.inviter == inviter.0));
            // One that waits, rather than one that was answered.
            let meant = meant.min_by_key(|one| one.status).ok_or(Error::NotFound(Noun::Invitation))?.clone();
            check_waits(meant.status(), meant.expires, self.clock.now(), Noun::Invitation)?;
            let record = self.record(app, group).await?;
            let settled: Vec<&Invitation> = if accept {
                self.admit_invited(caller, &record, &meant).await?;
                all.iter().filter(|one| one.status() == RequestStatus::Pending).collect()
            } else {
                vec![&meant]
            };
            if tries.settled(self.settle(app, &settled, accept).await).await? {
                break (meant, record);
            }
        };
        if invitation.inviter == 0 {
            return Ok(());
        }
        let kind = if accept { entry::tip::Kind::InvitationAccepted } else { entry::tip::Kind::InvitationDeclined };
        self.tell(caller, UserId(invitation.inviter), kind, &record, "", vec![user.0]).await
    }

    /// Invitations of the caller, by group and inviter, answered ones among them.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is none.
    pub async fn invitations(
        &self,
        caller: &Caller,
        cursor: Option<&[u8]>,
        limit: usize,
    ) -> Result<Counted<Invitation>> {
        let home = tables::user(caller.app(), caller.user()?);
        let limit = limit.clamp(1, self.limits.page);
        let (group, inviter) = page::after_pair(cursor)?;
        let scan = Scan::<InvitationKey>::new(home.clone(), limit + 1).from(|rest| {
            rest.u64(group).u64(inviter);
        });
        let items = self.store.scan(scan).await?.into_iter().map(|row| row.record).collect();
        let page = page::cut_by_pair(items, limit, |one: &Invitation| (one.group, one.inviter));
        let total = self.store.scan(Scan::<InvitationKey>::new(home, MOST_COUNTED)).await?.len();
        Ok(Counted { page, total })
    }

    /// # Errors
    /// `Denied(NotAdmin)` for plain members, where they may not invite.
    pub(super) fn require_may_invite(&self, standing: Standing, group: &store::Group) -> Result<()> {
        if group.members_may_invite { Ok(()) } else { standing.require_admin() }
    }

    /// Whether whoever once invited somebody into a group still may.
    pub(super) async fn still_invites(
        &self,
        app: AppNumber,
        group: &store::Group,
        inviter: UserId,
        by_app: bool,
    ) -> Result<bool> {
        if by_app || group.owner == inviter.0 {
            return Ok(true);
        }
        let Some(member) = self.member_row(app, GroupId(group.id), inviter).await? else { return Ok(false) };
        Ok(self.require_may_invite(Standing::Role(super::role_in(group, &member)), group).is_ok())
    }

    /// Makes a user a member by somebody's invitation; one who is a member already stays one.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(GroupFull)`.
    pub(super) async fn admit_by(&self, caller: &Caller, group: GroupId, user: UserId, inviter: UserId) -> Result<()> {
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let Some(member) = self.newcomer(caller.app(), &before, user).await? else { return Ok(()) };
            self.add_memberships(caller.app(), group, vec![user]).await?;
            let (change, tip) = joining(before, member, &json!({ "inviter": inviter.0 }).to_string());
            if self.settled(self.write(caller, change, tip).await, &mut tries).await? {
                return Ok(());
            }
        }
    }

    async fn admit_invited(&self, caller: &Caller, group: &store::Group, invitation: &Invitation) -> Result<()> {
        let inviter = UserId(invitation.inviter);
        if !self.still_invites(caller.app(), group, inviter, invitation.by_app).await? {
            return Err(Error::NotFound(Noun::Invitation));
        }
        self.admit_by(caller, GroupId(group.id), caller.user()?, inviter).await
    }

    /// Who of these users wants to be asked; `false` for who does not exist.
    async fn who_is_asked(&self, app: AppNumber, users: &[UserId]) -> Result<Vec<bool>> {
        let keys: Vec<_> = users.iter().map(|user| UserKey { app, user: *user }).collect();
        let users = self.store.get_many(&keys).await?;
        Ok(users
            .into_iter()
            .map(|user| user.and_then(|user| user.settings).is_some_and(|one| one.group_confirm))
            .collect())
    }

    async fn invite_one(&self, caller: &Caller, group: &store::Group, user: UserId, reason: &str) -> Result<Invited> {
        let (app, inviter) = (caller.app(), caller.user().unwrap_or_default());
        if self.member_row(app, GroupId(group.id), user).await?.is_some() {
            return Ok(Invited::Already);
        }
        if !self.barred_among(app, group, &[user]).await?.is_empty() {
            return Ok(Invited::Failed(Error::Denied(Denial::Barred)));
        }
        let key = InvitationKey { app, user, group: GroupId(group.id), inviter };
        let now = self.clock.now();
        let invitation = Invitation {
            group: group.id,
            inviter: inviter.0,
            user: user.0,
            reason: reason.to_owned(),
            created: now.0,
            updated: now.0,
            expires: now.plus(self.limits.request_window).0,
            by_app: caller.is_privileged(),
            ..Invitation::default()
        };
        let mut batch = Batch::new(key.home());
        batch.put_expiring(&key, &invitation, self.gone(now.0));
        self.store.commit(batch).await?;
        self.tell(caller, user, entry::tip::Kind::GroupInvited, group, reason, vec![user.0]).await?;
        Ok(Invited::Waits)
    }

    async fn invitations_into(&self, app: AppNumber, user: UserId, group: GroupId) -> Result<Vec<Invitation>> {
        let scan = Scan::<InvitationKey>::new(tables::user(app, user), MOST_COUNTED)
            .from(|rest| {
                rest.u64(group.0);
            })
            .to(|rest| {
                rest.u64(group.0 + 1);
            });
        Ok(self.store.scan(scan).await?.into_iter().map(|row| row.record).collect())
    }

    async fn settle(&self, app: AppNumber, invitations: &[&Invitation], accept: bool) -> storage::Result<()> {
        let status = if accept { RequestStatus::Accepted } else { RequestStatus::Declined };
        let updated = self.clock.now().0;
        let Some(first) = invitations.first() else { return Ok(()) };
        let mut batch = Batch::new(tables::user(app, UserId(first.user)));
        for before in invitations {
            let (group, inviter) = (GroupId(before.group), UserId(before.inviter));
            let key = InvitationKey { app, user: UserId(before.user), group, inviter };
            let after = Invitation { status: status as i32, updated, ..(*before).clone() };
            batch.expect_unchanged(&key, Some(before)).put_expiring(&key, &after, self.gone(updated));
        }
        self.store.commit(batch).await
    }
}
