//! The dialect's table.

use super::{Tim, blacklist, conversations, group_members, group_profile, groups, joining, messages, profiles, users};
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
        on(POST, "/user/getMyProfile", profiles::mine).says("Tells one's own profile", ""),
        on(POST, "/user/getUserProfile", profiles::find).says(
            "Tells users' profiles",
            "Unknown users are left out. The SDK's `userIDList` is taken in the place of `user_id`.",
        ),
        on(POST, "/user/updateMyProfile", profiles::update).says("Changes one's own profile", UPDATE_PROFILE),
        on(POST, "/user/getBlacklist", blacklist::list).says("Lists whom the caller has blocked", "All of them."),
        on(POST, "/user/addToBlacklist", blacklist::add).says(
            "Blocks users",
            "Ends friendships with them. Answers those who are on the list now; who does not exist is left out.",
        ),
        on(POST, "/user/removeFromBlacklist", blacklist::remove)
            .says("Unblocks users", "Answers those who are not on the list now; who does not exist is left out."),
        on(POST, "/message/createMessage", messages::create).says("Makes a message, to be sent later", CREATE),
        on(POST, "/message/sendMessage", messages::send).says("Sends a message", SEND),
        on(POST, "/message/revokeMessage", messages::revoke).says("Withdraws a message", REVOKE),
        on(POST, "/message/resendMessage", messages::resend).says("Sends a message that failed again", RESEND),
        on(POST, "/message/getMessageList", messages::list).says(
            "Reads the newest messages of a conversation",
            "The oldest comes first. At most 15; for those before, give `nextReqMessageID`.",
        ),
        on(POST, "/message/setMessageRead", messages::set_read).says(
            "Marks a conversation as read",
            "Everything in it so far. Its `unreadCount` is 0 then, and the other user's messages have `isPeerRead`.",
        ),
        on(POST, "/conversation/getConversationList", conversations::list).says("Lists conversations", CONVERSATIONS),
        on(POST, "/conversation/getConversationProfile", conversations::profile).says(
            "Tells about a conversation",
            "One with a user may be yet to begin: then `lastMessage` is null.",
        ),
        on(POST, "/conversation/deleteConversation", conversations::delete).says(
            "Deletes a conversation for the caller",
            "What was said so far is hidden from the caller alone. A new message brings the conversation back, without it.",
        ),
        on(POST, "/group/getGroupList", group_profile::list).says("Lists the groups that the caller is in", "All of them."),
        on(POST, "/group/getGroupProfile", group_profile::get)
            .says("Tells about a group", "`Private` groups are told about to their members only."),
        on(POST, "/group/createGroup", groups::create)
            .says("Makes a group", "The caller owns it. Somebody in `memberList` who does not exist is an error."),
        on(POST, "/group/dismissGroup", group_profile::dismiss)
            .says("Ends a group", "For the owner. Not for `Private` groups."),
        on(POST, "/group/updateGroupProfile", group_profile::update).says("Changes a group", UPDATE),
        on(POST, "/group/joinGroup", joining::join).says("Joins a group, or asks to", JOIN),
        on(POST, "/group/quitGroup", joining::quit).says(
            "Leaves a group",
            "The owner hands the group over first; only a `Private` group goes on without one.",
        ),
        on(POST, "/group/searchGroupByID", joining::search)
            .says("Finds a group", "What everybody may know of it. `Private` groups cannot be found."),
        on(POST, "/group/changeGroupOwner", group_profile::change_owner)
            .says("Hands a group over", "For the owner, to a member. Not for an `AVChatRoom`."),
        on(POST, "/group/handleGroupApplication", joining::handle).says("Answers an application", APPLICATION),
        on(POST, "/group/setMessageRemindType", joining::set_remind_type).says("Sets how much one hears of a group", REMIND),
        on(POST, "/group/getGroupMemberList", group_members::list).says("Lists members", MEMBERS),
        on(POST, "/group_member/getGroupMemberList", group_members::list).says("Lists members", MEMBERS),
        on(POST, "/group/getGroupMemberProfile", group_members::profiles).says("Tells about members", "At most 50. Who is not a member is left out."),
        on(POST, "/group_member/getGroupMemberProfile", group_members::profiles).says("Tells about members", "At most 50. Who is not a member is left out."),
        on(POST, "/group/getGroupOnlineMemberCount", group_members::online_count).says("Counts members who are online", "In an `AVChatRoom`, as of a moment ago; 0 in groups of other types, as in the original."),
        on(POST, "/group_member/getGroupOnlineMemberCount", group_members::online_count).says("Counts members who are online", "In an `AVChatRoom`, as of a moment ago; 0 in groups of other types, as in the original."),
        on(POST, "/group/addGroupMember", groups::add_members).says("Adds members without asking them", ADD),
        on(POST, "/group_member/addGroupMember", groups::add_members).says("Adds members without asking them", ADD),
        on(POST, "/group/deleteGroupMember", group_members::delete).says("Removes members", "For the owner. `userIDList` of the answer tells who was removed; others are passed over."),
        on(POST, "/group_member/deleteGroupMember", group_members::delete).says("Removes members", "For the owner. `userIDList` of the answer tells who was removed; others are passed over."),
        on(POST, "/group/setGroupMemberMuteTime", group_members::mute).says("Silences a member", MUTE),
        on(POST, "/group_member/setGroupMemberMuteTime", group_members::mute).says("Silences a member", MUTE),
        on(POST, "/group/setGroupMemberRole", group_members::set_role).says("Makes a member an admin or a plain member", "For the owner."),
        on(POST, "/group_member/setGroupMemberRole", group_members::set_role).says("Makes a member an admin or a plain member", "For the owner."),
        on(POST, "/group/setGroupMemberNameCard", group_members::set_name_card).says("Sets a member's name in a group", CARD),
        on(POST, "/group_member/setGroupMemberNameCard", group_members::set_name_card).says("Sets a member's name in a group", CARD),
        on(POST, "/group/setGroupMemberCustomField", group_members::set_custom_field).says("Sets custom fields of a member", FIELDS),
        on(POST, "/group_member/setGroupMemberCustomField", group_members::set_custom_field).says("Sets custom fields of a member", FIELDS),
    ]
}

const UPDATE_PROFILE: &str = "What is left out stays as it is. Numbers may be strings. `adminForbidType` is for administrators. Custom fields are set \
    by their keys, and the others stay. The answer is a list with the profile as it is then.";

const CREATE: &str = "One path for all kinds. The payload tells which: `text` (and `atUserList`) makes a text, `file` an image, audio, video or \
    file by the request's `type`, the file's MIME type (its `type`) or its name's ending, `data` and `index` a face, `data`, `description` and \
    `extension` a custom message, and `message` passes a message on. A `file` is an object with `url`, `name`, `size`, `type` (MIME), `uuid`, \
    `width`, `height`, `second`, `thumbUrl`, `thumbSize`, `thumbWidth`, `thumbHeight`, all optional but for one of `url`, `name`, `uuid`. \
    The answer's `status` is `unSend`. It is kept for a while (`prepared_window`), so that `sendMessage` takes its `ID` too. \
    Whether the receiver exists is for `sendMessage` to tell.";

const SEND: &str = "Takes the object that `createMessage` answered, or its ID (as `message` or as `ID`). The object says everything by itself; \
    the ID is good for `prepared_window`. Sending the same one again changes nothing and answers the first outcome. \
    An error's `data` holds the message with `status` `fail`.";

const REVOKE: &str = "Takes the message as `sendMessage` answered it, or its ID, which is good for `prepared_window`. One's own within \
    `recall_window` (2 minutes); a group's owner and admins may withdraw anyone's at any time. The answer's `isRevoked` is true.";

const RESEND: &str = "As `sendMessage`, for messages with the `status` `fail`; by its ID, for one that was not sent yet. Others are refused.";

const CONVERSATIONS: &str = "Pinned ones first, then the most recent; at most 100. A row is a conversation; the document calls it `message`, \
    so the newest message is in that field too. `conversationID` asks for one conversation only: the document demands it, and it may be left out.";

const ADD: &str = "In `Private` groups any member may, in `Public` and `ChatRoom` groups the app's admins only, in `AVChatRoom` nobody. \
    Users that do not exist are in `failureUserIDList`.";

const JOIN: &str = "By the group's `joinOption`: at once, or after its owner or an admin agreed, whom a system notice asks. A member is answered \
    `AlreadyInGroup`. `Private` groups cannot be joined; users are added to them.";

const APPLICATION: &str = "For the owner and admins, once. `message` is the system notice with the `operationType` 1 from `@TIM#SYSTEM`, or its \
    ID. The applicant is told by a system notice.";

const REMIND: &str = "The caller's own setting, for a group, or for up to 30 users in `userIDList`, whose outcomes are then in `successUserList` \
    and `failureUserList`. With `Discard`, nothing is pushed and nothing counts as unread; what was said can be read all the same.";

const UPDATE: &str = "For the owner and admins, in `Private` groups for any member. `joinOption` is for `Public` groups, `muteAllMembers` for all but \
    `Private` ones. Custom fields that are not named stay.";

const MEMBERS: &str =
    "For members, by user. At most 100 at once, 15 where `count` is left out; `offset` skips as many.";

const MUTE: &str =
    "For the owner, and for admins over plain members; not in `Private` groups. `muteTime` is in seconds, 0 ends it.";

const CARD: &str = "The owner everybody's, admins plain members', everybody one's own.";

const FIELDS: &str =
    "The owner everybody's, admins plain members', everybody one's own. Fields that are not named stay.";
