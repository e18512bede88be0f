//! The dialect's table.

use super::{
    Maxim, Shape, announcements, app, applications, files, group_members, group_settings, groups, invitations,
    messages, push, qr, roster, send, shared_files, tokens, users,
};
use crate::route::{DELETE, GET, POST, PUT, Route, on, public};

/// Every endpoint, in the order of the document.
pub(crate) fn routes() -> Vec<Route<Maxim>> {
    let mut all = users::routes();
    all.extend(app::routes());
    all.extend([
        public(POST, "/token/id", tokens::by_id).says("Logs in by id", TOKEN),
        public(POST, "/token/login", tokens::by_any).says("Logs in by name, mobile number or mail address", TOKEN),
        public(POST, "/token/user", tokens::by_name).says("Logs in by name", TOKEN),
        on(GET, "/message/ack", messages::ack).says("Marks messages as read", ACK),
        on(GET, "/message/conversation", messages::conversation).says("Reads a conversation", CONVERSATION),
        on(DELETE, "/message/conversation", messages::delete).says("Deletes a conversation for the caller", DELETE_ONE),
        on(POST | PUT, "/message/notify", send::notify)
            .shape(Shape::Beside)
            .says("Sends a notice to each target", NOTIFY),
        on(POST | PUT, "/message/send", send::send).shape(Shape::Beside).says("Sends a message to each target", SEND),
        on(GET, "/message/unread", messages::unread)
            .says("Lists conversations with their unread counts", "The most recent first, at most 1000."),
        on(POST, "/group/admin/add", group_members::add_admins)
            .says("Makes members admins", "For the owner. One result for each user."),
        on(POST | DELETE, "/group/admin/remove", group_members::remove_admins)
            .says("Makes admins plain members", "For the owner. One result for each user."),
        on(GET, "/group/admin_list", group_members::admins)
            .says("Lists the admins", "For members. The owner is not among them."),
        on(GET, "/group/announcement", announcements::get).says("Tells one announcement", ""),
        on(POST | DELETE, "/group/announcement/delete", announcements::delete).says(
            "Takes an announcement back",
            "For its author, the owner and admins. After the newest, the one before it is the group's announcement again.",
        ),
        on(POST, "/group/announcement/edit", announcements::edit).says("Announces something", ANNOUNCE),
        on(GET, "/group/announcement/last", announcements::last)
            .says("Tells the newest announcement", "Error 20020 where there is none."),
        on(GET, "/group/announcement/list", announcements::list)
            .says("Lists announcements", "The newest first. A group keeps `group_announcements` of them."),
        on(POST, "/group/application_list", applications::list)
            .shape(Shape::Beside)
            .says("Lists applications", "To groups that the caller leads, answered ones among them, by group and applicant."),
        on(POST, "/group/apply", applications::apply).says("Asks to join a group", APPLY),
        on(POST | PUT, "/group/apply/handle", applications::handle)
            .says("Answers an application", "For the owner and admins. `reason` goes to the applicant."),
        on(POST | DELETE, "/group/destroy", groups::destroy)
            .says("Ends a group", "For the owner. Whoever was a member keeps what was said."),
        on(POST | PUT, "/group/display_name", group_members::set_name)
            .says("Sets the caller's name in a group", "An empty name takes it away."),
        on(GET, "/group/file", shared_files::get).says("Tells about a shared file", "`url` is where it is."),
        on(POST | DELETE, "/group/file/delete", shared_files::delete)
            .says("Takes files out of a group", "Members their own, the owner and admins any."),
        on(GET, "/group/file/list", shared_files::list).says("Lists shared files", "The newest first."),
        on(POST | PUT, "/group/file/update_name", shared_files::rename)
            .says("Gives a shared file another name", "Members their own, the owner and admins any."),
        on(POST, "/group/file/upload", shared_files::upload)
            .says("Shares a file", "Any member may. The file itself was uploaded before; `url` says where to."),
        on(GET, "/group/invitation_list", invitations::list)
            .shape(Shape::Beside)
            .says("Lists the caller's invitations", "Answered ones among them, by group and inviter."),
        on(POST, "/group/invite", invitations::invite).says("Invites users", INVITE),
        on(POST | PUT, "/group/invite/handle", invitations::handle).says(
            "Answers an invitation",
            "`user_id` is who invited. It must still be allowed to invite. Accepting one settles all into that group.",
        ),
        on(POST | DELETE, "/group/kick", group_members::kick).says("Removes members", KICK),
        on(POST | DELETE, "/group/leave", groups::leave)
            .says("Leaves a group", "The owner has to hand it over first (20004)."),
        on(GET, "/group/member_list", group_members::list).shape(Shape::Beside).says("Lists members", MEMBERS),
        on(POST, "/group/members/display_name", group_members::names)
            .says("Tells members' names in a group", "For members. Who is not in the group is left out."),
        on(POST | PUT, "/group/msg/mute_mode", group_settings::set_mute_mode)
            .says("Says how much of a group the caller wants to hear", "Answers the group as it is then."),
        on(POST | PUT, "/group/msg/not_disturb", group_settings::set_not_disturb).says(
            "Turns notifications of a group off or on",
            "Not in the document, but in its SDKs: `true` is `msg_mute_mode` 1 and `false` is 0.",
        ),
        on(POST | PUT, "/group/msg/push_mode", group_settings::set_push_mode)
            .says("Says which messages of a group are pushed to the caller", "Answers the group as it is then."),
        on(GET, "/group/public_list", groups::public)
            .says("Lists public groups", "By name, at most `max_listed_groups`."),
        on(POST, "/group/qrcode/invite", qr::invite)
            .says("Joins by a code", "Needs no approval: whoever asked for the code may invite."),
        on(GET, "/group/qrcode/sign", qr::sign).says(
            "Makes a code that lets users join",
            "For who may invite. It works for `join_code_lifetime`, as long as who asked for it may still invite.",
        ),
        on(GET, "/group/settings", groups::info)
            .says("Tells a group's settings", "The same as `/group/info`."),
        on(POST | PUT, "/group/settings/allow_member_invitation", group_settings::set_member_invite)
            .says("Says whether plain members may invite", RULE),
        on(POST | PUT, "/group/settings/allow_member_modify", group_settings::set_member_modify)
            .says("Says whether plain members may change what the group says of itself", RULE),
        on(POST, "/group/settings/ban_all", group_settings::ban_all)
            .says("Lets only the owner and admins speak", "For the owner and admins. `duration` is in minutes, -1 is for ever."),
        on(POST | PUT, "/group/settings/enable_read_ack", group_settings::set_read_ack)
            .says("Says whether members see who has read", RULE),
        on(POST | PUT, "/group/settings/hide_member_info", group_settings::set_hide_members).says(
            "Says whether plain members cannot list the others",
            "For the owner and admins. Not in the document, but in its SDKs.",
        ),
        on(POST | PUT, "/group/settings/history_visible", group_settings::set_history_visible)
            .says("Says whether new members may read what was said before", "For the owner and admins. Members who are in already keep what they can read."),
        on(POST | PUT, "/group/settings/require_admin_approval", group_settings::set_approval)
            .says("Says how users join", RULE),
        on(POST, "/group/settings/unban_all", group_settings::unban_all)
            .says("Lets everybody speak again", RULE),
        on(POST | PUT, "/group/transfer", groups::transfer)
            .says("Hands a group over", "For the owner, to a member (else 20005). The former owner stays, as a plain member."),
        on(POST, "/group/unban", group_members::unban)
            .says("Lets members speak again", "For the owner and admins. One result for each user."),
        on(POST | DELETE, "/group/unblock", group_members::unblock).says(
            "Takes users off the block list",
            "For the owner and admins. They do not become members again. One result for each user.",
        ),
        on(GET, "/group/user_joined", groups::joined).says("Lists the groups that the caller is in", "All of them."),
        on(POST, "/group/ban", group_members::ban).says("Silences members", BAN),
        on(GET, "/group/banned_list", group_members::banned)
            .shape(Shape::Beside)
            .says("Lists members who are silent", "For the owner and admins, by user id."),
        on(POST, "/group/block", group_members::block).says("Puts users on the block list", BLOCK),
        on(GET, "/group/blocked_list", group_members::blocked)
            .shape(Shape::Beside)
            .says("Lists the block list", "For the owner and admins, by user id."),
        on(POST, "/group/create", groups::create)
            .says("Makes a group", "The caller owns it. Somebody in `user_list` who does not exist is an error."),
        on(GET, "/group/info", groups::info)
            .says("Tells about a group", "Private groups are told about to their members only."),
        on(POST | PUT, "/group/info/avatar", group_settings::set_avatar).says("Gives a group another picture", EDIT),
        on(POST, "/group/info/batch", groups::batch)
            .says("Tells about groups", "Those that the caller may not see are left out. The owner is called `owner` here."),
        on(POST | PUT, "/group/info/description", group_settings::set_description)
            .says("Says what a group is about", EDIT),
        on(POST | PUT, "/group/info/ext", group_settings::set_ext).says("Sets the app's own text of a group", EDIT),
        on(POST | PUT, "/group/info/name", group_settings::set_name).says("Renames a group", EDIT),
    ]);
    all.extend(files::routes());
    all.extend(push::routes());
    all.extend(roster_routes());
    all
}

fn roster_routes() -> Vec<Route<Maxim>> {
    vec![
        on(POST | PUT, "/roster/accept", roster::accept)
            .says("Accepts a friend request", "Error 10007 if there is none, or none any more."),
        on(POST, "/roster/apply", roster::apply).says("Asks a user to become a friend", ASK),
        on(POST, "/roster/apply/batch", roster::apply_all)
            .says("Asks several users to become friends", "Takes a list of requests, or one. Each is made as by `/roster/apply`."),
        on(GET, "/roster/apply/list", roster::applications)
            .shape(Shape::Beside)
            .says("Lists friend requests to the caller", "Answered ones among them, by the asker's id. They are listed for `friend_request_kept`."),
        on(POST | PUT, "/roster/block", roster::block).says(
            "Blocks a user",
            "Who is blocked cannot write to the caller or ask for friendship, and is not told. A friendship stays what it is.",
        ),
        on(GET, "/roster/blocked_list", roster::blocked)
            .shape(Shape::Beside)
            .says("Lists who is blocked", "By id; at most 1000 on a page."),
        on(POST | PUT, "/roster/decline", roster::decline)
            .says("Declines a friend request", "The reason goes to who asked. Error 10007 if there is none, or none any more."),
        on(POST | DELETE, "/roster/delete", roster::delete)
            .says("Ends a friendship", "On both sides. Also takes a request back, or turns one down."),
        on(POST | PUT, "/roster/ext", roster::ext)
            .says("Notes something about a contact", "For the caller alone. What is left out stays as it is."),
        on(GET, "/roster/id", roster::by_id).says("Finds a user by id", "Error 10000 if there is none."),
        on(GET, "/roster/list", roster::list)
            .shape(Shape::Beside)
            .says("Lists the caller's friends", "Their ids; at most 1000 on a page."),
        on(POST, "/roster/list", roster::details)
            .says("Tells about users", "At most `max_users_per_call`. Who does not exist is left out."),
        on(GET, "/roster/may_message", roster::may_message).says(
            "Tells whether a user may write to another",
            "Whether `user_id` may write to `roster_id`. For either of the two, and for admins.",
        ),
        on(GET, "/roster/mobile", roster::by_mobile)
            .says("Finds a user by mobile number", "The first one, if several have it. Error 10000 if there is none."),
        on(GET, "/roster/name", roster::by_name).says("Finds a user by login name", "Error 10000 if there is none."),
        on(POST | DELETE, "/roster/unblock", roster::unblock)
            .says("Unblocks a user", "Unblocking somebody who is not blocked changes nothing."),
    ]
}

const TOKEN: &str = "The token is good for `maxim_token_lifetime`. An unknown user and a wrong password are answered alike (11001). \
    With a `device_guid`, the client is among the user's devices, and the token ends when the device is removed. Push tokens are not issued.";

const CONVERSATION: &str = "The newest message comes first; `next_msg_id` is the `msg_id_start` of the next page. \
    Numbers that are a user's and a group's are told apart by `type`; without it, the user is meant, unless there is a conversation with the \
    group only. Withdrawn messages are left out.";

const ACK: &str = "Up to `msg_id`, or everything where it is 0 or left out. Marks only rise.";

const DELETE_ONE: &str =
    "What was said so far is hidden from the caller alone; a new message brings the conversation back, without it.";

const NOTIFY: &str = "For admins. In users' lists it is in the conversation with the number 0, in groups it is among the messages. Without \
    `from_user_id`, the app itself says it, as user 0. Otherwise like `/message/send`, for content types 0 to 7.";

const SEND: &str = "Types 9, 10, 11 and 12 mark read, withdraw, add to and replace the message `related_mid` in each target's conversation. \
    `mentionList` and `mentionAll` in `config` mention users. Sending under the same `transaction_id` again answers the first message's id, and under another content it is an error. \
    The first target's error is answered if no target got it; if only some did, `data` is false and `results` tells which.";

const ASK: &str = "At once where `auth_mode` is 0, or where the user asked before; after a right `auth_answer` where it is 2; else the user is \
    told, and may answer within `friend_request_window`. A wrong answer is error 10010; after `answer_attempts` of them, 10028.";

const ANNOUNCE: &str = "For the owner and admins, and where `member_modify` is on any member. Each call is a new announcement; its text is \
    the group's announcement in the other dialects too.";

const APPLY: &str = "Where `apply_approval` is 0, the caller is a member at once; where it is 1, the owner and admins are told, and decide \
    within `join_request_window`. Asking again renews the application. A member is answered `success` too.";

const INVITE: &str = "For the owner and admins, and where `member_invite` is on any member. Users whose setting `group_confirm` is on are \
    asked, the others are members at once. One result for each user.";

const BAN: &str = "For the owner, and for admins over plain members. `duration` is in minutes, -1 is for ever. One result for each user.";

const BLOCK: &str = "For the owner, and for admins over plain members. Whoever is a member is removed, and nobody can come in who is on the \
    list, whoever asks. One result for each user.";

const EDIT: &str =
    "For the owner and admins, and where `member_modify` is on any member. Answers the group as it is then.";

const KICK: &str = "For the owner, and for admins over plain members. One result for each user.";

const MEMBERS: &str = "For members; where `hide_member_info` is on, for the owner and admins. By user id.";

const RULE: &str = "For the owner and admins.";
