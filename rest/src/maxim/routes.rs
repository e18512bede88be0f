//! The dialect's table.

use super::{Maxim, Shape, groups, messages, send, tokens, users};
use crate::route::{GET, POST, PUT, Route, on, public};

/// Every endpoint, in the order of the document.
pub(crate) fn routes() -> Vec<Route<Maxim>> {
    vec![
        on(GET, "/user/profile", users::profile).says("Tells one's own data", ""),
        public(POST, "/user/register/v2", users::register)
            .says("Makes a user", "Answers the user's settings, which are the defaults."),
        public(POST, "/token/id", tokens::by_id).says("Logs in by id", TOKEN),
        public(POST, "/token/user", tokens::by_name).says("Logs in by name", TOKEN),
        on(GET, "/message/conversation", messages::conversation).says("Reads a conversation", CONVERSATION),
        on(POST | PUT, "/message/send", send::send).shape(Shape::Beside).says("Sends a message to each target", SEND),
        on(GET, "/message/unread", messages::unread)
            .says("Lists conversations with their unread counts", "The most recent first, at most 1000."),
        on(POST, "/group/create", groups::create)
            .says("Makes a group", "The caller owns it. Somebody in `user_list` who does not exist is an error."),
        on(GET, "/group/info", groups::info)
            .says("Tells about a group", "Private groups are told about to their members only."),
    ]
}

const TOKEN: &str = "The token is good for `maxim_token_lifetime`. An unknown user and a wrong password are answered alike (11001). \
    `device_guid` is taken and not used: push tokens are not issued.";

const CONVERSATION: &str = "The newest message comes first; `next_msg_id` is the `msg_id_start` of the next page. \
    Numbers that are a user's and a group's are told apart by `type`; without it, the user is meant, unless there is a conversation with the \
    group only. Withdrawn messages are left out.";

const SEND: &str = "Types 9, 10 and 12 mark read, withdraw and replace the message `related_mid` in each target's conversation; 11 (append) is \
    not served. Sending under the same `transaction_id` again answers the first message's id, and under another content it is an error. \
    The first target's error is answered if no target got it; if only some did, `data` is false and `results` tells which.";
