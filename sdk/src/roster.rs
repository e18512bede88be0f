//! The roster: contacts, requests and blocks.

use proto::wire::frame::Body;
use proto::wire::{
    self, AddFriendGroups, AnswerFriend, Block, DeleteFriendGroups, FriendGroupNames, ListFriendGroups,
    ListFriendRequests, ListRoster, RemoveFriend, RequestFriend, UpdateContact,
};

/// What became of a request, an application or an invitation.
pub use proto::wire::RequestStatus;

use crate::client::Client;
use crate::conversations::Mute;
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
    /// The groups of friends that they are in; all must exist.
    pub groups: Option<Vec<String>>,
    /// How much the caller wants to hear from them; it is the mute of their conversation.
    pub mute: Option<Mute>,
}

/// Somebody's request to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
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
}

impl From<wire::FriendRequestState> for ReceivedRequest {
    fn from(wire: wire::FriendRequestState) -> Self {
        let status = wire.status();
        let wire::FriendRequestState { user, reason, created, updated, expires, .. } = wire;
        Self { user: user.map(User::from).unwrap_or_default(), reason, status, created, updated, expires }
    }
}

/// A group of the caller's friends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FriendGroup {
    /// Its name, unique among the caller's.
    pub name: String,
    /// Unix milliseconds.
    pub created: i64,
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
        let ContactChange { remark, extension, groups, mute } = change;
        let groups = groups.map(|names| FriendGroupNames { names });
        let update = UpdateContact { user, remark, extension, groups, mute: mute.map(i32::from) };
        self.ask_ok(Body::UpdateContact(update)).await
    }

    /// Requests to the caller by the asker's id, answered ones among them for a while. `limit` is 1 to 200, 0 means 100.
    pub async fn friend_requests(&self, cursor: Option<&[u8]>, limit: u32) -> Result<Page<ReceivedRequest>> {
        let list = ListFriendRequests { cursor: page::cursor(cursor), limit };
        let page = answer!(self, Body::ListFriendRequests(list), FriendRequestPage);
        Ok(Page::new(page.requests.into_iter().map(ReceivedRequest::from), page.next))
    }

    /// The caller's groups of friends, by name.
    pub async fn friend_groups(&self) -> Result<Vec<FriendGroup>> {
        let list = answer!(self, Body::ListFriendGroups(ListFriendGroups {}), FriendGroupList);
        Ok(list.groups.into_iter().map(|wire::FriendGroup { name, created }| FriendGroup { name, created }).collect())
    }

    /// Makes groups of friends and puts contacts into all of them. What exists already stays; who is no contact is passed over.
    pub async fn add_friend_groups(&self, names: &[&str], users: &[u64]) -> Result<()> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.ask_ok(Body::AddFriendGroups(AddFriendGroups { names, users: users.to_vec() })).await
    }

    /// Deletes groups of friends; the friends stay.
    pub async fn delete_friend_groups(&self, names: &[&str]) -> Result<()> {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        self.ask_ok(Body::DeleteFriendGroups(DeleteFriendGroups { names })).await
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
