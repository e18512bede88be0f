//! gobelieve's table: the endpoints of its document that exist so far.

use super::{Access, Gobelieve, Shape, groups, messages, tokens};
use crate::route::{GET, POST, Route, on};

/// Every route that is served.
#[must_use]
pub fn routes() -> Vec<Route<Gobelieve>> {
    vec![
        on(POST, "/auth/grant", tokens::grant).says(
            "Gives a user's token",
            "Creates the user if there is none, and takes over `user_name` if it is not empty. A user's token is always the \
             same and never expires.",
        ),
        on(POST, "/groups", groups::create).says(
            "Creates a group",
            "Members are integers or objects. The master owns the group but is a member only if listed. Users who do not \
             exist yet are created.",
        ),
        on(POST, "/groups/{gid}/members", groups::add_members).shape(Shape::Success).says(
            "Adds members",
            "Takes `{members, inviter}`, a list of members, or one member. Adding a member again is fine; adding nobody is \
             answered with an empty body. Users who do not exist yet are created.",
        ),
        on(POST, "/messages/peers", messages::to_peer).shape(Shape::Empty).says(
            "Sends a message to a user",
            "`content` is kept as it is. Where it is JSON as the original's clients write it, the other dialects see its \
             kind too. Each call is a new message. Users who do not exist yet are created.",
        ),
        on(POST, "/messages/groups", messages::to_group).shape(Shape::Empty).says(
            "Sends a message to a group",
            "The sender must be a member. Each call is a new message.",
        ),
        on(GET, "/messages", messages::list).access(Access::Client).cors().says(
            "Newest messages of the caller",
            "At most 1024, oldest first. `timestamp` is in seconds; `command` is 4 for messages between users, 8 in groups, \
             21 for notices. With `store`, only messages of that customer-service store, of which there are none yet.",
        ),
    ]
}
