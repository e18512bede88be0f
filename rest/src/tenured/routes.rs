//! tenured's table: its document, and what that names in a comment only.

use super::{Access, Shape, Tenured, accounts, friends, group_messages, groups, messages, profiles, rules, tokens};
use crate::route::{POST, Route, on};

/// Every route that is served.
#[must_use]
pub fn routes() -> Vec<Route<Tenured>> {
    let mut all = vec![
        on(POST, "/v1/build_token", tokens::build)
            .access(Access::Private)
            .shape(Shape::Text)
            .says("Issues a sign", "From `appId` and `private` in the body, JSON or form. `data` is a string that holds JSON."),
        on(POST, "/v1/build_account", accounts::build).says(
            "Creates one account",
            "`appId` and `sign` in the query, the headers or the body. Creating the same account again changes nothing; \
             the same `userId` with other values is an error.",
        ),
        on(POST, "/v1/batch_build_account", accounts::build_batch).says(
            "Creates accounts in bulk",
            "A list of accounts, or an object with the list as `accounts`. All rows are checked before any account is \
             created; the message names the first bad row. Sending the batch again completes one that was cut short.",
        ),
        on(POST, "/v1/get_profile", profiles::get)
            .shape(Shape::Text)
            .says("Tells users' profiles", "Ours; the document only names it. Unknown users are left out."),
        on(POST, "/v1/set_profile", profiles::set)
            .says("Changes a user's profile", "Ours; the document only names it. What is left out stays as it is."),
        on(POST, "/v1/get_online_status", profiles::online).shape(Shape::Text).says(
            "Tells who is connected",
            "Ours; the document only names it. An unknown user is error 3002.",
        ),
        on(POST, "/v1/add_friend", friends::add).shape(Shape::Text).says("Asks users to become friends", ADD_FRIEND),
        on(POST, "/v1/get_friend", friends::get)
            .shape(Shape::Text)
            .says("Tells about friends", "Ours; the document only names it. Who is no friend is left out."),
        on(POST, "/v1/get_all_friend", friends::get_all)
            .shape(Shape::Text)
            .says("Lists friends", "Ours; the document only names it. By id; at most `roster_page` on a page."),
        on(POST, "/v1/import_friend", friends::import).shape(Shape::Text).says(
            "Makes users friends",
            "Ours; the document only names it. Nobody is asked. `results` tells what became of each.",
        ),
        on(POST, "/v1/update_friend", friends::update).shape(Shape::Text).says(
            "Notes something about friends",
            "Ours; the document only names it. What is left out stays as it is. `results` tells what became of each.",
        ),
        on(POST, "/v1/delete_friend", friends::delete).shape(Shape::Text).says(
            "Ends friendships",
            "Ours; the document only names it. On both sides. `results` tells what became of each.",
        ),
        on(POST, "/v1/delete_all_friend", friends::delete_all)
            .shape(Shape::Text)
            .says("Ends all friendships of a user", "Ours; the document only names it. On both sides."),
        on(POST, "/v1/add_blacklist", friends::block).shape(Shape::Text).says(
            "Blocks users",
            "Ours; the document only names it. Friendships stay what they are. `results` tells what became of each.",
        ),
        on(POST, "/v1/delete_blacklist", friends::unblock).shape(Shape::Text).says(
            "Unblocks users",
            "Ours; the document only names it. `results` tells what became of each.",
        ),
        on(POST, "/v1/get_blacklist", friends::blacklist)
            .shape(Shape::Text)
            .says("Lists who is blocked", "Ours; the document only names it. By id; at most `roster_page` on a page."),
        on(POST, "/v1/add_friend_group", friends::add_groups).says(
            "Makes groups of friends",
            "Ours; the document only names it. `friendIds` are put into all of them; who is no contact is left out.",
        ),
        on(POST, "/v1/delete_friend_group", friends::delete_groups)
            .says("Deletes groups of friends", "Ours; the document only names it. The friends stay."),
        on(POST, "/v1/send_message", messages::send).shape(Shape::Text).says("Sends a message between users", SEND),
        on(POST, "/v1/batch_send_message", messages::send_batch).shape(Shape::Text).says(
            "Sends a message to many users",
            "Ours; the document only names it. Each receiver gets the message alone. `results` tells what became of each; the call \
             is a success if the request itself is in order.",
        ),
        on(POST, "/v1/import_message", messages::import).shape(Shape::Text).says("Brings in old messages", IMPORT),
        on(POST, "/v1/send_group_message", group_messages::send)
            .shape(Shape::Text)
            .says("Sends a message in a group", "Ours; the document only names it. As `/v1/send_message`; the sender must be a member."),
        on(POST, "/v1/send_group_system_message", group_messages::notify).shape(Shape::Text).says(
            "Sends a notice in a group",
            "Ours; the document only names it. The app itself says it, though the group be muted.",
        ),
        on(POST, "/v1/recall_group_message", group_messages::recall)
            .says("Withdraws a message in a group", "Ours; the document only names it. Whoever sent it, and whenever."),
        on(POST, "/v1/delete_group_user_message", group_messages::sweep).shape(Shape::Text).says(
            "Withdraws what a user said in a group",
            "Ours; the document only names it. The newest first; one call looks through `sweep_limit` entries, and `next` is the \
             `from` of the call that goes on. The messages keep their places, empty.",
        ),
        on(POST, "/v1/set_group_unread", group_messages::set_unread).says(
            "Sets how much a member has not read",
            "Ours; the document only names it. Later messages add to that, and reading on ends it. Not more than there are \
             messages by others, and not more than `unread_cap`.",
        ),
    ];
    all.extend(groups::routes());
    all.extend(rules::routes());
    all
}

const ADD_FRIEND: &str = "Ours; the document only names it. Each user's own way to be asked decides: some become friends at once, some are \
    asked, some refuse. `results` tells what became of each; the call is a success if the request itself is in order.";

const SEND: &str = "Ours; the document only names it. A `content` has one key: `text`, `image`, `voice`, `video`, `file`, `location`, `face`, \
    `custom`, `command` or `forward`. With a `msgId`, sending the same message again changes nothing. `data` is a string that holds JSON.";

const IMPORT: &str = "Ours; the document only names it. At most 500, each with a `msgId`, so that the same request sent again brings \
    nothing in twice. They come behind what is in a conversation already, by their times, keep those times, and never count as unread. \
    A row that names nobody or no time is found before any is brought in, and the message names it.";
