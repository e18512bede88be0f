//! Entries of a conversation's log, as the message objects that tim clients know.
//!
//! Edits and withdrawals are entries too, but tim has no such messages: the message that they concern has changed already, so they are left out.

use std::collections::{BTreeSet, HashMap};

use domain::entry::content::Kind as Said;
use domain::entry::entry::Body;
use domain::entry::tip::Kind as Happening;
use domain::entry::{self, Entry};
use domain::groups::gid_of;
use domain::users::uid_of;
use domain::{ConversationId, GroupId, GroupRef, Seq, UserId, UserRef, record};
use serde_json::value::RawValue;

use super::conversation::{Kind, Target, With};
use super::message::{EVERYBODY, Message, Wrapped, priority_name};
use super::{Error, content, payload};
use crate::context::Cx;

/// What it takes to show the entries of one conversation.
struct Viewer<'a> {
    me: UserId,
    target: &'a Target,
    people: HashMap<u64, record::User>,
    /// Names within the group.
    cards: HashMap<u64, String>,
    /// Groups that notices are about.
    groups: HashMap<u64, String>,
    peer_read: Seq,
}

/// Shows entries, in the order given.
pub(super) async fn show(cx: &Cx, target: &Target, entries: &[Entry]) -> Result<Vec<Wrapped>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let viewer = Viewer::new(cx, target, entries).await?;
    Ok(entries.iter().filter_map(|entry| viewer.show(entry)).map(|message| Wrapped { message }).collect())
}

/// Whether an entry has a message object.
pub(super) fn is_shown(entry: &Entry) -> bool {
    matches!(entry.body, Some(Body::Message(_) | Body::Tip(_)))
}

impl<'a> Viewer<'a> {
    async fn new(cx: &Cx, target: &'a Target, entries: &[Entry]) -> Result<Self, Error> {
        let me = cx.caller.user()?;
        let mut named: BTreeSet<u64> = entries.iter().flat_map(users_of).collect();
        named.insert(me.0);
        named.remove(&0);
        let asked: Vec<UserRef> = named.iter().map(|id| UserRef::Id(UserId(*id))).collect();
        let found = cx.domain.users.find_many(&cx.caller, &asked).await?;
        let people = named.into_iter().zip(found).filter_map(|(id, user)| Some((id, user?))).collect();
        let (mut cards, mut groups, mut peer_read) = (HashMap::new(), HashMap::new(), Seq(0));
        match target.id {
            ConversationId::Direct { .. } => {
                peer_read = cx.domain.conversations.get(&cx.caller, target.id).await?.peer_read_seq;
            }
            ConversationId::Group(group) => cards = cards_of(cx, group, entries).await?,
            ConversationId::Notices(_) => groups = groups_of(cx, entries).await?,
        }
        Ok(Self { me, target, people, cards, groups, peer_read })
    }

    fn uid(&self, user: u64) -> String {
        match (user, self.people.get(&user)) {
            (0, _) => "administrator".to_owned(),
            (_, Some(user)) => uid_of(user),
            // The record is gone, the id is not.
            (id, None) => id.to_string(),
        }
    }

    fn show(&self, entry: &Entry) -> Option<Message> {
        let (kind, payload, content) = match entry.body.as_ref()? {
            Body::Message(said) => {
                let (kind, payload) = content::show(said, &|user| self.uid(user));
                (kind, payload, said.clone())
            }
            Body::Tip(tip) => {
                let (kind, payload) = self.show_tip(entry, tip);
                (kind, payload, entry::Content::default())
            }
            Body::Edit(_) | Body::Recall(_) => return None,
        };
        let mine = entry.sender == self.me.0;
        let profile = self.people.get(&entry.sender).and_then(|user| user.profile.clone()).unwrap_or_default();
        let mut at_user_list: Vec<String> = content.mentions.iter().map(|user| self.uid(*user)).collect();
        if content.mention_all {
            at_user_list.insert(0, EVERYBODY.to_owned());
        }
        Some(Message {
            id: entry.message_id.to_string(),
            kind: kind.to_owned(),
            payload,
            conversation_id: self.target.full_name(),
            conversation_type: self.target.kind().name(),
            to: self.receiver(mine),
            from: self.uid(entry.sender),
            flow: if mine { "out" } else { "in" },
            time: entry.time.div_euclid(1000),
            status: "success",
            is_revoked: domain::messages::is_recalled(entry),
            priority: priority_name(content.priority()),
            nick: first_of(&content.sender_name, &profile.name),
            avatar: first_of(&content.sender_avatar, &profile.avatar),
            is_peer_read: mine && self.target.kind() == Kind::Direct && entry.seq <= self.peer_read.0,
            name_card: self.cards.get(&entry.sender).cloned().unwrap_or_default(),
            at_user_list,
            cloud_custom_data: content.extension,
        })
    }

    /// Whom a message of this conversation is to.
    fn receiver(&self, mine: bool) -> String {
        match &self.target.with {
            With::User(peer) if mine => uid_of(peer),
            With::Group(group) => gid_of(group),
            With::User(_) | With::System => self.uid(self.me.0),
        }
    }

    fn show_tip(&self, entry: &Entry, tip: &entry::Tip) -> (&'static str, Box<RawValue>) {
        let operator_id = self.uid(entry.sender);
        if self.target.kind() != Kind::System {
            let user_id_list = tip.users.iter().map(|user| self.uid(*user)).collect();
            let operation_type = tip_number(tip.kind());
            let tip = payload::GroupTip { operator_id, operation_type, user_id_list, text: tip.text.clone() };
            return ("TIMGroupTipElem", content::raw(&tip));
        }
        let group_id = self.groups.get(&tip.group).cloned().unwrap_or_default();
        let (operation_type, user_defined_field) = (notice_number(tip.kind()), tip.text.clone());
        let group_profile = payload::NoticeGroup { group_id };
        let notice = payload::GroupSystemNotice { operator_id, operation_type, group_profile, user_defined_field };
        ("TIMGroupSystemNoticeElem", content::raw(&notice))
    }
}

/// 1 joined, 2 left, 3 removed, 6 the group changed, 7 a member changed.
fn tip_number(kind: Happening) -> u8 {
    match kind {
        Happening::MembersAdded => 1,
        Happening::MemberLeft => 2,
        Happening::MembersRemoved => 3,
        Happening::MemberChanged => 7,
        _ => 6,
    }
}

/// 4 removed, 5 the group was dismissed, 6 the group was made, 7 invited, 255 anything else, told by its text.
fn notice_number(kind: Happening) -> u8 {
    match kind {
        Happening::MembersRemoved => 4,
        Happening::GroupDismissed => 5,
        Happening::GroupCreated => 6,
        Happening::MembersAdded => 7,
        _ => 255,
    }
}

fn first_of(one: &str, other: &str) -> String {
    if one.is_empty() { other } else { one }.to_owned()
}

/// Every user that showing this entry names.
fn users_of(entry: &Entry) -> Vec<u64> {
    let mut users = vec![entry.sender];
    match &entry.body {
        Some(Body::Message(content)) => {
            users.extend(&content.mentions);
            if let Some(Said::Forward(forward)) = &content.kind {
                users.extend(forward.items.iter().map(|item| item.sender));
            }
        }
        Some(Body::Tip(tip)) => users.extend(&tip.users),
        Some(Body::Edit(_) | Body::Recall(_)) | None => {}
    }
    users
}

/// The senders' names within the group; who has left has none.
async fn cards_of(cx: &Cx, group: GroupId, entries: &[Entry]) -> Result<HashMap<u64, String>, Error> {
    let senders: BTreeSet<u64> = entries.iter().map(|entry| entry.sender).filter(|sender| *sender != 0).collect();
    let mut cards = HashMap::new();
    for sender in senders {
        if let Some(member) = cx.domain.groups.member(&cx.caller, group, UserId(sender)).await? {
            cards.insert(sender, member.card);
        }
    }
    Ok(cards)
}

/// What the groups are called that notices are about; those that the caller may not know of have no name.
async fn groups_of(cx: &Cx, entries: &[Entry]) -> Result<HashMap<u64, String>, Error> {
    let about = |entry: &Entry| match &entry.body {
        Some(Body::Tip(tip)) if tip.group != 0 => Some(tip.group),
        _ => None,
    };
    let mut names = HashMap::new();
    for group in entries.iter().filter_map(about).collect::<BTreeSet<u64>>() {
        match cx.domain.groups.find(&cx.caller, &GroupRef::Id(GroupId(group))).await {
            Ok(found) => names.insert(group, gid_of(&found)),
            Err(domain::Error::NotFound(_)) => names.insert(group, group.to_string()),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(names)
}
