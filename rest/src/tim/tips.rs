//! What happened to a group, as the tips and system notices that tim clients know.

use domain::entry::tip::Kind;
use domain::entry::{Entry, Tip};
use domain::groups::gid_of;
use domain::record::{self, JoinPolicy, Role};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{content, payload};

/// What the SDK says for "for ever", in seconds.
const FOR_EVER: i64 = u32::MAX as i64;

/// Whether the SDK has a tip for this: it knows no shared files, nothing of who is let in again, and not what a user's devices tell each other.
pub(super) fn is_told(tip: &Tip) -> bool {
    !matches!(
        tip.kind(),
        Kind::FilesChanged
            | Kind::MembersUnblocked
            | Kind::ConversationChanged
            | Kind::ContactChanged
            | Kind::BlockChanged
            | Kind::DeviceLoggedIn
    )
}

/// A tip in a group's own conversation.
pub(super) fn in_group(
    group: &record::Group,
    entry: &Entry,
    tip: &Tip,
    uid: &dyn Fn(u64) -> String,
) -> (&'static str, Box<RawValue>) {
    let data = data_of(tip);
    let payload = payload::GroupTip {
        operator_id: uid(entry.sender),
        operation_type: tip_number(tip, &data),
        user_id_list: tip.users.iter().map(|user| uid(*user)).collect(),
        group_profile: payload::NoticeGroup { group_id: gid_of(group), name: group.name.clone() },
        new_group_profile: new_profile(tip, &data, entry.time, uid),
        member_list: members(tip, &data, entry.time, uid),
        text: tip.text.clone(),
    };
    ("TIMGroupTipElem", content::raw(&payload))
}

/// A notice in a user's own conversation. `group` is what the group is called that it is about.
pub(super) fn to_user(
    group: payload::NoticeGroup,
    entry: &Entry,
    tip: &Tip,
    uid: &dyn Fn(u64) -> String,
) -> (&'static str, Box<RawValue>) {
    let operation_type = notice_number(tip, &data_of(tip));
    let is_own = operation_type == OWN_NOTICE;
    let payload = payload::GroupSystemNotice {
        operator_id: uid(entry.sender),
        operation_type,
        group_profile: group,
        handle_message: if is_own { String::new() } else { tip.text.clone() },
        user_defined_field: if is_own { tip.text.clone() } else { String::new() },
    };
    ("TIMGroupSystemNoticeElem", content::raw(&payload))
}

fn data_of(tip: &Tip) -> Map<String, Value> {
    serde_json::from_str(&tip.data).unwrap_or_default()
}

/// 1 joined, 2 left, 3 removed, 4 made an admin, 5 an admin no more, 6 the group changed, 7 a member changed.
fn tip_number(tip: &Tip, data: &Map<String, Value>) -> u8 {
    match tip.kind() {
        Kind::MembersAdded => 1,
        Kind::MemberLeft => 2,
        Kind::MembersRemoved | Kind::MembersBlocked => 3,
        Kind::MemberChanged => match role(data) {
            Some(Role::Admin) => 4,
            Some(_) => 5,
            None => 7,
        },
        _ => 6,
    }
}

const OWN_NOTICE: u8 = 255;

/// 1 somebody asks to join, 2 let in, 3 not let in, 4 removed, 5 the group was dismissed, 6 the group was made, 7 invited, 8 left,
/// 9 made an admin, 10 an admin no more, 12 asked to come in, 13 an invitation was taken, 14 it was not; 255 anything else, told by its text.
fn notice_number(tip: &Tip, data: &Map<String, Value>) -> u8 {
    match tip.kind() {
        Kind::GroupApplied => 1,
        Kind::ApplicationAccepted => 2,
        Kind::ApplicationDeclined => 3,
        Kind::MembersRemoved | Kind::MembersBlocked => 4,
        Kind::GroupDismissed => 5,
        Kind::GroupCreated => 6,
        Kind::MembersAdded => 7,
        Kind::MemberLeft => 8,
        Kind::MemberChanged if role(data) == Some(Role::Admin) => 9,
        Kind::MemberChanged if role(data).is_some() => 10,
        Kind::GroupInvited => 12,
        Kind::InvitationAccepted => 13,
        Kind::InvitationDeclined => 14,
        _ => OWN_NOTICE,
    }
}

fn role(data: &Map<String, Value>) -> Option<Role> {
    Role::try_from(i32::try_from(data.get("role")?.as_i64()?).ok()?).ok()
}

/// What changed of a group, by the SDK's names.
fn new_profile(tip: &Tip, data: &Map<String, Value>, time: i64, uid: &dyn Fn(u64) -> String) -> Map<String, Value> {
    let mut new = Map::new();
    for (ours, theirs) in [
        ("name", "groupName"),
        ("avatar", "avatar"),
        ("introduction", "introduction"),
        ("announcement", "notification"),
    ] {
        if let Some(value) = data.get(ours) {
            new.insert(theirs.to_owned(), value.clone());
        }
    }
    let number = |name: &str| data.get(name).and_then(Value::as_i64);
    if let Some(policy) =
        number("join_policy").and_then(|policy| JoinPolicy::try_from(i32::try_from(policy).ok()?).ok())
    {
        new.insert("joinOption".to_owned(), super::group::join_option(policy).into());
    }
    if let Some(until) = number("muted_until") {
        new.insert("muteAllMembers".to_owned(), (seconds_of_silence(until, time) > 0).into());
    }
    if let (Kind::OwnerChanged, Some(owner)) = (tip.kind(), tip.users.first()) {
        new.insert("ownerID".to_owned(), uid(*owner).into());
    }
    new
}

/// What changed of a member.
fn members(tip: &Tip, data: &Map<String, Value>, time: i64, uid: &dyn Fn(u64) -> String) -> Vec<Value> {
    if tip.kind() != Kind::MemberChanged {
        return Vec::new();
    }
    let describe = |user: &u64| {
        let mut member = json!({ "userID": uid(*user) });
        if let Some(until) = data.get("muted_until").and_then(Value::as_i64) {
            member["muteTime"] = seconds_of_silence(until, time).into();
        }
        if let Some(card) = data.get("card") {
            member["nameCard"] = card.clone();
        }
        member
    };
    tip.users.iter().map(describe).collect()
}

/// How long a silence lasts from `time` on, both in Unix milliseconds; -1 is for ever.
fn seconds_of_silence(until: i64, time: i64) -> i64 {
    if until == -1 { FOR_EVER } else { ((until - time).max(0) + 999) / 1000 }
}
