//! gobelieve's table: the endpoints of its document that exist so far.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Access, Gobelieve, Reply, Shape, client_groups, files, groups, messages, offline, push, rooms, settings, stores,
    support, tokens,
};
use crate::context::Cx;
use crate::input::Input;
use crate::route::{DELETE, GET, Methods, PATCH, POST, Route, on, public};

/// Every route that is served.
#[must_use]
pub fn routes() -> Vec<Route<Gobelieve>> {
    vec![
        on(POST, "/auth/grant", tokens::grant).says(
            "Gives a user's token",
            "Creates the user if there is none, and takes over `user_name` if it is not empty. A user's token is always the \
             same and never expires.",
        ),
        on(POST | PATCH, "/users/{uid}", settings::change).shape(Shape::Empty).says(
            "Changes one setting of a user",
            "The first of `name`, `forbidden`, `do_not_disturb` and `mute` that is there. Who is forbidden is silent everywhere, for \
             ever. A user who does not exist yet is created.",
        ),
        public(POST, "/auth/customer", support::register_openly).says(
            "Gives a customer's token",
            "Takes no credential, unless `gobelieve_customer_key` is set: then the app's number and key, as `/customer/register` \
             does. A customer is the user whom the app knows by `customer_id`, which is never another user's uid; without one, a \
             new user each time. `name` and `avatar` are taken over if they are not empty.",
        ),
        on(POST, "/customer/register", support::register).access(Access::Customer).says(
            "Gives a customer's token",
            "What later versions of the original call `/auth/customer`. Takes the app's number and key.",
        ),
        on(GET, "/supporters", support::supporter).access(Access::Client).cors().says(
            "Tells who serves the caller",
            "The same supporter as last time; else one who is connected, by chance; else the first one.",
        ),
        on(POST, "/device/bind", push::bind).access(Access::Client).shape(Shape::Success).says(
            "Tells what a provider calls the caller's phone",
            "The first of the tokens that is not empty, in the place of an earlier one of the same provider. Nothing is sent over PushKit, ng, \
             Xinge and JPush; their tokens are kept.",
        ),
        on(POST, "/device/unbind", push::unbind).access(Access::Client).shape(Shape::Success).says(
            "Ends pushes to the caller's phone",
            "The token must be the one that was bound; another one changes nothing.",
        ),
        on(POST, "/stores", stores::create).says("Makes a desk of customer service", STORES),
        on(GET, "/stores", stores::list).says("Lists the desks of customer service", STORES),
        on(DELETE, "/stores/{store_id}", stores::delete).shape(Shape::Success).says("Ends a desk of customer service", STORES),
        on(GET, "/stores/{store_id}/supporters", stores::supporters).says("Lists who serves at a desk", STORES),
        on(POST, "/stores/{store_id}/supporters", stores::add).shape(Shape::Success).says("Lets users serve at a desk", STORES),
        on(DELETE, "/stores/{store_id}/supporters/{uid}", stores::remove)
            .shape(Shape::Success)
            .says("Ends somebody's service at a desk", STORES),
        on(POST, "/groups", groups::create).says(
            "Creates a group",
            "Members are integers or objects. The master owns the group but is a member only if listed. Users who do not \
             exist yet are created.",
        ),
        on(PATCH, "/groups/{gid}", groups::patch).shape(Shape::Empty).says(
            "Renames a group",
            "With `notice`, also its notice. A group that does not exist is no error, as in the original.",
        ),
        on(DELETE, "/groups/{gid}", groups::dismiss).shape(Shape::Success).says("Ends a group", ""),
        on(POST, "/groups/{gid}/members", groups::add_members).shape(Shape::Success).says(
            "Adds members",
            "Takes `{members, inviter}`, a list of members, or one member. Adding a member again is fine; adding nobody is \
             answered with an empty body. Users who do not exist yet are created.",
        ),
        on(DELETE, "/groups/{gid}/members/{mid}", groups::remove_member).shape(Shape::Success).says(
            "Takes a member out",
            "Who is not a member is no error. The master may go too, and remains the master.",
        ),
        on(DELETE, "/groups/{gid}/members", groups::remove_members).shape(Shape::Success).says(
            "Removes members",
            "A list of integers or objects. Who is not a member is passed over.",
        ),
        on(POST, "/groups/{gid}/upgrade", groups::upgrade).shape(Shape::Success).says(
            "Makes a super group of a group",
            "It takes up to `super_group_capacity` members. Again changes nothing.",
        ),
        on(PATCH, "/groups/{gid}/members/{memberid}", groups::patch_member).shape(Shape::Success).says(
            "Changes a member's settings",
            "The first of `do_not_disturb` (or `quiet`), `nickname` and `mute` that is there. `mute` silences the member in the group.",
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
        on(POST, "/messages/systems", messages::to_user).shape(Shape::Empty).says(
            "Sends a notice to a user",
            "The app itself says it. It is kept, and listed with `command` 21. A user who does not exist yet is created.",
        ),
        on(POST, "/messages/notifications", messages::to_connected_user).shape(Shape::Empty).says(
            "Sends a notice to a user who is connected",
            "It is not kept: who is not connected never learns of it.",
        ),
        on(POST, "/messages/groups/notifications", messages::to_members).shape(Shape::Empty).says(
            "Sends a notice to a group",
            "The app itself says it. It is kept among the group's messages, and listed with `command` 7.",
        ),
        on(POST, "/messages/rooms", rooms::send).shape(Shape::Empty).says(
            "Sends a message to a chat room",
            "Whoever is in the room hears it, and nobody keeps it. A room exists by being named; its number is none of a group's, unless \
             the group is a room that another system's server made. Users who do not exist yet are created.",
        ),
        on(GET, "/messages/offline", offline::count).access(Access::Either).says(
            "Counts what a user has not read",
            "A client asks for its own messages; the app's server, under its own credential, for those of `uid` or `customer_id`. \
             Each conversation is counted up to `unread_cap`.",
        ),
        on(GET, "/messages", messages::list).access(Access::Client).cors().says(
            "Newest messages of the caller",
            "At most 1024, oldest first. `timestamp` is in seconds; `command` is 4 for messages between users, 8 in groups, \
             7 for notices to groups, \
             21 for notices to users. With `store`, only those with users who serve at that desk.",
        ),
        client(POST, "/client/groups", client_groups::create).says(
            "Creates a group",
            "`master` must be the caller. Members must exist.",
        ),
        client(GET, "/client/groups", client_groups::list).says(
            "Lists the groups that the caller is in",
            "`fields=members,quiet` adds the members, at most `members_page` of each group, and `do_not_disturb`.",
        ),
        client(PATCH, "/client/groups/{gid}", client_groups::patch)
            .shape(Shape::Success)
            .says("Changes a group's name or notice", "For any member, unless the group says otherwise."),
        client(DELETE, "/client/groups/{gid}", groups::dismiss)
            .shape(Shape::Success)
            .says("Ends a group", "For the master."),
        client(POST, "/client/groups/{gid}/members", client_groups::add_members)
            .shape(Shape::Success)
            .says("Adds members", "For any member, unless the group says otherwise. As on `/groups`, but the users must exist."),
        client(DELETE, "/client/groups/{gid}/members/{mid}", client_groups::leave)
            .shape(Shape::Success)
            .says("Leaves a group", "`mid` must be the caller. The master cannot."),
        client(DELETE, "/client/groups/{gid}/members", groups::remove_members)
            .shape(Shape::Success)
            .says("Removes members", "For the master."),
        client(PATCH, "/client/groups/{gid}/members/{memberid}", client_groups::patch_member)
            .shape(Shape::Success)
            .says("Changes the caller's own settings", "`memberid` must be the caller. As on `/groups`, but for `mute`."),
        upload("/images", files::image, "Uploads a picture"),
        upload("/audios", files::audio, "Uploads a voice"),
        upload("/files", files::file, "Uploads a file"),
        upload("/v2/images", files::image_in_form, "Uploads a picture in a form"),
        upload("/v2/audios", files::audio_in_form, "Uploads a voice in a form"),
        upload("/v2/files", files::file_in_form, "Uploads a file in a form"),
    ]
}

const STORES: &str = "Ours; the original keeps its desks in a system beside the API. The first desk is where new customers are sent. Users who \
    do not exist yet are created.";

/// A route that takes a file in.
fn upload<I, F, Fut>(path: &'static str, handler: F, summary: &'static str) -> Route<Gobelieve>
where
    I: Input<Gobelieve>,
    F: Fn(Cx, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply<files::Source>> + Send + 'static,
{
    on(POST, path, handler).streams().access(Access::Client).shape(Shape::Bare).cors().says(summary, OPEN)
}

const OPEN: &str = "The answer stands alone, without `data`: `src` is a path, `src_url` the URL. Whoever knows the URL may load the file, \
    without a credential and for ever. Its type is what its first bytes tell.";

/// A route that takes a user's token.
fn client<I, O, F, Fut>(methods: Methods, path: &'static str, handler: F) -> Route<Gobelieve>
where
    I: Input<Gobelieve>,
    O: Serialize + ToSchema + Send + Sync + 'static,
    F: Fn(Cx, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Reply<O>> + Send + 'static,
{
    on(methods, path, handler).access(Access::Client).cors()
}
