//! Coming into groups: asking, inviting, codes; and answering.

use proto::wire::frame::Body;
use proto::wire::{
    self, AnswerApplication, AnswerInvitation, ApplyToGroup, GetJoinCode, InviteToGroup, JoinByCode, ListApplications,
    ListInvitations, applied, invited,
};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::groups::Group;
use crate::page::{self, Page};
use crate::roster::RequestStatus;
use crate::users::User;

/// What became of asking to join a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// The group is open: the caller is a member now.
    Joined,
    /// The caller was a member before.
    Already,
    /// Its owner and admins have been asked; a notice tells what they say.
    Waits,
}

/// Somebody's wish to join a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Which group, by id.
    pub group: u64,
    /// Who asks.
    pub user: User,
    /// Why.
    pub reason: String,
    /// What became of it.
    pub status: RequestStatus,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds of the last change.
    pub updated: i64,
    /// Unix milliseconds; from then on it cannot be answered.
    pub expires: i64,
    /// Who answered, by user id; 0 for the app itself, and while it waits.
    pub handler: u64,
    /// What was said with the answer.
    pub answer: String,
}

impl From<wire::Application> for Application {
    fn from(wire: wire::Application) -> Self {
        Self {
            status: wire.status(),
            group: wire.group,
            user: wire.user.map(User::from).unwrap_or_default(),
            reason: wire.reason,
            created: wire.created,
            updated: wire.updated,
            expires: wire.expires,
            handler: wire.handler,
            answer: wire.answer,
        }
    }
}

/// An invitation of the caller into a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which group, by id.
    pub group: u64,
    /// Who invites; `None` for the app itself.
    pub inviter: Option<User>,
    /// Why.
    pub reason: String,
    /// What became of it.
    pub status: RequestStatus,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds of the last change.
    pub updated: i64,
    /// Unix milliseconds; from then on it cannot be answered.
    pub expires: i64,
}

impl From<wire::Invitation> for Invitation {
    fn from(wire: wire::Invitation) -> Self {
        Self {
            status: wire.status(),
            group: wire.group,
            inviter: wire.inviter.map(User::from),
            reason: wire.reason,
            created: wire.created,
            updated: wire.updated,
            expires: wire.expires,
        }
    }
}

/// What became of one user who was invited.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invited {
    /// Is a member now, for this user need not be asked.
    Added,
    /// Has been asked; a notice tells what the user says.
    Waits,
    /// Was a member before.
    Already,
    /// Could not be invited.
    Failed(Error),
}

impl From<wire::Invited> for Invited {
    fn from(wire: wire::Invited) -> Self {
        match wire.outcome() {
            invited::Outcome::Added => Self::Added,
            invited::Outcome::Waits => Self::Waits,
            invited::Outcome::Already => Self::Already,
            invited::Outcome::Failed | invited::Outcome::Unknown => Self::Failed(wire.error.unwrap_or_default().into()),
        }
    }
}

/// A text that lets whoever has it join a group: to be shown as a QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCode {
    /// Letters and digits, opaque.
    pub text: String,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds; it does not work from then on.
    pub expires: i64,
}

impl Client {
    /// Asks to join a group, and tells why. Asking again while that waits renews it.
    pub async fn apply_to_group(&self, group: u64, reason: &str) -> Result<Applied> {
        let apply = ApplyToGroup { id: group, gid: String::new(), reason: reason.to_owned() };
        match answer!(self, Body::ApplyToGroup(apply), Applied).outcome() {
            applied::Outcome::Joined => Ok(Applied::Joined),
            applied::Outcome::Already => Ok(Applied::Already),
            applied::Outcome::Waits => Ok(Applied::Waits),
            applied::Outcome::Unknown => Err(Error::Protocol("an outcome that this version does not know".to_owned())),
        }
    }

    /// Applications to groups that the caller leads, by group and user, answered ones among them for a while. At most 500 groups at once;
    /// `limit` is 1 to 200, 0 means 100.
    pub async fn applications(&self, groups: &[u64], cursor: Option<&[u8]>, limit: u32) -> Result<Page<Application>> {
        let list = ListApplications { groups: groups.to_vec(), cursor: page::cursor(cursor), limit };
        let page = answer!(self, Body::ListApplications(list), ApplicationPage);
        Ok(Page::new(page.applications.into_iter().map(Application::from), page.next))
    }

    /// Takes a user who asked into a group that the caller leads.
    pub async fn accept_application(&self, group: u64, user: u64, answer: &str) -> Result<()> {
        self.answer_application(group, user, true, answer).await
    }

    /// Declines a user's application to a group that the caller leads, and tells why.
    pub async fn decline_application(&self, group: u64, user: u64, answer: &str) -> Result<()> {
        self.answer_application(group, user, false, answer).await
    }

    async fn answer_application(&self, group: u64, user: u64, accept: bool, answer: &str) -> Result<()> {
        let answer = AnswerApplication { group, user, accept, answer: answer.to_owned() };
        self.ask_ok(Body::AnswerApplication(answer)).await
    }

    /// Invites users into a group, at most 500 at once. Who does not want to be asked is a member at once.
    /// One result per user, in order.
    pub async fn invite_to_group(&self, group: u64, users: &[u64], reason: &str) -> Result<Vec<(u64, Invited)>> {
        let invite = InviteToGroup { id: group, users: users.to_vec(), reason: reason.to_owned() };
        let list = answer!(self, Body::InviteToGroup(invite), InvitedList);
        Ok(list.invited.into_iter().map(|one| (one.user, one.into())).collect())
    }

    /// Invitations of the caller, by group and inviter, answered ones among them for a while. `limit` is 1 to 200, 0 means 100.
    pub async fn invitations(&self, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Invitation>> {
        let list = ListInvitations { cursor: page::cursor(cursor), limit };
        let page = answer!(self, Body::ListInvitations(list), InvitationPage);
        Ok(Page::new(page.invitations.into_iter().map(Invitation::from), page.next))
    }

    /// Accepts an invitation; without an inviter, whichever waits for that group.
    pub async fn accept_invitation(&self, group: u64, inviter: Option<u64>) -> Result<()> {
        self.answer_invitation(group, inviter, true).await
    }

    /// Declines an invitation; without an inviter, whichever waits for that group.
    pub async fn decline_invitation(&self, group: u64, inviter: Option<u64>) -> Result<()> {
        self.answer_invitation(group, inviter, false).await
    }

    async fn answer_invitation(&self, group: u64, inviter: Option<u64>, accept: bool) -> Result<()> {
        let answer = AnswerInvitation { group, inviter: inviter.unwrap_or_default(), accept };
        self.ask_ok(Body::AnswerInvitation(answer)).await
    }

    /// A code that lets whoever has it join, as the caller's guest.
    pub async fn join_code(&self, group: u64) -> Result<JoinCode> {
        let wire::JoinCode { text, created, expires } =
            answer!(self, Body::GetJoinCode(GetJoinCode { id: group }), JoinCode);
        Ok(JoinCode { text, created, expires })
    }

    /// Joins the group that a code is for, whatever its join policy.
    pub async fn join_by_code(&self, code: &str) -> Result<Group> {
        Ok(answer!(self, Body::JoinByCode(JoinByCode { text: code.to_owned() }), Group).into())
    }
}
