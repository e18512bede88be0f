//! What happened to a group, as the JSON that this system's clients are notified with. One notification for each member concerned.

use domain::entry::tip::Kind;
use domain::entry::{Entry, Tip};
use domain::record::GroupKind;
use serde::Serialize;
use serde_json::{Map, Value};

/// A notification: an object with one key, which tells the kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Notification<'a> {
    Create {
        group_id: u64,
        timestamp: i64,
        master: u64,
        name: &'a str,
        members: Vec<u64>,
    },
    Disband {
        group_id: u64,
        timestamp: i64,
        group_name: &'a str,
    },
    UpdateName {
        group_id: u64,
        timestamp: i64,
        name: &'a str,
    },
    UpdateNotice {
        group_id: u64,
        timestamp: i64,
        notice: &'a str,
    },
    AddMember {
        group_id: u64,
        timestamp: i64,
        member_id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        inviter: Option<Inviter>,
    },
    QuitGroup {
        group_id: u64,
        timestamp: i64,
        member_id: u64,
    },
    Upgrade {
        group_id: u64,
        timestamp: i64,
        #[serde(rename = "super")]
        is_super: u8,
    },
    UpdateMemberNickname {
        group_id: u64,
        timestamp: i64,
        nickname: &'a str,
        member_id: u64,
    },
}

/// Who brought a member in.
#[derive(Debug, Serialize)]
struct Inviter {
    uid: u64,
}

/// The notifications that a group's tip is; none where this system has no word for it. `number` tells what a user is called.
pub(super) fn of(group_id: u64, entry: &Entry, tip: &Tip, number: impl Fn(u64) -> u64) -> Vec<String> {
    let data: Map<String, Value> = serde_json::from_str(&tip.data).unwrap_or_default();
    let timestamp = entry.time.div_euclid(1000);
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let id = |name: &str| data.get(name).and_then(Value::as_u64);
    let members = || tip.users.iter().map(|user| (*user, number(*user)));
    let inviter = |member: u64| {
        let by = id("inviter").unwrap_or(entry.sender);
        (by != 0 && by != member).then(|| Inviter { uid: number(by) })
    };
    let notifications = match tip.kind() {
        Kind::GroupCreated => {
            let master = number(id("owner").unwrap_or(entry.sender));
            let members = members().map(|(_, member)| member).collect();
            vec![Notification::Create { group_id, timestamp, master, name: &tip.text, members }]
        }
        Kind::GroupDismissed => vec![Notification::Disband { group_id, timestamp, group_name: &tip.text }],
        Kind::GroupChanged => {
            let name = text("name").map(|name| Notification::UpdateName { group_id, timestamp, name });
            let notice = text("announcement").map(|notice| Notification::UpdateNotice { group_id, timestamp, notice });
            let is_super = data.get("kind").and_then(Value::as_i64) == Some(i64::from(GroupKind::Super as i32));
            let upgrade = is_super.then_some(Notification::Upgrade { group_id, timestamp, is_super: 1 });
            name.into_iter().chain(notice).chain(upgrade).collect()
        }
        Kind::MembersAdded => members()
            .map(|(id, member_id)| Notification::AddMember { group_id, timestamp, member_id, inviter: inviter(id) })
            .collect(),
        Kind::MemberLeft | Kind::MembersRemoved | Kind::MembersBlocked => {
            members().map(|(_, member_id)| Notification::QuitGroup { group_id, timestamp, member_id }).collect()
        }
        Kind::MemberChanged => {
            let Some(nickname) = text("card") else { return Vec::new() };
            let renamed =
                |(_, member_id)| Notification::UpdateMemberNickname { group_id, timestamp, nickname, member_id };
            members().map(renamed).collect()
        }
        _ => Vec::new(),
    };
    notifications.iter().map(|one| serde_json::to_string(one).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Kind, sender: u64, users: &[u64], text: &str, data: &str) -> Vec<String> {
        let entry = Entry { sender, time: 1_700_000_000_999, ..Entry::default() };
        let (text, data) = (text.to_owned(), data.to_owned());
        let tip = Tip { kind: kind as i32, users: users.to_vec(), text, data, ..Tip::default() };
        of(9, &entry, &tip, |user| user + 100)
    }

    #[test]
    fn every_change_that_clients_know_is_told() {
        assert_eq!(
            shown(Kind::GroupCreated, 1, &[1, 2], "g", r#"{"owner":3}"#),
            [r#"{"create":{"group_id":9,"timestamp":1700000000,"master":103,"name":"g","members":[101,102]}}"#]
        );
        assert_eq!(
            shown(Kind::GroupDismissed, 1, &[], "g", ""),
            [r#"{"disband":{"group_id":9,"timestamp":1700000000,"group_name":"g"}}"#]
        );
        assert_eq!(
            shown(Kind::GroupChanged, 1, &[], "", r#"{"name":"n","announcement":"a","kind":4}"#),
            [
                r#"{"update_name":{"group_id":9,"timestamp":1700000000,"name":"n"}}"#,
                r#"{"update_notice":{"group_id":9,"timestamp":1700000000,"notice":"a"}}"#,
                r#"{"upgrade":{"group_id":9,"timestamp":1700000000,"super":1}}"#,
            ]
        );
        assert_eq!(
            shown(Kind::MembersAdded, 1, &[1, 2], "", ""),
            [
                r#"{"add_member":{"group_id":9,"timestamp":1700000000,"member_id":101}}"#,
                r#"{"add_member":{"group_id":9,"timestamp":1700000000,"member_id":102,"inviter":{"uid":101}}}"#,
            ]
        );
        for kind in [Kind::MemberLeft, Kind::MembersRemoved, Kind::MembersBlocked] {
            assert_eq!(
                shown(kind, 1, &[2], "", ""),
                [r#"{"quit_group":{"group_id":9,"timestamp":1700000000,"member_id":102}}"#]
            );
        }
        assert_eq!(
            shown(Kind::MemberChanged, 1, &[2], "", r#"{"card":"c"}"#),
            [r#"{"update_member_nickname":{"group_id":9,"timestamp":1700000000,"nickname":"c","member_id":102}}"#]
        );
    }

    #[test]
    fn what_clients_have_no_word_for_is_left_out() {
        for (kind, data) in [
            (Kind::GroupChanged, r#"{"introduction":"i"}"#),
            (Kind::GroupChanged, "broken"),
            (Kind::MemberChanged, r#"{"muted_until":-1}"#),
            (Kind::OwnerChanged, ""),
            (Kind::FilesChanged, ""),
        ] {
            assert!(shown(kind, 1, &[2], "", data).is_empty(), "{kind:?} {data}");
        }
    }
}
