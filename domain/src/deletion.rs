//! Deleting a user: the one change that concerns several nouns, and so belongs to none of them.

use proto::store;

use crate::Domain;
use crate::caller::{Caller, Subject};
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{GroupId, UserId};
use crate::roster::Which;
use crate::users::require_self_or_privileged;

/// Groups, members and contacts that are read at a time.
const AT_ONCE: usize = 200;

impl Domain {
    /// Deletes a user for good: oneself, or anyone for a privileged caller. What the user said stays, and the id is never given again;
    /// the uid and the login name are free for somebody else.
    ///
    /// Step by step: the user is locked out; leaves every group, of which those owned go to the admin or member who joined first, or end
    /// where nobody else is in them; parts with every friend; and then the record goes. A crash in between leaves a user who is locked out,
    /// and deleting again completes it.
    ///
    /// # Errors
    /// `NotFound(User)`, `Denied(Credential)`.
    pub async fn delete_user(&self, caller: &Caller, user: UserId) -> Result<()> {
        require_self_or_privileged(caller, user)?;
        self.users.lock_out(caller.app(), user).await?;
        let subject = Subject::User { id: user, admin: false, platform: 0, acted_for: true };
        let leaver = Caller::new(caller.app_shared().clone(), subject);
        self.leave_groups(&leaver, user).await?;
        self.part_with_friends(&leaver).await?;
        self.users.retire(caller.app(), user).await
    }

    async fn leave_groups(&self, leaver: &Caller, user: UserId) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.groups.list(leaver, cursor.as_deref(), AT_ONCE).await?;
            for group in page.items {
                match self.leave_group(leaver, user, &group).await {
                    // Somebody else was faster.
                    Ok(()) | Err(Error::NotFound(Noun::Group) | Error::Denied(Denial::NotMember)) => {}
                    Err(other) => return Err(other),
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn leave_group(&self, leaver: &Caller, user: UserId, group: &store::Group) -> Result<()> {
        let id = GroupId(group.id);
        if group.owner == user.0 {
            let Some(heir) = self.heir(leaver, id, user).await? else { return self.groups.dismiss(leaver, id).await };
            self.groups.transfer(leaver, id, heir).await?;
        }
        self.groups.leave(leaver, id).await
    }

    /// Who gets a group: the admin who joined first, or else the member who did.
    async fn heir(&self, leaver: &Caller, group: GroupId, owner: UserId) -> Result<Option<UserId>> {
        let mut best: Option<store::Member> = None;
        let mut cursor = None;
        loop {
            let page = self.groups.members(leaver, group, cursor.as_deref(), AT_ONCE).await?;
            let rank = |member: &store::Member| (member.role() != store::Role::Admin, member.joined, member.user);
            let others = page.items.into_iter().filter(|member| member.user != owner.0);
            best = others.chain(best.take()).min_by_key(rank);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(best.map(|member| UserId(member.user)));
            }
        }
    }

    async fn part_with_friends(&self, leaver: &Caller) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.roster.list(leaver, Which::All, cursor.as_deref(), AT_ONCE).await?;
            for contact in page.items.iter().filter(|contact| contact.relation() != store::Relation::None) {
                match self.roster.remove(leaver, UserId(contact.user)).await {
                    Ok(()) | Err(Error::NotFound(Noun::Contact)) => {}
                    Err(other) => return Err(other),
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}
