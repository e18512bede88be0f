//! The dialect's table.

use super::{Tim, groups, messages, users};
use crate::route::{POST, Route, on, public};

/// Every endpoint, in the order of the document.
pub(crate) fn routes() -> Vec<Route<Tim>> {
    vec![
        public(POST, "/login", users::login).says(
            "Logs in",
            "The token is good for `tim_token_lifetime`. Wrong names and wrong passwords are answered alike.",
        ),
        public(POST, "/register", users::register)
            .says("Makes a user and logs in", "The username becomes the userID. It must not be all digits."),
        on(POST, "/message/createMessage", messages::create).says("Makes a message, to be sent later", CREATE),
        on(POST, "/message/sendMessage", messages::send).says("Sends a message", SEND),
        on(POST, "/message/getMessageList", messages::list).says(
            "Reads the newest messages of a conversation",
            "The oldest comes first. At most 15; for those before, give `nextReqMessageID`.",
        ),
        on(POST, "/group/createGroup", groups::create)
            .says("Makes a group", "The caller owns it. Somebody in `memberList` who does not exist is an error."),
        on(POST, "/group/addGroupMember", groups::add_members).says("Adds members without asking them", ADD),
        on(POST, "/group_member/addGroupMember", groups::add_members).says("Adds members without asking them", ADD),
    ]
}

const CREATE: &str = "One path for all kinds. The payload tells which: `text` (and `atUserList`) makes a text, `file` an image, audio, video or \
    file by the request's `type`, the file's MIME type (its `type`) or its name's ending, `data` and `index` a face, `data`, `description` and \
    `extension` a custom message, and `message` passes a message on. A `file` is an object with `url`, `name`, `size`, `type` (MIME), `uuid`, \
    `width`, `height`, `second`, `thumbUrl`, `thumbSize`, `thumbWidth`, `thumbHeight`, all optional but for one of `url`, `name`, `uuid`. \
    The answer's `status` is `unSend`. It is kept for a while (`prepared_window`), so that `sendMessage` takes its `ID` too. \
    Whether the receiver exists is for `sendMessage` to tell.";

const SEND: &str = "Takes the object that `createMessage` answered, or its ID (as `message` or as `ID`). The object says everything by itself; \
    the ID is good for `prepared_window`. Sending the same one again changes nothing and answers the first outcome. \
    An error's `data` holds the message with `status` `fail`.";

const ADD: &str = "In `Private` groups any member may, in `Public` and `ChatRoom` groups the app's admins only, in `AVChatRoom` nobody. \
    Users that do not exist are in `failureUserIDList`.";
