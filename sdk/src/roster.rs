//! The roster: contacts, requests and blocks.

use proto::wire::frame::Body;
use proto::wire::{self, AnswerFriend, Block, ListRoster, RemoveFriend, RequestFriend, UpdateContact};

use crate::client::Client;
use crate::error::Result;
use crate::page::{self, Page};
use crate::users::User;

/// What another user is to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Relation {
    /// Nothing; such a contact is on the roster because of a block or a remark.
    #[default]
    None,
    /// A friend.
    Friend,
    /// The caller asked, and waits.
    Requested,
    /// The other one asked, and the caller may answer.
    Pending,
}

/// Someone on the caller's roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub user: User,
    /// What they are to the caller.
    pub relation: Relation,
    /// The caller's own name for them.
    pub remark: String,
    /// Whether the caller blocks them.
    pub blocked: bool,
    /// Since when, in Unix milliseconds.
    pub since: i64,
    /// Why they asked; empty once that is answered.
    pub reason: String,
    /// The app's own, for the caller alone.
    pub extension: String,
    /// The caller's groups of friends that they are in.
    pub groups: Vec<String>,
}

/// What goes with a request to become a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FriendRequest {
    /// Why.
    pub reason: String,
    /// What the caller wants to call them; `None` leaves that as it is.
    pub remark: Option<String>,
    /// The answer to [`User::question`]; without one, they are asked themselves.
    pub answer: Option<String>,
}

/// Changes to what the caller notes about a contact. `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactChange {
    /// The caller's own name for them.
    pub remark: Option<String>,
    /// The app's own.
    pub extension: Option<String>,
}

impl From<wire::Contact> for Contact {
    fn from(wire: wire::Contact) -> Self {
        let relation = match wire.relation() {
            wire::Relation::None => Relation::None,
            wire::Relation::Friend => Relation::Friend,
            wire::Relation::Requested => Relation::Requested,
            wire::Relation::Pending => Relation::Pending,
        };
        let wire::Contact { user, remark, blocked, since, reason, extension, groups, .. } = wire;
        let user = user.map(User::from).unwrap_or_default();
        Self { user, relation, remark, blocked, since, reason, extension, groups }
    }
}

impl Client {
    /// The caller's contacts, requests included. `limit` is 1 to 200, 0 means 100.
    pub async fn roster(&self, cursor: Option<&[u8]>, limit: u32) -> Result<Page<Contact>> {
        let page = answer!(self, Body::ListRoster(ListRoster { cursor: page::cursor(cursor), limit }), RosterPage);
        Ok(Page::new(page.contacts.into_iter().map(Contact::from), page.next))
    }

    /// Asks another user to become a contact.
    pub async fn request_friend(&self, user: u64, request: FriendRequest) -> Result<()> {
        let FriendRequest { reason, remark, answer } = request;
        self.ask_ok(Body::RequestFriend(RequestFriend { user, reason, remark, answer })).await
    }

    /// Accepts another user's request.
    pub async fn accept_friend(&self, user: u64) -> Result<()> {
        self.ask_ok(Body::AnswerFriend(AnswerFriend { user, accept: true, reason: String::new() })).await
    }

    /// Declines another user's request, and tells why.
    pub async fn decline_friend(&self, user: u64, reason: &str) -> Result<()> {
        self.ask_ok(Body::AnswerFriend(AnswerFriend { user, accept: false, reason: reason.to_owned() })).await
    }

    /// Changes what the caller notes about a contact.
    pub async fn update_contact(&self, user: u64, change: ContactChange) -> Result<()> {
        let ContactChange { remark, extension } = change;
        self.ask_ok(Body::UpdateContact(UpdateContact { user, remark, extension })).await
    }

    /// Ends a friendship.
    pub async fn remove_friend(&self, user: u64) -> Result<()> {
        self.ask_ok(Body::RemoveFriend(RemoveFriend { user })).await
    }

    /// Blocks a user, who then cannot send to the caller, or unblocks them.
    pub async fn block(&self, user: u64, blocked: bool) -> Result<()> {
        self.ask_ok(Body::Block(Block { user, blocked })).await
    }
}
