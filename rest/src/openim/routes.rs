//! openim's table: the endpoints of its document that exist so far.

use super::{Access, OpenIm, Refusal, Shape, groups, messages, tokens, users};
use crate::route::{POST, Route, on};

/// `/manager/send_msg` refuses in its own words.
const SEND: Access = Access::Admin { bad_token: Refusal::SEND_TOKEN, not_admin: Refusal::SEND_NOT_ADMIN };

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
        on(POST, "/user/get_user_info", users::find).says(
            "Finds users",
            "Takes any user's token of the app. Unknown users are left out.",
        ),
        on(POST, "/manager/send_msg", messages::send).access(SEND).shape(Shape::Flat).says(
            "Sends a message in a user's name",
            "`content` by `contentType`: 101 text, 102 picture, 103 sound, 104 video, 105 file, 110 custom; it may also be \
             a string that holds the object. `sendTime` is in nanoseconds, `msgID` 32 hex digits. `forceList` mentions \
             members. Each call is a new message.",
        ),
    ]
    .into_iter()
    .map(Route::cors)
    .collect()
}
