//! Entries of a conversation's log, as the message objects that tim clients know.
//!
//! Edits and withdrawals are entries too, but tim has no such messages: the message that they concern has changed already, so they are left out.

use std::collections::{BTreeSet, HashMap};

use domain::entry::content::Kind as Said;
use domain::entry::entry::Body;
use domain::entry::{self, Entry};
use domain::groups::gid_of;
use domain::users::uid_of;
use domain::{ConversationId, GroupId, GroupRef, Seq, UserId, UserRef, record};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::conversation::{Kind, Target, With};
use super::message::{EVERYBODY, Message, Wrapped, priority_name};
use super::{Error, content, messages, payload, tips};
use crate::context::Cx;
use crate::preview::preview;

/// The newest message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastMessage {
    /// Unix seconds.
    last_time: i64,
    last_sequence: u64,
    from_account: String,
    is_revoked: bool,
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
    message_for_show: String,
}

impl LastMessage {
    pub(super) fn of(message: &Message, entry: &Entry) -> Self {
        let message_for_show = match &entry.body {
            Some(Body::Message(content)) => preview(content),
            _ => String::new(),
        };
        Self {
            last_time: message.time,
            last_sequence: entry.seq,
            from_account: message.from.clone(),
            is_revoked: message.is_revoked,
            kind: message.kind.clone(),
            payload: message.payload.clone(),
            message_for_show,
        }
    }
}

/// The newest entry of a conversation that has a message object, and that object. `newest` is the newest entry of all.
pub(super) async fn last(cx: &Cx, target: &Target, newest: Option<Entry>) -> Result<Option<(Entry, Message)>, Error> {
    let entry = match newest {
        Some(entry) if is_shown(&entry) => Some(entry),
        // An edit or a withdrawal is newer than what there is to show.
        Some(_) => messages::newest(cx, target, Seq(0), 1).await?.pop(),
        None => None,
    };
    let Some(entry) = entry else { return Ok(None) };
    let shown = show(cx, target, std::slice::from_ref(&entry)).await?.pop();
    Ok(shown.map(|shown| (entry, shown.message)))
}

/// What it takes to show the entries of one conversation.
struct Viewer<'a> {
    me: UserId,
    target: &'a Target,
    people: HashMap<u64, record::User>,
    /// Names within the group.
    cards: HashMap<u64, String>,
    /// Groups that notices are about.
    groups: HashMap<u64, payload::NoticeGroup>,
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
    match &entry.body {
        Some(Body::Message(_)) => true,
        Some(Body::Tip(tip)) => tips::is_told(tip),
        Some(Body::Edit(_) | Body::Recall(_)) | None => false,
    }
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
            Body::Tip(tip) if !tips::is_told(tip) => return None,
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
            time: domain::messages::said_at(entry).div_euclid(1000),
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
        let uid = |user| self.uid(user);
        match &self.target.with {
            With::Group(group) => tips::in_group(group, entry, tip, &uid),
            With::User(_) | With::System => {
                tips::to_user(self.groups.get(&tip.group).cloned().unwrap_or_default(), entry, tip, &uid)
            }
        }
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
async fn groups_of(cx: &Cx, entries: &[Entry]) -> Result<HashMap<u64, payload::NoticeGroup>, Error> {
    let about = |entry: &Entry| match &entry.body {
        Some(Body::Tip(tip)) if tip.group != 0 => Some(tip.group),
        _ => None,
    };
    let mut names = HashMap::new();
    for group in entries.iter().filter_map(about).collect::<BTreeSet<u64>>() {
        let named = match cx.domain.groups.find(&cx.caller, &GroupRef::Id(GroupId(group))).await {
            Ok(found) => payload::NoticeGroup { group_id: gid_of(&found), name: found.name },
            Err(domain::Error::NotFound(_)) => {
                payload::NoticeGroup { group_id: group.to_string(), name: String::new() }
            }
            Err(error) => return Err(error.into()),
        };
        names.insert(group, named);
    }
    Ok(names)
}
