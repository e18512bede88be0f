//! Contacts: asking, answering, and the caller's own order among them.

use domain::UserId;
use domain::roster::{Ask, ContactChange};
use proto::wire;
use wire::frame::Body;

use super::{MOST_MEMBERS, MOST_NAMES, MOST_ROWS, PageOf, at_most, mute, no_request, page, user, users};

/// A request about the caller's roster.
#[derive(Debug, Clone)]
pub enum RosterRequest {
    List(PageOf),
    Ask { user: UserId, ask: Box<Ask> },
    Accept(UserId),
    Decline { user: UserId, reason: String },
    Requests(PageOf),
    Update { user: UserId, change: Box<ContactChange> },
    Remove(UserId),
    Block { user: UserId, blocked: bool },
    Groups,
    AddGroups { names: Vec<String>, users: Vec<UserId> },
    DeleteGroups(Vec<String>),
}

impl RosterRequest {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "list_roster",
            Self::Ask { .. } => "request_friend",
            Self::Accept(_) => "accept_friend",
            Self::Decline { .. } => "decline_friend",
            Self::Requests(_) => "list_friend_requests",
            Self::Update { .. } => "update_contact",
            Self::Remove(_) => "remove_friend",
            Self::Block { .. } => "block",
            Self::Groups => "list_friend_groups",
            Self::AddGroups { .. } => "add_friend_groups",
            Self::DeleteGroups(_) => "delete_friend_groups",
        }
    }

    pub(super) fn asks_for_a_page(&self) -> bool {
        matches!(self, Self::List(_) | Self::Requests(_) | Self::Groups)
    }

    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::ListRoster(list) => Self::List(page(list.cursor, list.limit, MOST_ROWS)),
            Body::RequestFriend(request) => {
                let wire::RequestFriend { user: of, reason, remark, answer } = request;
                Self::Ask { user: user(of)?, ask: Box::new(Ask { reason, remark, answer }) }
            }
            Body::AnswerFriend(answer) if answer.accept => Self::Accept(user(answer.user)?),
            Body::AnswerFriend(answer) => Self::Decline { user: user(answer.user)?, reason: answer.reason },
            Body::ListFriendRequests(list) => Self::Requests(page(list.cursor, list.limit, MOST_ROWS)),
            Body::UpdateContact(update) => {
                let wire::UpdateContact { user: of, remark, extension, groups, mute: muted } = update;
                let groups = groups.map(|groups| at_most("groups", groups.names, MOST_NAMES)).transpose()?;
                let change = ContactChange { remark, extension, groups, mute: muted.map(mute).transpose()? };
                Self::Update { user: user(of)?, change: Box::new(change) }
            }
            Body::RemoveFriend(remove) => Self::Remove(user(remove.user)?),
            Body::Block(block) => Self::Block { user: user(block.user)?, blocked: block.blocked },
            Body::ListFriendGroups(_) => Self::Groups,
            Body::AddFriendGroups(add) => Self::AddGroups {
                names: at_most("names", add.names, MOST_NAMES)?,
                users: users(&add.users, MOST_MEMBERS)?,
            },
            Body::DeleteFriendGroups(delete) => Self::DeleteGroups(at_most("names", delete.names, MOST_NAMES)?),
            _ => return Err(no_request()),
        })
    }
}
