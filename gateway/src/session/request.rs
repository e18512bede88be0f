//! What clients may ask, parsed once at the edge: what the session hands out is valid in form, whatever the bytes were.
//!
//! Messages and conversations are here; each other noun has a module of its own.

mod board;
mod files;
mod groups;
mod joining;
mod push;
mod roster;
mod users;

use std::collections::HashMap;

use bytes::Bytes;
use domain::conversations::{Have, ViewChange};
use domain::messages::{Chain, HistoryRange, Outgoing};
use domain::record::Mute;
use domain::{ConversationId, Epoch, GroupId, GroupRef, MessageId, Seq, UserId};
use proto::{entry, wire};
use wire::frame::Body;

pub use self::board::BoardRequest;
pub use self::files::{FileRequest, UploadFor};
pub use self::groups::{GroupRequest, Members};
pub use self::joining::JoinRequest;
pub use self::push::PushRequest;
pub use self::roster::RosterRequest;
pub use self::users::UserRequest;
use crate::error::{coded, invalid};

/// Most users in one request.
const MOST_USERS: usize = 200;
/// Most members added or removed at once, and most on a page.
const MOST_MEMBERS: usize = 500;
/// Most rows on a page.
const MOST_ROWS: usize = 200;
/// Most names, tags or fields in one request.
const MOST_NAMES: usize = 200;
/// Most conversations that a device may list in a sync.
const MOST_HAVE: usize = 10_000;
/// Most ids of entries that a device may name of one conversation.
const MOST_IDS: usize = 64;
/// Most entries of one conversation in a page of a sync.
const MOST_SYNC_ENTRIES: usize = 200;

/// A request for the domain.
#[derive(Debug, Clone)]
pub enum Request {
    /// A message, and what it must not overtake.
    Send(Box<Outgoing>, Chain),
    Recall {
        conversation: ConversationId,
        seq: Seq,
    },
    Edit {
        conversation: ConversationId,
        seq: Seq,
        content: Box<entry::Content>,
    },
    Sweep {
        group: GroupId,
        user: UserId,
        from: Seq,
    },
    History {
        conversation: ConversationId,
        range: HistoryRange,
    },
    Sync {
        have: HashMap<ConversationId, Have>,
        page: PageOf,
        entries: usize,
    },
    ListConversations(PageOf),
    GetConversation(ConversationId),
    CountUnread,
    Read {
        conversation: ConversationId,
        seq: Seq,
    },
    UpdateConversation {
        conversation: ConversationId,
        change: ViewChange,
    },
    DeleteConversation(ConversationId),
    Receipts {
        conversation: ConversationId,
        seq: Seq,
    },
    Typing {
        conversation: ConversationId,
        active: bool,
    },
    PresenceQuery(Vec<UserId>),
    PresenceSubscribe(Vec<UserId>),
    Users(UserRequest),
    Roster(RosterRequest),
    Groups(GroupRequest),
    Joining(JoinRequest),
    Board(BoardRequest),
    Files(FileRequest),
    Push(PushRequest),
}

/// Which page of a list.
#[derive(Debug, Clone)]
pub struct PageOf {
    /// Where it starts; `None` for the first.
    pub cursor: Option<Bytes>,
    /// Most rows.
    pub limit: usize,
}

impl Request {
    /// Its name, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send(..) => "send",
            Self::Recall { .. } => "recall",
            Self::Edit { .. } => "edit",
            Self::Sweep { .. } => "sweep_messages",
            Self::History { .. } => "history",
            Self::Sync { .. } => "sync",
            Self::ListConversations(_) => "list_conversations",
            Self::GetConversation(_) => "get_conversation",
            Self::CountUnread => "count_unread",
            Self::Read { .. } => "read",
            Self::UpdateConversation { .. } => "update_conversation",
            Self::DeleteConversation(_) => "delete_conversation",
            Self::Receipts { .. } => "receipts",
            Self::Typing { .. } => "typing",
            Self::PresenceQuery(_) => "presence_query",
            Self::PresenceSubscribe(_) => "presence_subscribe",
            Self::Users(request) => request.name(),
            Self::Roster(request) => request.name(),
            Self::Groups(request) => request.name(),
            Self::Joining(request) => request.name(),
            Self::Board(request) => request.name(),
            Self::Files(request) => request.name(),
            Self::Push(request) => request.name(),
        }
    }

    /// Whether the answer may be as large as a frame.
    #[must_use]
    pub fn asks_for_a_page(&self) -> bool {
        match self {
            Self::History { .. } | Self::Sync { .. } | Self::ListConversations(_) | Self::Receipts { .. } => true,
            Self::Users(request) => request.asks_for_a_page(),
            Self::Roster(request) => request.asks_for_a_page(),
            Self::Groups(request) => request.asks_for_a_page(),
            Self::Joining(request) => request.asks_for_a_page(),
            Self::Board(request) => request.asks_for_a_page(),
            _ => false,
        }
    }

    /// Reads a request out of a frame.
    ///
    /// # Errors
    /// The answer to give: INVALID with the field at fault, or UNSUPPORTED for what is no request.
    pub(super) fn parse(body: Body) -> Result<Self, wire::Error> {
        Ok(match body {
            Body::Send(send) => {
                let outgoing = Outgoing {
                    conversation: conversation(send.conversation.as_ref())?,
                    client_msg_id: client_msg_id(send.client_msg_id)?,
                    content: content(send.content)?,
                    online_only: send.online_only,
                };
                Self::Send(Box::new(outgoing), Chain::default())
            }
            Body::Recall(recall) => {
                Self::Recall { conversation: conversation(recall.conversation.as_ref())?, seq: seq(recall.seq)? }
            }
            Body::Edit(edit) => Self::Edit {
                conversation: conversation(edit.conversation.as_ref())?,
                seq: seq(edit.seq)?,
                content: Box::new(content(edit.content)?),
            },
            Body::SweepMessages(sweep) => {
                Self::Sweep { group: group(sweep.group)?, user: user(sweep.user)?, from: Seq(sweep.from_seq) }
            }
            Body::History(history) => Self::History {
                conversation: conversation(history.conversation.as_ref())?,
                range: HistoryRange {
                    from: Seq(history.from_seq),
                    ascending: history.forward,
                    limit: limit(history.limit, 50, MOST_ROWS),
                },
            },
            Body::Sync(sync) => Self::Sync {
                have: have(&sync.have)?,
                page: page(sync.cursor, sync.limit, MOST_ROWS),
                entries: limit(sync.entries, 20, MOST_SYNC_ENTRIES),
            },
            Body::ListConversations(list) => Self::ListConversations(page(list.cursor, list.limit, MOST_ROWS)),
            Body::GetConversation(get) => Self::GetConversation(conversation(get.conversation.as_ref())?),
            Body::CountUnread(_) => Self::CountUnread,
            Body::Read(read) => {
                Self::Read { conversation: conversation(read.conversation.as_ref())?, seq: seq(read.seq)? }
            }
            Body::UpdateConversation(update) => Self::UpdateConversation {
                conversation: conversation(update.conversation.as_ref())?,
                change: ViewChange {
                    pinned: update.pinned,
                    mute: update.mute.map(mute).transpose()?,
                    remark: update.remark,
                    unread: update.unread,
                    ..ViewChange::default()
                },
            },
            Body::DeleteConversation(delete) => Self::DeleteConversation(conversation(delete.conversation.as_ref())?),
            Body::Receipts(receipts) => {
                Self::Receipts { conversation: conversation(receipts.conversation.as_ref())?, seq: Seq(receipts.seq) }
            }
            Body::Typing(typing) => {
                Self::Typing { conversation: conversation(typing.conversation.as_ref())?, active: typing.active }
            }
            Body::PresenceQuery(query) => Self::PresenceQuery(users(&query.users, MOST_USERS)?),
            Body::PresenceSubscribe(subscribe) => Self::PresenceSubscribe(users(&subscribe.users, MOST_USERS)?),
            Body::FindUsers(_)
            | Body::SearchUsers(_)
            | Body::GetProfile(_)
            | Body::UpdateProfile(_)
            | Body::GetSettings(_)
            | Body::UpdateSettings(_)
            | Body::ChangePassword(_)
            | Body::ListDevices(_)
            | Body::RemoveDevice(_) => Self::Users(UserRequest::parse(body)?),
            Body::ListRoster(_)
            | Body::RequestFriend(_)
            | Body::AnswerFriend(_)
            | Body::ListFriendRequests(_)
            | Body::UpdateContact(_)
            | Body::RemoveFriend(_)
            | Body::Block(_)
            | Body::ListFriendGroups(_)
            | Body::AddFriendGroups(_)
            | Body::DeleteFriendGroups(_) => Self::Roster(RosterRequest::parse(body)?),
            Body::CreateGroup(_)
            | Body::GetGroup(_)
            | Body::UpdateGroup(_)
            | Body::DismissGroup(_)
            | Body::UpgradeGroup(_)
            | Body::AddMembers(_)
            | Body::RemoveMembers(_)
            | Body::JoinGroup(_)
            | Body::LeaveGroup(_)
            | Body::ListGroups(_)
            | Body::SearchGroups(_)
            | Body::ListMembers(_)
            | Body::FindMembers(_)
            | Body::UpdateMember(_)
            | Body::TransferGroup(_)
            | Body::BlockMembers(_)
            | Body::ListBlocked(_)
            | Body::CountRoom(_) => Self::Groups(GroupRequest::parse(body)?),
            Body::ApplyToGroup(_)
            | Body::ListApplications(_)
            | Body::AnswerApplication(_)
            | Body::InviteToGroup(_)
            | Body::ListInvitations(_)
            | Body::AnswerInvitation(_)
            | Body::GetJoinCode(_)
            | Body::JoinByCode(_) => Self::Joining(JoinRequest::parse(body)?),
            Body::Announce(_)
            | Body::ListAnnouncements(_)
            | Body::RemoveAnnouncement(_)
            | Body::ShareFile(_)
            | Body::ListSharedFiles(_)
            | Body::RenameSharedFile(_)
            | Body::RemoveSharedFiles(_) => Self::Board(BoardRequest::parse(body)?),
            Body::GetUpload(_) | Body::GetFileLink(_) | Body::ForwardFile(_) => Self::Files(FileRequest::parse(body)?),
            Body::BindPush(_)
            | Body::SetBadge(_)
            | Body::ListPushTags(_)
            | Body::AddPushTags(_)
            | Body::RemovePushTags(_)
            | Body::SetPushAlias(_) => Self::Push(PushRequest::parse(body)?),
            Body::Hello(_) | Body::Resume(_) => {
                return Err(coded(wire::error::Code::Invalid, "this connection is logged in already"));
            }
            // Pings and confirmations are the session's own; the rest is what the gateway says.
            Body::Ping(_)
            | Body::PushAck(_)
            | Body::Welcome(_)
            | Body::Pong(_)
            | Body::Bye(_)
            | Body::Kicked(_)
            | Body::Resync(_)
            | Body::Drain(_)
            | Body::Error(_)
            | Body::Ok(_)
            | Body::SendAck(_)
            | Body::Push(_)
            | Body::HistoryPage(_)
            | Body::Swept(_)
            | Body::SyncPage(_)
            | Body::ConversationPage(_)
            | Body::Conversation(_)
            | Body::UnreadCount(_)
            | Body::Receipt(_)
            | Body::ReceiptList(_)
            | Body::PresenceList(_)
            | Body::UserList(_)
            | Body::Profile(_)
            | Body::Settings(_)
            | Body::DeviceList(_)
            | Body::RosterPage(_)
            | Body::FriendRequestPage(_)
            | Body::FriendGroupList(_)
            | Body::Group(_)
            | Body::MemberPage(_)
            | Body::GroupPage(_)
            | Body::RoomCount(_)
            | Body::BlockedPage(_)
            | Body::Applied(_)
            | Body::ApplicationPage(_)
            | Body::InvitedList(_)
            | Body::InvitationPage(_)
            | Body::JoinCode(_)
            | Body::Announcement(_)
            | Body::AnnouncementList(_)
            | Body::SharedFile(_)
            | Body::SharedFileList(_)
            | Body::PushTagList(_)
            | Body::Upload(_)
            | Body::FileLink(_)
            | Body::FileShare(_) => return Err(no_request()),
        })
    }
}

/// What the gateway says, and no client.
fn no_request() -> wire::Error {
    coded(wire::error::Code::Unsupported, "this is no request")
}

fn conversation(id: Option<&entry::ConversationId>) -> Result<ConversationId, wire::Error> {
    id.and_then(ConversationId::from_wire).ok_or_else(|| invalid("conversation", "names no conversation"))
}

fn client_msg_id(id: String) -> Result<String, wire::Error> {
    if (1..=64).contains(&id.len()) { Ok(id) } else { Err(invalid("client_msg_id", "is 1 to 64 bytes long")) }
}

fn content(content: Option<entry::Content>) -> Result<entry::Content, wire::Error> {
    content.filter(|content| content.kind.is_some()).ok_or_else(|| invalid("content", "is missing"))
}

/// The record and the contract have the same numbers.
fn mute(number: i32) -> Result<Mute, wire::Error> {
    Mute::try_from(number).map_err(|_| invalid("mute", "is no such choice"))
}

fn seq(seq: u64) -> Result<Seq, wire::Error> {
    if seq > 0 { Ok(Seq(seq)) } else { Err(invalid("seq", "starts at 1")) }
}

fn user(id: u64) -> Result<UserId, wire::Error> {
    if id > 0 { Ok(UserId(id)) } else { Err(invalid("user", "is missing")) }
}

fn group(id: u64) -> Result<GroupId, wire::Error> {
    if id > 0 { Ok(GroupId(id)) } else { Err(invalid("id", "is missing")) }
}

fn users(ids: &[u64], most: usize) -> Result<Vec<UserId>, wire::Error> {
    if ids.len() > most {
        return Err(invalid("users", &format!("names at most {most} users")));
    }
    Ok(ids.iter().copied().map(UserId).collect())
}

fn group_ref(id: u64, gid: String) -> Result<GroupRef, wire::Error> {
    match (id, gid) {
        (0, gid) if gid.is_empty() => Err(invalid("id", "is missing")),
        (0, gid) => Ok(GroupRef::Gid(gid)),
        (id, _) => Ok(GroupRef::Id(GroupId(id))),
    }
}

/// A list that is not too long.
fn at_most<T>(field: &str, list: Vec<T>, most: usize) -> Result<Vec<T>, wire::Error> {
    if list.len() > most { Err(invalid(field, &format!("holds at most {most}"))) } else { Ok(list) }
}

fn have(held: &[wire::Have]) -> Result<HashMap<ConversationId, Have>, wire::Error> {
    if held.len() > MOST_HAVE {
        return Err(invalid("have", &format!("lists at most {MOST_HAVE} conversations")));
    }
    held.iter()
        .map(|have| {
            if have.message_ids.len() > MOST_IDS {
                return Err(invalid("message_ids", &format!("lists at most {MOST_IDS} of a conversation")));
            }
            let message_ids = have.message_ids.iter().copied().map(MessageId).collect();
            let held = Have { epoch: Epoch(have.epoch), seq: Seq(have.seq), message_ids };
            Ok((conversation(have.conversation.as_ref())?, held))
        })
        .collect()
}

fn page(cursor: Bytes, wanted: u32, most: usize) -> PageOf {
    PageOf { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), limit: limit(wanted, 100, most) }
}

/// 0 stands for the default; more than the most is the most.
fn limit(wanted: u32, default: usize, most: usize) -> usize {
    match usize::try_from(wanted).unwrap_or(usize::MAX) {
        0 => default,
        wanted => wanted.min(most),
    }
}
