//! openim's table: the endpoints of its document that exist so far.

use super::{Access, OpenIm, Refusal, Shape, friends, groups, managed, members, messages, tokens, users};
use crate::route::{POST, Route, on};

/// `/manager/send_msg` refuses in its own words.
const SEND: Access = Access::Admin { bad_token: Refusal::SEND_TOKEN, not_admin: Refusal::SEND_NOT_ADMIN };

/// Paths about users refuse in theirs.
const MANAGE: Access = Access::Admin { bad_token: Refusal::HANDLE_TOKEN, not_admin: Refusal::NOT_AUTHORIZED };

/// `/friend/import_friend` refuses in its own words.
const IMPORT: Access = Access::Admin { bad_token: Refusal::IMPORT_TOKEN, not_admin: Refusal::IMPORT_NOT_ADMIN };

/// Every route that is served. Browsers of any origin may call them all.
#[must_use]
pub fn routes() -> Vec<Route<OpenIm>> {
    vec![
        on(POST, "/auth/user_register", users::register).access(Access::Secret(users::secret)).says(
            "Registers a user and issues a token",
            "Takes the app's secret. A uid that exists already is answered with HTTP 500, as the original does. \
             `name` may be empty but must be there. The token is good for `rest.openim_token_lifetime`.",
        ),
        on(POST, "/auth/user_token", tokens::issue).access(Access::Secret(tokens::secret)).says(
            "Issues a token",
            "Takes the app's secret. Earlier tokens stay good. Platform 8 is any. An unknown uid is answered with HTTP 500, \
             as the original does.",
        ),
        on(POST, "/group/create_group", groups::create).says(
            "Creates a group",
            "An administrator names the owner with `setRole` 1 and is not added; anyone else becomes the owner. Unknown \
             members are skipped. `groupID` is 32 hex digits.",
        ),
        on(POST, "/group/invite_user_to_group", members::invite).shape(Shape::Okay).says(
            "Adds users to a group",
            "Without asking them. For administrators and members; others are refused (800), as for a group that does not exist. \
             `result` is -1 for a uid that nobody has, and for who is in the group already.",
        ),
        on(POST, "/group/kick_group", members::kick).says(
            "Removes members",
            "For administrators, the owner, and admins over plain members; others are refused (800), as for a group that does not \
             exist. `result` is -1 for who cannot be removed, oneself among them.",
        ),
        on(POST, "/friend/import_friend", friends::import).access(IMPORT).shape(Shape::Flat).says(
            "Makes users friends",
            "Nobody is asked. Takes `uidList`, as clients send it, or the document's `uid`. Who is a friend already stays one. Users \
             who do not exist are in `failedUidList` of error 408; the others are friends then.",
        ),
        on(POST, "/friend/add_blacklist", friends::block).shape(Shape::Flat).says(
            "Blocks a user",
            "For `ownerUid`, where an administrator asks; anyone else blocks for themselves. Who is blocked already is error 100.",
        ),
        on(POST, "/user/update_user_info", users::update)
            .access(Access::Token(Refusal::HANDLE_TOKEN))
            .shape(Shape::Flat)
            .says(
                "Changes a user",
                "An administrator changes `uid`, anyone else themselves. Empty texts and a `gender` of 0 change nothing.",
            ),
        on(POST, "/manager/delete_user", managed::delete).access(MANAGE).shape(Shape::Flat).says(
            "Deletes users",
            "For good; what they said stays. Whoever does not exist counts as deleted. `failedUidList` is null: a user who              cannot be deleted fails the call, which may be made again.",
        ),
        on(POST, "/manager/get_all_users_uid", managed::list).access(MANAGE).shape(Shape::Flat).says(
            "Lists the uids of all users",
            "At most `openim_max_uids`; where there are more, the call is refused.",
        ),
        on(POST, "/manager/account_check", managed::check).access(MANAGE).shape(Shape::Flat).says(
            "Tells which uids are registered",
            "Beside the document; its clients call it. `result` has one row for each.",
        ),
        on(POST, "/manager/get_users_online_status", managed::online).access(MANAGE).shape(Shape::Flat).says(
            "Tells who is connected",
            "Beside the document; its clients call it. Unknown users are offline.",
        ),
        on(POST, "/user/get_user_info", users::find).says(
            "Finds users",
            "Takes any user's token of the app. Unknown users are left out.",
        ),
        on(POST, "/manager/send_msg", messages::send).access(SEND).shape(Shape::Flat).says(
            "Sends a message in a user's name",
            "`content` by `contentType`: 101 text, 102 picture, 103 sound, 104 video, 105 file, 106 text with `atUserList`, \
             107 merged `multiMessage`, 108 card, 109 location, 110 custom, 114 text that answers another message; it may also be \
             a string that holds the object. 111 withdraws the sender's messages and 112 marks the receiver's as read, in 1:1 \
             conversations, by the `msgID` that sending them answered: as a string, a list, or `clientMsgID` or \
             `clientMsgIDList` of an object. `sendTime` is in nanoseconds, `msgID` 32 hex digits. `forceList` mentions \
             members. Each call is a new message.",
        ),
    ]
    .into_iter()
    .map(Route::cors)
    .collect()
}
