//! Who has to hear of an event.

use proto::entry::entry::Body as Said;
use proto::entry::tip::Kind;
use proto::store;
use proto::store::event::Body;
use storage::Topic;

use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::interests::Interest;

/// The topics that an event is published to; none for everybody.
///
/// `None` where it concerns nobody, because its conversation is none.
pub(super) fn of(app: AppNumber, body: &Body) -> Option<Vec<Topic>> {
    let user = |user: u64| Some(vec![Interest::User(app, UserId(user)).topic()]);
    match body {
        Body::Kick(kick) if kick.user == 0 => Some(Vec::new()),
        Body::Kick(kick) => user(kick.user),
        Body::RoomMoved(moved) => user(moved.user),
        Body::PresenceMoved(moved) => Some(vec![Interest::Presence(app, UserId(moved.user)).topic()]),
        Body::Typed(typed) => of_conversation(app, place(typed.conversation.as_ref())?),
        Body::ReadMoved(moved) => of_conversation(app, place(moved.conversation.as_ref())?),
        Body::Appended(appended) => match place(appended.conversation.as_ref())? {
            ConversationId::Group(room) if appended.room => Some(vec![Interest::Room(app, room).topic()]),
            place => {
                let mut topics = of_conversation(app, place)?;
                // Processes whose users are not members yet do not hear of the group otherwise.
                topics.extend(named(appended).iter().map(|user| Interest::User(app, UserId(*user)).topic()));
                Some(topics)
            }
        },
    }
}

/// Users who become members of a group by an entry in its log.
pub(super) fn named(appended: &store::Appended) -> &[u64] {
    let entry = appended.entry.as_ref().and_then(|entry| entry.body.as_ref());
    match entry {
        Some(Said::Tip(tip)) => match tip.kind() {
            Kind::GroupCreated | Kind::MembersAdded | Kind::OwnerChanged => &tip.users,
            _ => &[],
        },
        _ => &[],
    }
}

/// The group whose members an event is for, if it is for members of a group.
pub(super) fn group_of(body: &Body) -> Option<GroupId> {
    let conversation = match body {
        Body::Appended(appended) if !appended.room => appended.conversation.as_ref(),
        Body::Typed(typed) => typed.conversation.as_ref(),
        Body::ReadMoved(moved) => moved.conversation.as_ref(),
        _ => None,
    };
    match place(conversation) {
        Some(ConversationId::Group(group)) => Some(group),
        _ => None,
    }
}

fn of_conversation(app: AppNumber, place: ConversationId) -> Option<Vec<Topic>> {
    let interests = match place {
        ConversationId::Direct { low, high } if low == high => vec![Interest::User(app, low)],
        ConversationId::Direct { low, high } => vec![Interest::User(app, low), Interest::User(app, high)],
        ConversationId::Notices(user) => vec![Interest::User(app, user)],
        ConversationId::Group(group) => vec![Interest::Group(app, group)],
    };
    Some(interests.into_iter().map(Interest::topic).collect())
}

fn place(conversation: Option<&proto::entry::ConversationId>) -> Option<ConversationId> {
    conversation.and_then(ConversationId::from_wire)
}
