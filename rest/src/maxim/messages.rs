//! Reading messages, and the list of conversations.

use std::collections::BTreeSet;

use domain::conversations::Conversation;
use domain::entry::entry::Body;
use domain::entry::{Content, Entry};
use domain::messages::{HistoryRange, is_recalled, said_at};
use domain::{ConversationId, MessageId, Noun, Seq, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::content;
use super::conversation::{self, Kind, Target};
use super::{Error, Reply};
use crate::context::Cx;
use crate::input::Query;
use crate::lenient;
use crate::names::{Numbers, numbers_of_groups, numbers_of_users};

/// Messages on a page where the caller does not say.
const DEFAULT_PAGE: usize = 20;
/// Most messages on a page.
const LARGEST_PAGE: usize = 100;
/// Most conversations that the list tells; their number is the user's own doing.
const CONVERSATIONS: usize = 1_000;

/// Which messages to read.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ConversationQuery {
    /// The other user, or the group; 0 for what the app itself says.
    #[serde(deserialize_with = "lenient::u64")]
    opposite_id: u64,
    /// The newest message wanted; 0 or none for the newest there is.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    msg_id_start: Option<u64>,
    /// 1 to 100; 20 where it is not told, and more are answered with 100.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    limit: Option<u64>,
    /// 1 a user, 2 a group, for numbers that are both.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_u64")]
    kind: Option<u64>,
}

/// Which conversation to delete.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct DeleteQuery {
    /// The other user, or the group; 0 for what the app itself says.
    #[serde(deserialize_with = "lenient::u64")]
    conversation_id: u64,
    /// 1 a user, 2 a group, for numbers that are both.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_u64")]
    kind: Option<u64>,
}

/// How far the caller has read.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AckQuery {
    /// The other user, or the group; 0 for what the app itself says.
    #[serde(deserialize_with = "lenient::u64")]
    conversation_id: u64,
    /// The newest message that was read; 0 or none for everything.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    msg_id: Option<u64>,
    /// The device that it was read on; taken and not used, for all of a user's devices share the mark.
    #[serde(default, rename = "device_sn", deserialize_with = "lenient::opt_u64")]
    _device_sn: Option<u64>,
    /// 1 a user, 2 a group, for numbers that are both.
    #[serde(default, rename = "type", deserialize_with = "lenient::opt_u64")]
    kind: Option<u64>,
}

/// A page of messages. The `set_` fields say which of the others count, as the system's own serialiser does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    is_last: bool,
    /// The newest first.
    messages: Vec<Message>,
    messages_iterator: Empty,
    messages_size: usize,
    /// `msg_id_start` of the next page; 0 where there is none.
    next_msg_id: u64,
    set_is_last: bool,
    set_messages: bool,
    set_next_msg_id: bool,
}

/// Nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Empty {}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    attachment: String,
    config: String,
    content: String,
    /// `TEXT`, `IMAGE`, `AUDIO`, `VIDEO`, `FILE`, `LOCATION`, `COMMAND` or `FORWARD`.
    ctype: &'static str,
    ext: String,
    from_xid: Xid,
    msg_id: u64,
    set_attachment: bool,
    set_config: bool,
    set_content: bool,
    set_ctype: bool,
    set_ext: bool,
    set_from_xid: bool,
    set_msg_id: bool,
    set_status: bool,
    set_timestamp: bool,
    set_to_xid: bool,
    /// `UNREAD` or `READ`.
    status: &'static str,
    /// Unix milliseconds.
    timestamp: i64,
    to_xid: Xid,
}

/// A user or a group.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Xid {
    device_sn: u32,
    set_device_sn: bool,
    set_uid: bool,
    uid: u64,
}

/// How many messages of a conversation are unread.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Unread {
    conversation_id: Xid,
    num: u64,
    set_conversation_id: bool,
    set_num: bool,
    /// 1 a user, 2 a group.
    #[serde(rename = "type")]
    kind: u8,
}

/// `GET /message/conversation`: messages of one conversation.
pub(crate) async fn conversation(cx: Cx, Query(req): Query<ConversationQuery>) -> Reply<MessagePage> {
    let limit = page_of(req.limit)?;
    let kind = req.kind.map(Kind::parse).transpose()?;
    let target = conversation::with(&cx, req.opposite_id, kind).await?;
    let from = start(&cx, target, req.msg_id_start.unwrap_or_default()).await?;
    // One more than is wanted tells where the next page starts.
    let mut entries = newest(&cx, target, from, limit + 1).await?;
    let next = if entries.len() > limit { entries.pop() } else { None };
    let messages = show_all(&cx, target, entries).await?;
    Ok(MessagePage::of(messages, next.as_ref()))
}

/// `GET /message/ack`: marks messages as read, up to one of them.
pub(crate) async fn ack(cx: Cx, Query(req): Query<AckQuery>) -> Reply<bool> {
    let target = conversation::with(&cx, req.conversation_id, req.kind.map(Kind::parse).transpose()?).await?;
    let seq = match start(&cx, target, req.msg_id.unwrap_or_default()).await? {
        Seq(0) => Seq(u64::MAX),
        seq => seq,
    };
    conversation::unless_new(target, cx.domain.conversations.read(&cx.caller, target.id, seq).await)?;
    Ok(true)
}

/// `DELETE /message/conversation`: hides a conversation and what was said in it so far from the caller.
pub(crate) async fn delete(cx: Cx, Query(req): Query<DeleteQuery>) -> Reply<bool> {
    let target = conversation::with(&cx, req.conversation_id, req.kind.map(Kind::parse).transpose()?).await?;
    conversation::unless_new(target, cx.domain.conversations.delete(&cx.caller, target.id).await)?;
    Ok(true)
}

/// `GET /message/unread`: the caller's conversations, the most recent first.
pub(crate) async fn unread(cx: Cx, (): ()) -> Reply<Vec<Unread>> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = cx.domain.conversations.list(&cx.caller, cursor.as_deref(), LARGEST_PAGE).await?;
        rows.extend(show_unread(&cx, &page.items).await?);
        cursor = page.next;
        if cursor.is_none() || rows.len() >= CONVERSATIONS {
            rows.truncate(CONVERSATIONS);
            return Ok(rows);
        }
    }
}

impl MessagePage {
    fn of(messages: Vec<Message>, next: Option<&Entry>) -> Self {
        Self {
            is_last: next.is_none(),
            messages_size: messages.len(),
            messages,
            messages_iterator: Empty {},
            next_msg_id: next.map_or(0, |next| next.message_id),
            set_is_last: true,
            set_messages: true,
            set_next_msg_id: next.is_some(),
        }
    }
}

/// How many messages there are on a page.
fn page_of(limit: Option<u64>) -> Reply<usize> {
    match limit {
        Some(0) => Err(Error::parameter("limit: must be at least 1")),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE)),
        None => Ok(DEFAULT_PAGE),
    }
}

/// The seq to read from; 0 for the newest.
async fn start(cx: &Cx, target: Target, message: u64) -> Reply<Seq> {
    if message == 0 {
        return Ok(Seq(0));
    }
    let found = cx.domain.messages.position(&cx.caller, target.id, MessageId(message)).await;
    Ok(conversation::unless_new(target, found)?.ok_or(domain::Error::NotFound(Noun::Message))?)
}

/// Up to `count` entries that say something, the newest first. What was withdrawn is gone for this system's clients.
async fn newest(cx: &Cx, target: Target, mut from: Seq, count: usize) -> Reply<Vec<Entry>> {
    let mut found: Vec<Entry> = Vec::new();
    while found.len() < count {
        let range = HistoryRange { from, ascending: false, limit: count };
        let page = cx.domain.messages.history(&cx.caller, target.id, range).await;
        let page = conversation::unless_new(target, page)?;
        let end = page.entries.last().map_or(0, |entry| entry.seq);
        let says = |entry: &Entry| matches!(entry.body, Some(Body::Message(_))) && !is_recalled(entry);
        found.extend(page.entries.into_iter().filter(says));
        if page.complete || end <= 1 {
            break;
        }
        from = Seq(end - 1);
    }
    found.truncate(count);
    Ok(found)
}

async fn show_all(cx: &Cx, target: Target, entries: Vec<Entry>) -> Reply<Vec<Message>> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let me = cx.caller.user()?;
    let mut people: BTreeSet<u64> = entries.iter().map(|entry| entry.sender).chain([me.0]).collect();
    people.extend(entries.iter().filter_map(said).flat_map(content::named));
    let numbers = numbers_of_users(cx, people).await?;
    let seen = cx.domain.conversations.get(&cx.caller, target.id).await?;
    Ok(entries.into_iter().map(|entry| show(&seen, target, me, &numbers, entry)).collect())
}

/// What an entry says, if it says something.
fn said(entry: &Entry) -> Option<&Content> {
    match &entry.body {
        Some(Body::Message(content)) => Some(content),
        Some(Body::Edit(_) | Body::Recall(_) | Body::Tip(_)) | None => None,
    }
}

fn show(seen: &Conversation, target: Target, me: UserId, numbers: &Numbers, entry: Entry) -> Message {
    let timestamp = said_at(&entry);
    let said = said(&entry).cloned().unwrap_or_default();
    let number = |user: u64| numbers.of(user);
    let mine = entry.sender == me.0;
    let to = match target.id {
        ConversationId::Direct { .. } | ConversationId::Notices(_) if !mine => number(me.0),
        _ => target.number,
    };
    let read_to = if mine { seen.peer_read_seq } else { seen.read_seq };
    let config = content::show_config(&said, &number);
    let body = content::show(&said, &number);
    Message {
        ctype: body.type_name(),
        set_attachment: !body.attachment.is_empty(),
        set_config: !config.is_empty(),
        set_content: !body.content.is_empty(),
        set_ctype: true,
        set_ext: !said.extension.is_empty(),
        set_from_xid: true,
        set_msg_id: true,
        set_status: true,
        set_timestamp: true,
        set_to_xid: true,
        attachment: body.attachment,
        config,
        content: body.content,
        ext: said.extension,
        from_xid: Xid::of(number(entry.sender)),
        msg_id: entry.message_id,
        status: if entry.seq <= read_to.0 { "READ" } else { "UNREAD" },
        timestamp,
        to_xid: Xid::of(to),
    }
}

impl Xid {
    fn of(uid: u64) -> Self {
        Self { device_sn: 0, set_device_sn: false, set_uid: true, uid }
    }
}

async fn show_unread(cx: &Cx, conversations: &[Conversation]) -> Reply<Vec<Unread>> {
    let me = cx.caller.user()?;
    let peer_of = |seen: &Conversation| seen.id.peer_of(me).map(|peer| peer.0);
    let group_of = |seen: &Conversation| match seen.id {
        ConversationId::Group(group) => Some(group.0),
        ConversationId::Direct { .. } | ConversationId::Notices(_) => None,
    };
    let peers = numbers_of_users(cx, conversations.iter().filter_map(peer_of)).await?;
    let groups = numbers_of_groups(cx, conversations.iter().filter_map(group_of)).await?;
    let mut rows = Vec::with_capacity(conversations.len());
    for seen in conversations {
        let (kind, uid) = match seen.id {
            ConversationId::Direct { .. } => (Kind::User, peers.of(peer_of(seen).unwrap_or_default())),
            ConversationId::Group(group) => (Kind::Group, groups.of(group.0)),
            // Most notices are of other things than messages, and no conversation to this system.
            ConversationId::Notices(_) if seen.unread == 0 => continue,
            ConversationId::Notices(_) => (Kind::User, conversation::SYSTEM),
        };
        rows.push(Unread {
            conversation_id: Xid::of(uid),
            num: seen.unread,
            set_conversation_id: true,
            set_num: true,
            kind: kind.number(),
        });
    }
    Ok(rows)
}
