//! What the fake knows, and how it answers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use proto::entry::{self, ConversationId, Entry, conversation_id::Kind};
use proto::wire::{self, Delivery, Frame, Push, Resumed, Send, SendAck, Welcome, error::Code, frame::Body};
use tokio::sync::{Notify, mpsc};

pub(crate) const EPOCH: u64 = 77;

/// What to do after a frame.
pub(super) enum Step {
    Answer(Frame),
    Nothing,
    /// Answer, if there is something to say, and end the connection.
    End(Option<Frame>),
}

/// Everything the fake holds. Users are whoever logs in: the token `"alice:1"` is user 1, called alice.
#[derive(Default)]
pub(crate) struct State {
    pub(super) cut: Notify,
    pub(super) written: AtomicUsize,
    pub(super) logins: AtomicUsize,
    /// Pushes are dropped, as if the hint had been lost.
    pub(crate) lose_pushes: AtomicBool,
    /// Sends are stored but their answers are lost, one connection each.
    pub(crate) swallow_acks: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    users: HashMap<u64, String>,
    logs: HashMap<Vec<u8>, Vec<Entry>>,
    sessions: HashMap<u64, Session>,
    commands: Vec<String>,
}

struct Session {
    user: u64,
    client: Option<mpsc::Sender<Frame>>,
    /// Every push of this session; the client says how many it has.
    pushes: Vec<Frame>,
    /// Pushes given to the connection.
    given: usize,
}

impl Session {
    /// Hands over what fits; the rest follows with the next push or resume.
    fn flow(&mut self) {
        while let (Some(client), Some(push)) = (&self.client, self.pushes.get(self.given)) {
            if client.try_send(push.clone()).is_err() {
                return;
            }
            self.given += 1;
        }
    }
}

fn key(id: &ConversationId) -> Vec<u8> {
    proto::Message::encode_to_vec(id)
}

fn members(id: &ConversationId) -> Vec<u64> {
    match id.kind.as_ref().unwrap() {
        Kind::Direct(direct) => vec![direct.low, direct.high],
        Kind::Notices(user) => vec![*user],
        Kind::Group(_) => Vec::new(),
    }
}

fn refusal(id: u64, code: Code, message: &str) -> Frame {
    let error = wire::Error { code: code.into(), message: message.to_owned(), ..wire::Error::default() };
    Frame { id, body: Some(Body::Error(error)) }
}

impl State {
    /// Bytes that clients have taken off their connections, or that wait in the sockets.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::SeqCst)
    }

    /// The names of all commands seen so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.inner.lock().unwrap().commands.clone()
    }

    /// The texts of a conversation between two users.
    pub(crate) fn texts(&self, low: u64, high: u64) -> Vec<String> {
        let id = ConversationId { kind: Some(Kind::Direct(entry::Direct { low, high })) };
        let inner = self.inner.lock().unwrap();
        let log = inner.logs.get(&key(&id)).cloned().unwrap_or_default();
        log.iter().map(|entry| linnet_sdk::content::text_of(entry).unwrap().to_owned()).collect()
    }

    /// Writes a message as if another user had sent it.
    pub(crate) fn write(&self, low: u64, high: u64, sender: u64, text: &str) {
        let conversation = Some(ConversationId { kind: Some(Kind::Direct(entry::Direct { low, high })) });
        let content = Some(linnet_sdk::content::text(text));
        let count = self.inner.lock().unwrap().logs.values().map(Vec::len).sum::<usize>();
        let send = Send { conversation, client_msg_id: format!("w{count}"), content, online_only: false };
        self.append(sender, u64::MAX, &send);
    }

    pub(super) fn tell_all(&self, body: &Body) {
        for session in self.inner.lock().unwrap().sessions.values() {
            if let Some(client) = &session.client {
                let _ = client.try_send(Frame { id: 0, body: Some(body.clone()) });
            }
        }
    }

    pub(super) fn park(&self, session: Option<u64>) {
        if let Some(session) = session.and_then(|id| self.inner.lock().unwrap().sessions.remove(&id).map(|s| (id, s))) {
            let (id, session) = session;
            self.inner.lock().unwrap().sessions.insert(id, Session { client: None, ..session });
        }
    }

    pub(super) fn handle(&self, session: &mut Option<u64>, client: &mpsc::Sender<Frame>, frame: Frame) -> Step {
        let Frame { id, body: Some(body) } = frame else { panic!("a frame without a body") };
        let name = format!("{body:?}");
        let name = name.split('(').next().unwrap_or_default().to_owned();
        self.inner.lock().unwrap().commands.push(name);
        let answer = match (body, *session) {
            (Body::Hello(hello), None) => return self.hello(session, client, id, &hello),
            (Body::Resume(resume), None) => return self.resume(session, client, id, &resume),
            (_, None) => return Step::End(Some(refusal(id, Code::Unauthenticated, "say Hello first"))),
            (Body::Bye(_), _) => return Step::End(None),
            (Body::Ping(_), _) => Body::Pong(wire::Pong { server_time: 1 }),
            (Body::PushAck(_) | Body::Typing(_), Some(session)) => {
                if let Some(session) = self.inner.lock().unwrap().sessions.get_mut(&session) {
                    session.flow();
                }
                return Step::Nothing;
            }
            (Body::Send(send), Some(session)) => {
                let user = self.inner.lock().unwrap().sessions[&session].user;
                let ack = self.append(user, session, &send);
                let swallowed =
                    self.swallow_acks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
                if swallowed.is_ok() {
                    return Step::Nothing;
                }
                Body::SendAck(ack)
            }
            (Body::Sync(sync), Some(session)) => Body::SyncPage(self.sync(session, &sync)),
            (Body::History(history), _) => Body::HistoryPage(self.history(&history)),
            (Body::FindUsers(find), _) => Body::UserList(self.find(&find)),
            (other, _) => match plain_answer(&other) {
                Some(answer) => answer,
                None => return Step::Answer(refusal(id, Code::Unsupported, "not here")),
            },
        };
        Step::Answer(Frame { id, body: Some(answer) })
    }

    fn hello(&self, session: &mut Option<u64>, client: &mpsc::Sender<Frame>, id: u64, hello: &wire::Hello) -> Step {
        let Some((name, user)) = hello.token.split_once(':').and_then(|(n, u)| Some((n, u.parse::<u64>().ok()?)))
        else {
            return Step::End(Some(refusal(id, Code::Unauthenticated, "unknown token")));
        };
        let mut inner = self.inner.lock().unwrap();
        inner.users.insert(user, name.to_owned());
        let number = inner.sessions.len() as u64 + 1;
        inner.sessions.insert(number, Session { user, client: Some(client.clone()), pushes: Vec::new(), given: 0 });
        *session = Some(number);
        self.logins.fetch_add(1, Ordering::SeqCst);
        Step::Answer(welcome(id, number, user, name, Resumed::New))
    }

    fn resume(&self, session: &mut Option<u64>, client: &mpsc::Sender<Frame>, id: u64, resume: &wire::Resume) -> Step {
        let number = std::str::from_utf8(&resume.ticket).unwrap().parse().unwrap();
        let mut inner = self.inner.lock().unwrap();
        let Some(found) = inner.sessions.get_mut(&number) else {
            return Step::End(Some(refusal(id, Code::StaleTicket, "gone")));
        };
        found.client = Some(client.clone());
        found.given = usize::try_from(resume.received).unwrap();
        assert!(found.given <= found.pushes.len(), "the client claims pushes that were never made");
        found.flow();
        let user = found.user;
        *session = Some(number);
        self.logins.fetch_add(1, Ordering::SeqCst);
        let name = inner.users[&user].clone();
        Step::Answer(welcome(id, number, user, &name, Resumed::Complete))
    }

    /// Stores a message once, and pushes it to every member's other sessions.
    fn append(&self, sender: u64, from: u64, send: &Send) -> SendAck {
        let id = send.conversation.as_ref().unwrap();
        let mut inner = self.inner.lock().unwrap();
        let log = inner.logs.entry(key(id)).or_default();
        let known = log.iter().find(|entry| entry.client_msg_id == send.client_msg_id).cloned();
        let entry = known.clone().unwrap_or_else(|| Entry {
            seq: log.len() as u64 + 1,
            message_id: 5000 + log.len() as u64,
            sender,
            time: 1,
            client_msg_id: send.client_msg_id.clone(),
            body: send.content.clone().map(entry::entry::Body::Message),
        });
        if known.is_none() {
            log.push(entry.clone());
            let delivery =
                Delivery { conversation: Some(*id), epoch: EPOCH, entry: Some(entry.clone()), online_only: false };
            let push = Frame { id: 0, body: Some(Body::Push(Push { deliveries: vec![delivery] })) };
            let members = members(id);
            for (&number, session) in &mut inner.sessions {
                if members.contains(&session.user) && number != from && !self.lose_pushes.load(Ordering::SeqCst) {
                    session.pushes.push(push.clone());
                    session.flow();
                }
            }
        }
        let Entry { seq, message_id, time, client_msg_id, .. } = entry;
        SendAck { client_msg_id, conversation: Some(*id), epoch: EPOCH, seq, message_id, time }
    }

    fn sync(&self, session: u64, sync: &wire::Sync) -> wire::SyncPage {
        let inner = self.inner.lock().unwrap();
        let user = inner.sessions[&session].user;
        let have: HashMap<Vec<u8>, u64> =
            sync.have.iter().map(|have| (key(have.conversation.as_ref().unwrap()), have.seq)).collect();
        let conversations = inner.logs.iter().filter_map(|(id, log)| {
            let conversation: ConversationId = proto::Message::decode(&id[..]).unwrap();
            members(&conversation).contains(&user).then(|| {
                let held = have.get(id).copied().unwrap_or(0);
                let missing: Vec<Entry> = log.iter().filter(|entry| entry.seq > held).cloned().collect();
                let cut = missing.len().saturating_sub(sync.entries as usize);
                let entries = missing[cut..].to_vec();
                let verdict = if cut > 0 { wire::Verdict::Truncated } else { wire::Verdict::Complete };
                wire::ConversationSync {
                    state: Some(wire::Conversation {
                        id: Some(conversation),
                        epoch: EPOCH,
                        last_seq: log.len() as u64,
                        first_seq: 1,
                        ..wire::Conversation::default()
                    }),
                    verdict: verdict.into(),
                    from_seq: entries.first().filter(|_| cut > 0).map_or(0, |entry| entry.seq),
                    entries,
                }
            })
        });
        wire::SyncPage { conversations: conversations.collect(), next: Bytes::new() }
    }

    fn history(&self, history: &wire::History) -> wire::HistoryPage {
        let inner = self.inner.lock().unwrap();
        let log = inner.logs.get(&key(history.conversation.as_ref().unwrap())).cloned().unwrap_or_default();
        let limit = if history.limit == 0 { 50 } else { history.limit as usize };
        let entries: Vec<Entry> = if history.forward {
            log.iter().filter(|entry| entry.seq >= history.from_seq).take(limit).cloned().collect()
        } else {
            let from = if history.from_seq == 0 { u64::MAX } else { history.from_seq };
            log.iter().rev().filter(|entry| entry.seq <= from).take(limit).cloned().collect()
        };
        wire::HistoryPage {
            conversation: history.conversation,
            epoch: EPOCH,
            entries,
            complete: true,
            first_seq: 1,
            last_seq: log.len() as u64,
        }
    }

    fn find(&self, find: &wire::FindUsers) -> wire::UserList {
        let inner = self.inner.lock().unwrap();
        let users = inner.users.iter().filter(|(id, uid)| find.ids.contains(id) || find.uids.contains(uid));
        let users = users.map(|(&id, uid)| wire::User { id, uid: uid.clone(), ..wire::User::default() });
        wire::UserList { users: users.collect() }
    }
}

fn welcome(id: u64, session: u64, user: u64, uid: &str, resumed: Resumed) -> Frame {
    let welcome = Welcome {
        user,
        uid: uid.to_owned(),
        session,
        ticket: session.to_string().into_bytes().into(),
        resume_window_ms: 60_000,
        heartbeat_ms: 1000,
        server_time: 1,
        resumed: resumed.into(),
        max_frame: 1 << 20,
        capabilities: Vec::new(),
    };
    Frame { id, body: Some(Body::Welcome(welcome)) }
}

/// Commands that the fake only has to understand: an answer of the right kind.
fn plain_answer(command: &Body) -> Option<Body> {
    Some(match command {
        Body::ListConversations(_) => Body::ConversationPage(wire::ConversationPage::default()),
        Body::Receipts(_) => Body::ReceiptList(wire::ReceiptList::default()),
        Body::PresenceQuery(query) => Body::PresenceList(presences(&query.users)),
        Body::PresenceSubscribe(query) => Body::PresenceList(presences(&query.users)),
        Body::SearchUsers(_) => Body::UserList(wire::UserList::default()),
        Body::ListDevices(_) => Body::DeviceList(wire::DeviceList::default()),
        Body::ListRoster(_) => Body::RosterPage(wire::RosterPage::default()),
        Body::CreateGroup(create) => Body::Group(wire::Group {
            id: 900,
            name: create.name.clone(),
            gid: create.gid.clone(),
            ..wire::Group::default()
        }),
        Body::GetGroup(get) => Body::Group(wire::Group { id: get.id, gid: get.gid.clone(), ..wire::Group::default() }),
        Body::ListGroups(_) | Body::SearchGroups(_) => Body::GroupPage(wire::GroupPage::default()),
        Body::SweepMessages(_) => Body::Swept(wire::Swept { recalled: 3, next_seq: 0 }),
        Body::GetConversation(get) => {
            Body::Conversation(wire::Conversation { id: get.conversation, ..wire::Conversation::default() })
        }
        Body::CountUnread(_) => Body::UnreadCount(wire::UnreadCount { count: 4 }),
        Body::GetProfile(_) => Body::Profile(wire::Profile { username: "al".to_owned(), ..wire::Profile::default() }),
        Body::GetSettings(_) => Body::Settings(wire::Settings::default()),
        Body::UpdateSettings(update) => Body::Settings(wire::Settings {
            friend_policy: update.friend_policy.unwrap_or_default(),
            ..wire::Settings::default()
        }),
        Body::ListFriendRequests(_) => Body::FriendRequestPage(wire::FriendRequestPage::default()),
        Body::ListFriendGroups(_) => Body::FriendGroupList(wire::FriendGroupList {
            groups: vec![wire::FriendGroup { name: "work".to_owned(), created: 1 }],
        }),
        Body::UpgradeGroup(upgrade) => {
            let kind = wire::GroupKind::Super.into();
            Body::Group(wire::Group { id: upgrade.id, kind, ..wire::Group::default() })
        }
        Body::JoinByCode(_) => Body::Group(wire::Group { id: 900, ..wire::Group::default() }),
        Body::CountRoom(_) => Body::RoomCount(wire::RoomCount { sessions: 6 }),
        Body::ListBlocked(_) => Body::BlockedPage(wire::BlockedPage {
            blocked: vec![wire::Blocked { by: 1, ..wire::Blocked::default() }],
            next: Bytes::new(),
        }),
        Body::FindMembers(find) => Body::MemberPage(wire::MemberPage {
            members: find.users.iter().map(|_| wire::Member::default()).collect(),
            next: Bytes::new(),
        }),
        Body::ApplyToGroup(apply) => {
            Body::Applied(wire::Applied { outcome: wire::applied::Outcome::Waits.into(), group: apply.id })
        }
        Body::ListApplications(list) => Body::ApplicationPage(wire::ApplicationPage {
            applications: list.groups.iter().map(|&group| wire::Application { group, ..Default::default() }).collect(),
            next: Bytes::new(),
            total: 1,
        }),
        Body::InviteToGroup(invite) => Body::InvitedList(wire::InvitedList {
            invited: invite.users.iter().zip(1..).map(|(&user, outcome)| invited(user, outcome)).collect(),
        }),
        Body::ListInvitations(_) => Body::InvitationPage(wire::InvitationPage {
            invitations: vec![wire::Invitation { group: 900, ..wire::Invitation::default() }],
            next: Bytes::new(),
            total: 1,
        }),
        Body::GetJoinCode(_) => Body::JoinCode(wire::JoinCode { text: "c0de".to_owned(), created: 1, expires: 2 }),
        Body::Announce(announce) => Body::Announcement(wire::Announcement {
            id: 1,
            content: announce.content.clone(),
            ..wire::Announcement::default()
        }),
        Body::ListAnnouncements(_) => Body::AnnouncementList(wire::AnnouncementList::default()),
        Body::ShareFile(share) => {
            Body::SharedFile(wire::SharedFile { id: 1, name: share.name.clone(), ..wire::SharedFile::default() })
        }
        Body::ListSharedFiles(_) => Body::SharedFileList(wire::SharedFileList::default()),
        Body::ListPushTags(_) => Body::PushTagList(wire::PushTagList { tags: vec!["beta".to_owned()] }),
        Body::GetUpload(_) => Body::Upload(wire::Upload {
            ticket: "policy.signature".to_owned(),
            share: "share".to_owned(),
            path: "/media/1".to_owned(),
            url_path: "/file?file_sign=share".to_owned(),
        }),
        Body::GetFileLink(link) => Body::FileLink(wire::FileLink { path: format!("/media/1/{}", link.share) }),
        Body::ForwardFile(forward) => Body::FileShare(wire::FileShare {
            share: format!("{}-again", forward.share),
            url_path: format!("/file?file_sign={}-again", forward.share),
        }),
        Body::ListMembers(_) => {
            Body::MemberPage(wire::MemberPage { members: Vec::new(), next: Bytes::from_static(b"more") })
        }
        Body::Recall(_)
        | Body::ChangePassword(_)
        | Body::AddFriendGroups(_)
        | Body::DeleteFriendGroups(_)
        | Body::AnswerApplication(_)
        | Body::AnswerInvitation(_)
        | Body::RemoveAnnouncement(_)
        | Body::RenameSharedFile(_)
        | Body::RemoveSharedFiles(_)
        | Body::AddPushTags(_)
        | Body::RemovePushTags(_)
        | Body::SetPushAlias(_)
        | Body::BindPush(_)
        | Body::SetBadge(_)
        | Body::Edit(_)
        | Body::Read(_)
        | Body::UpdateConversation(_)
        | Body::DeleteConversation(_)
        | Body::UpdateProfile(_)
        | Body::RemoveDevice(_)
        | Body::RequestFriend(_)
        | Body::AnswerFriend(_)
        | Body::RemoveFriend(_)
        | Body::Block(_)
        | Body::UpdateContact(_)
        | Body::UpdateGroup(_)
        | Body::DismissGroup(_)
        | Body::UpdateMember(_)
        | Body::TransferGroup(_)
        | Body::BlockMembers(_)
        | Body::AddMembers(_)
        | Body::RemoveMembers(_)
        | Body::JoinGroup(_)
        | Body::LeaveGroup(_) => Body::Ok(wire::Ok {}),
        _ => return None,
    })
}

/// One whose outcome is this number; a failure says why.
fn invited(user: u64, outcome: i32) -> wire::Invited {
    let failed = outcome == i32::from(wire::invited::Outcome::Failed);
    let why = || wire::Error { code: Code::NotFound.into(), message: "no such user".to_owned(), ..Default::default() };
    wire::Invited { user, outcome, error: failed.then(why) }
}

fn presences(users: &[u64]) -> wire::PresenceList {
    let presence = |&user| wire::Presence { user, online: true, platforms: vec![2], last_seen: 5 };
    wire::PresenceList { presences: users.iter().map(presence).collect() }
}
