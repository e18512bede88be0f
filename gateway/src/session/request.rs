//! What clients may ask, parsed once at the edge: what the session hands out is valid in form, whatever the bytes were.

use std::collections::HashMap;

use bytes::Bytes;
use domain::conversations::{Have, ViewChange};
use domain::groups::{GroupChange, MemberChange, NewGroup};
use domain::messages::{Chain, HistoryRange, Outgoing};
use domain::push::Binding;
use domain::record::{Mute, PushProvider, Role};
use domain::roster::{Ask, ContactChange};
use domain::users::{ProfileChange, Search};
use domain::{ConversationId, Epoch, GroupId, GroupRef, Seq, UserId, UserRef};
use proto::{entry, wire};
use wire::frame::Body;

use crate::error::{coded, invalid};

/// Most users in one request.
const MOST_USERS: usize = 200;
/// Most members added or removed at once, and most on a page.
const MOST_MEMBERS: usize = 500;
/// Most rows on a page.
const MOST_ROWS: usize = 200;
/// Most conversations that a device may list in a sync.
const MOST_HAVE: usize = 10_000;
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
    FindUsers(Vec<UserRef>),
    UpdateProfile(Box<ProfileChange>),
    SearchUsers {
        by: Search,
        text: String,
    },
    ListDevices,
    RemoveDevice(String),
    ListRoster(PageOf),
    RequestFriend {
        user: UserId,
        ask: Box<Ask>,
    },
    AcceptFriend(UserId),
    DeclineFriend {
        user: UserId,
        reason: String,
    },
    RemoveFriend(UserId),
    Block {
        user: UserId,
        blocked: bool,
    },
    UpdateContact {
        user: UserId,
        change: Box<ContactChange>,
    },
    CreateGroup(Box<NewGroup>),
    GetGroup(GroupRef),
    UpdateGroup {
        group: GroupId,
        change: Box<GroupChange>,
    },
    DismissGroup(GroupId),
    AddMembers {
        group: GroupId,
        users: Vec<UserId>,
    },
    RemoveMembers {
        group: GroupId,
        users: Vec<UserId>,
    },
    JoinGroup(GroupId),
    LeaveGroup(GroupId),
    ListMembers {
        group: GroupId,
        page: PageOf,
    },
    ListGroups(PageOf),
    UpdateMember {
        group: GroupId,
        user: UserId,
        change: Box<MemberChange>,
    },
    TransferGroup {
        group: GroupId,
        user: UserId,
    },
    BlockMembers {
        group: GroupId,
        users: Vec<UserId>,
        blocked: bool,
    },
    SearchGroups {
        beginning: String,
        page: PageOf,
    },
    /// `None` ends pushes to the device.
    BindPush(Option<Box<Binding>>),
    SetBadge(u32),
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
            Self::History { .. } => "history",
            Self::Sync { .. } => "sync",
            Self::ListConversations(_) => "list_conversations",
            Self::Read { .. } => "read",
            Self::UpdateConversation { .. } => "update_conversation",
            Self::DeleteConversation(_) => "delete_conversation",
            Self::Receipts { .. } => "receipts",
            Self::Typing { .. } => "typing",
            Self::PresenceQuery(_) => "presence_query",
            Self::PresenceSubscribe(_) => "presence_subscribe",
            Self::FindUsers(_) => "find_users",
            Self::UpdateProfile(_) => "update_profile",
            Self::SearchUsers { .. } => "search_users",
            Self::ListDevices => "list_devices",
            Self::RemoveDevice(_) => "remove_device",
            Self::ListRoster(_) => "list_roster",
            Self::RequestFriend { .. } => "request_friend",
            Self::AcceptFriend(_) => "accept_friend",
            Self::DeclineFriend { .. } => "decline_friend",
            Self::RemoveFriend(_) => "remove_friend",
            Self::Block { .. } => "block",
            Self::UpdateContact { .. } => "update_contact",
            Self::CreateGroup(_) => "create_group",
            Self::GetGroup(_) => "get_group",
            Self::UpdateGroup { .. } => "update_group",
            Self::DismissGroup(_) => "dismiss_group",
            Self::AddMembers { .. } => "add_members",
            Self::RemoveMembers { .. } => "remove_members",
            Self::JoinGroup(_) => "join_group",
            Self::LeaveGroup(_) => "leave_group",
            Self::ListMembers { .. } => "list_members",
            Self::ListGroups(_) => "list_groups",
            Self::UpdateMember { .. } => "update_member",
            Self::TransferGroup { .. } => "transfer_group",
            Self::BlockMembers { .. } => "block_members",
            Self::SearchGroups { .. } => "search_groups",
            Self::BindPush(_) => "bind_push",
            Self::SetBadge(_) => "set_badge",
        }
    }

    /// Whether the answer may be as large as a frame.
    #[must_use]
    pub fn asks_for_a_page(&self) -> bool {
        matches!(
            self,
            Self::History { .. }
                | Self::Sync { .. }
                | Self::ListConversations(_)
                | Self::Receipts { .. }
                | Self::FindUsers(_)
                | Self::SearchUsers { .. }
                | Self::ListDevices
                | Self::ListRoster(_)
                | Self::ListMembers { .. }
                | Self::ListGroups(_)
                | Self::SearchGroups { .. }
        )
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
            Body::FindUsers(find) => Self::FindUsers(user_refs(&find.ids, find.uids)?),
            Body::UpdateProfile(update) => Self::UpdateProfile(Box::new(ProfileChange {
                name: update.name,
                avatar: update.avatar,
                gender: update.gender,
                signature: update.signature,
                extension: update.extension,
                ..ProfileChange::default()
            })),
            Body::SearchUsers(search) => Self::SearchUsers { by: searched_by(search.by)?, text: search.text },
            Body::ListDevices(_) => Self::ListDevices,
            Body::RemoveDevice(remove) => Self::RemoveDevice(remove.id),
            Body::ListRoster(list) => Self::ListRoster(page(list.cursor, list.limit, MOST_ROWS)),
            Body::RequestFriend(request) => {
                let wire::RequestFriend { user: of, reason, remark, answer } = request;
                Self::RequestFriend { user: user(of)?, ask: Box::new(Ask { reason, remark, answer }) }
            }
            Body::AnswerFriend(answer) if answer.accept => Self::AcceptFriend(user(answer.user)?),
            Body::AnswerFriend(answer) => Self::DeclineFriend { user: user(answer.user)?, reason: answer.reason },
            Body::UpdateContact(update) => {
                let (remark, extension) = (update.remark, update.extension);
                let change = ContactChange { remark, extension, ..ContactChange::default() };
                Self::UpdateContact { user: user(update.user)?, change: Box::new(change) }
            }
            Body::RemoveFriend(remove) => Self::RemoveFriend(user(remove.user)?),
            Body::Block(block) => Self::Block { user: user(block.user)?, blocked: block.blocked },
            Body::CreateGroup(create) => Self::CreateGroup(Box::new(new_group(create)?)),
            Body::GetGroup(get) => Self::GetGroup(group_ref(get)?),
            Body::UpdateGroup(update) => Self::UpdateGroup {
                group: group(update.id)?,
                change: Box::new(GroupChange {
                    name: update.name,
                    avatar: update.avatar,
                    introduction: update.introduction,
                    announcement: update.announcement,
                    muted_until: update.muted_until,
                    members_may_invite: update.members_may_invite,
                    members_may_edit: update.members_may_edit,
                    history_visible: update.history_visible,
                    ..GroupChange::default()
                }),
            },
            Body::DismissGroup(dismiss) => Self::DismissGroup(group(dismiss.id)?),
            Body::AddMembers(add) => {
                Self::AddMembers { group: group(add.id)?, users: users(&add.users, MOST_MEMBERS)? }
            }
            Body::RemoveMembers(remove) => {
                Self::RemoveMembers { group: group(remove.id)?, users: users(&remove.users, MOST_MEMBERS)? }
            }
            Body::JoinGroup(join) => Self::JoinGroup(group(join.id)?),
            Body::LeaveGroup(leave) => Self::LeaveGroup(group(leave.id)?),
            Body::ListMembers(list) => {
                Self::ListMembers { group: group(list.id)?, page: page(list.cursor, list.limit, MOST_MEMBERS) }
            }
            Body::ListGroups(list) => Self::ListGroups(page(list.cursor, list.limit, MOST_ROWS)),
            Body::UpdateMember(update) => Self::UpdateMember {
                group: group(update.group)?,
                user: user(update.user)?,
                change: Box::new(MemberChange {
                    role: update.role.map(role).transpose()?,
                    card: update.card,
                    muted_until: update.muted_until,
                    ..MemberChange::default()
                }),
            },
            Body::TransferGroup(to) => Self::TransferGroup { group: group(to.id)?, user: user(to.user)? },
            Body::BlockMembers(block) => {
                let (group, users) = (group(block.id)?, users(&block.users, MOST_MEMBERS)?);
                Self::BlockMembers { group, users, blocked: block.blocked }
            }
            Body::SearchGroups(search) => {
                let page = page(search.cursor, search.limit, MOST_ROWS);
                Self::SearchGroups { beginning: search.beginning, page }
            }
            Body::BindPush(bind) if bind.token.is_empty() => Self::BindPush(None),
            Body::BindPush(bind) => Self::BindPush(Some(Box::new(binding(bind)?))),
            Body::SetBadge(set) => Self::SetBadge(set.badge),
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
            | Body::SyncPage(_)
            | Body::ConversationPage(_)
            | Body::Receipt(_)
            | Body::ReceiptList(_)
            | Body::PresenceList(_)
            | Body::UserList(_)
            | Body::DeviceList(_)
            | Body::RosterPage(_)
            | Body::Group(_)
            | Body::MemberPage(_)
            | Body::GroupPage(_) => return Err(coded(wire::error::Code::Unsupported, "this is no request")),
        })
    }
}

fn searched_by(by: i32) -> Result<Search, wire::Error> {
    match wire::search_users::By::try_from(by) {
        Ok(wire::search_users::By::Name) => Ok(Search::Name),
        Ok(wire::search_users::By::Mobile) => Ok(Search::Mobile),
        Ok(wire::search_users::By::Email) => Ok(Search::Email),
        Err(_) => Err(invalid("by", "is no such choice")),
    }
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
fn binding(bind: wire::BindPush) -> Result<Binding, wire::Error> {
    let provider = PushProvider::try_from(bind.provider).map_err(|_| invalid("provider", "is no such choice"))?;
    Ok(Binding { provider, token: bind.token, channel: bind.channel })
}

/// The record and the contract have the same numbers.
fn mute(number: i32) -> Result<Mute, wire::Error> {
    Mute::try_from(number).map_err(|_| invalid("mute", "is no such choice"))
}

/// A role that can be given; ownership is handed over in another way.
fn role(number: i32) -> Result<Role, wire::Error> {
    match wire::GroupRole::try_from(number) {
        Ok(wire::GroupRole::Member) => Ok(Role::Member),
        Ok(wire::GroupRole::Admin) => Ok(Role::Admin),
        Ok(wire::GroupRole::None | wire::GroupRole::Owner) | Err(_) => Err(invalid("role", "must be MEMBER or ADMIN")),
    }
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

fn user_refs(ids: &[u64], uids: Vec<String>) -> Result<Vec<UserRef>, wire::Error> {
    if ids.len() + uids.len() > MOST_USERS {
        return Err(invalid("ids", &format!("names at most {MOST_USERS} users")));
    }
    Ok(ids.iter().map(|id| UserRef::Id(UserId(*id))).chain(uids.into_iter().map(UserRef::Uid)).collect())
}

fn group_ref(get: wire::GetGroup) -> Result<GroupRef, wire::Error> {
    match (get.id, get.gid) {
        (0, gid) if gid.is_empty() => Err(invalid("id", "is missing")),
        (0, gid) => Ok(GroupRef::Gid(gid)),
        (id, _) => Ok(GroupRef::Id(GroupId(id))),
    }
}

fn new_group(create: wire::CreateGroup) -> Result<NewGroup, wire::Error> {
    let members = users(&create.members, MOST_MEMBERS)?;
    Ok(NewGroup {
        gid: Some(create.gid).filter(|gid| !gid.is_empty()),
        name: create.name,
        avatar: create.avatar,
        introduction: create.introduction,
        owner_is_member: true,
        members: members.into_iter().map(|user| (user, domain::record::Role::Member)).collect(),
        ..NewGroup::default()
    })
}

fn have(held: &[wire::Have]) -> Result<HashMap<ConversationId, Have>, wire::Error> {
    if held.len() > MOST_HAVE {
        return Err(invalid("have", &format!("lists at most {MOST_HAVE} conversations")));
    }
    held.iter()
        .map(|have| {
            let held = Have { epoch: Epoch(have.epoch), seq: Seq(have.seq) };
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
