//! The rules of a connection, in virtual time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::messages::Sent;
use domain::units::ByteSize;
use domain::{Caller, Clock, ConversationId, Domain, Epoch, MessageId, Outlet, Seq, SessionId, UserId, record};
use proptest::prelude::*;
use proto::{Message, entry, wire};
use wire::error::Code;
use wire::frame::Body;

use super::*;
use crate::config::Rate;
use crate::encode;
use crate::registry::Hub;

const USER: UserId = UserId(7);
const PEER: UserId = UserId(9);

/// A session and a clock that stands where it is put.
struct Bench {
    session: Session,
    start: Instant,
    passed: Duration,
}

impl Bench {
    fn new(config: Config) -> Self {
        let start = Instant::now();
        Self { session: Session::new(Arc::new(config), start), start, passed: Duration::ZERO }
    }

    /// A session that is logged in.
    fn open(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.hear(1, hello());
        assert!(matches!(bench.session.poll_call(), Some(Call::Authenticate(login)) if login.token == "secret"));
        bench.session.handle_reply(bench.now(), authenticated());
        assert!(matches!(bench.said()[..], [(1, Body::Welcome(_))]));
        bench
    }

    fn now(&self) -> Now {
        Now { at: self.start + self.passed, unix_ms: 1_000_000 }
    }

    fn pass(&mut self, span: Duration) {
        self.passed += span;
        let now = self.now().at;
        self.session.handle_timeout(now);
    }

    fn hear(&mut self, id: u64, body: Body) {
        let now = self.now();
        self.session.handle_frame(now, wire::Frame { id, body: Some(body) });
    }

    fn event(&mut self, event: &Event<'_>) {
        let now = self.now().at;
        self.session.handle_event(now, event);
    }

    fn disconnect(&mut self) {
        let now = self.now().at;
        self.session.handle_disconnect(now);
    }

    /// Everything that it has to say.
    fn said(&mut self) -> Vec<(u64, Body)> {
        std::iter::from_fn(|| self.session.poll_transmit())
            .map(|bytes| {
                let frame = wire::Frame::decode_length_delimited(bytes).unwrap();
                (frame.id, frame.body.unwrap())
            })
            .collect()
    }

    /// The one thing that it says must be an error.
    fn error(&mut self) -> wire::Error {
        match &self.said()[..] {
            [(_, Body::Error(error))] => error.clone(),
            other => panic!("no error but {other:?}"),
        }
    }

    fn call(&mut self) -> (u32, Request) {
        match self.session.poll_call() {
            Some(Call::Ask { key, request }) => (key, request),
            other => panic!("no request but {other:?}"),
        }
    }

    fn push(&mut self, seq: u64) {
        self.push_from(PEER, seq, "");
    }

    fn push_from(&mut self, sender: UserId, seq: u64, client_msg_id: &str) {
        let appended = appended(sender, seq, client_msg_id);
        self.event(&Event::Appended { appended: &appended, frame: encode::push(&appended) });
    }

    /// Seqs of what it pushes and acknowledges, in order.
    fn seqs(&mut self) -> Vec<u64> {
        self.said()
            .into_iter()
            .filter_map(|(_, body)| match body {
                Body::Push(push) => Some(push.deliveries[0].entry.as_ref().unwrap().seq),
                Body::SendAck(ack) => Some(ack.seq),
                _ => None,
            })
            .collect()
    }

    fn resume(&mut self, received: u64) -> wire::Resumed {
        let now = self.now();
        assert!(self.session.handle_resume(now, 1, ticket(), received));
        let first = self.session.poll_transmit().unwrap();
        match wire::Frame::decode_length_delimited(first).unwrap().body {
            Some(Body::Welcome(welcome)) => welcome.resumed(),
            other => panic!("no welcome but {other:?}"),
        }
    }
}

/// A caller, as only authentication makes one.
fn caller() -> Caller {
    static CALLER: std::sync::OnceLock<Caller> = std::sync::OnceLock::new();
    let make = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Clock::system();
            let outlet = Outlet::Here(Hub::new(Config::default()));
            let store = storage::Store::memory(clock.clone());
            let domain = Domain::open(store, clock, outlet, domain::Config::default()).await.unwrap();
            let app = domain.apps.create(domain::apps::NewApp::default()).await.unwrap().app;
            domain.apps.operator(domain::AppNumber(app.number)).await.unwrap()
        })
    };
    CALLER.get_or_init(make).clone()
}

fn hello() -> Body {
    let hello = wire::Hello { token: "secret".into(), device_id: "phone".into(), ..wire::Hello::default() };
    Body::Hello(hello)
}

fn ticket() -> Bytes {
    Bytes::from_static(b"ticket")
}

fn authenticated() -> Reply {
    let identity = Identity {
        caller: caller(),
        user: USER,
        uid: "seven".into(),
        session: SessionId(1),
        device_id: "phone".into(),
        platform: 0,
        client: "".into(),
    };
    Reply::Authenticated { identity: Box::new(identity), ticket: ticket() }
}

fn conversation() -> ConversationId {
    ConversationId::direct(USER, PEER)
}

fn send(client_msg_id: &str) -> Body {
    let kind = entry::content::Kind::Text(entry::Text { text: "hello".into() });
    Body::Send(wire::Send {
        conversation: Some(conversation().to_wire()),
        client_msg_id: client_msg_id.into(),
        content: Some(entry::Content { kind: Some(kind), ..entry::Content::default() }),
        online_only: false,
    })
}

fn sent(seq: u64) -> Sent {
    Sent { conversation: conversation(), epoch: Epoch(1), seq: Seq(seq), message_id: MessageId(seq), time: 1 }
}

fn appended(sender: UserId, seq: u64, client_msg_id: &str) -> record::Appended {
    let entry = entry::Entry { seq, sender: sender.0, client_msg_id: client_msg_id.into(), ..entry::Entry::default() };
    record::Appended {
        conversation: Some(conversation().to_wire()),
        epoch: 1,
        members_version: 0,
        entry: Some(entry),
        online_only: false,
    }
}

fn ping() -> Body {
    Body::Ping(wire::Ping {})
}

fn history() -> Body {
    Body::History(wire::History { conversation: Some(conversation().to_wire()), ..wire::History::default() })
}

// ---------------------------------------------------------------- logging in

#[test]
fn a_welcome_says_what_is_in_force() {
    let mut bench = Bench::new(Config::default());
    bench.hear(5, hello());
    assert!(!bench.session.wants_frames(), "nothing is read while the token is checked");
    assert_eq!(bench.session.frame_limit(), 4 << 10);
    bench.session.poll_call();
    bench.session.handle_reply(bench.now(), authenticated());
    let [(5, Body::Welcome(welcome))] = &bench.said()[..] else { panic!("no welcome") };
    assert_eq!((welcome.user, welcome.uid.as_str(), welcome.session), (7, "seven", 1));
    assert_eq!((welcome.heartbeat_ms, welcome.resume_window_ms, welcome.server_time), (300_000, 60_000, 1_000_000));
    assert_eq!(bench.session.frame_limit(), 1 << 20);
    assert!(bench.session.wants_frames());
}

#[test]
fn nothing_comes_before_a_login() {
    let mut bench = Bench::new(Config::default());
    bench.hear(1, send("1"));
    assert_eq!(bench.error().code(), Code::Unauthenticated);
    assert_eq!(bench.session.status(), Status::Closing);
    assert!(bench.session.poll_call().is_none());
    bench.disconnect();
    assert!(bench.session.is_ended());
}

#[test]
fn a_refused_token_ends_the_connection() {
    let mut bench = Bench::new(Config::default());
    bench.hear(1, hello());
    bench.session.handle_reply(bench.now(), Reply::Refused(domain::Error::Unauthenticated("no")));
    assert_eq!(bench.error().code(), Code::Unauthenticated);
    assert_eq!(bench.session.status(), Status::Closing);
}

#[test]
fn a_login_has_a_deadline_that_talk_does_not_move() {
    let mut bench = Bench::new(Config::default());
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.session.status(), Status::Running);
    bench.hear(1, hello());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.error().code(), Code::Timeout);
    assert_eq!(bench.session.status(), Status::Closing);
    // A reply that comes too late changes nothing.
    bench.session.handle_reply(bench.now(), authenticated());
    assert_eq!(bench.session.status(), Status::Closing);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.session.status(), Status::Gone);
}

#[test]
fn a_second_login_on_one_connection_is_invalid() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, hello());
    assert_eq!(bench.error().code(), Code::Invalid);
    assert_eq!(bench.session.status(), Status::Running);
}

// ---------------------------------------------------------------- requests

#[test]
fn unknown_commands_and_what_is_no_request_are_unsupported() {
    let mut bench = Bench::open(Config::default());
    bench.session.handle_frame(bench.now(), wire::Frame { id: 2, body: None });
    assert_eq!(bench.error().code(), Code::Unsupported);
    bench.hear(3, Body::Welcome(wire::Welcome::default()));
    assert_eq!(bench.error().code(), Code::Unsupported);
    assert_eq!(bench.session.status(), Status::Running);
}

#[test]
fn what_is_no_frame_ends_the_connection_and_not_the_session() {
    let mut bench = Bench::open(Config::default());
    bench.session.handle_malformed(bench.now(), &frame::Error::TooLarge { length: 9, limit: 1 });
    assert_eq!(bench.error().code(), Code::TooLarge);
    bench.disconnect();
    assert!(bench.session.is_parked());
}

#[test]
fn every_command_reaches_the_domain() {
    let conversation = Some(conversation().to_wire());
    let bodies = [
        send("1"),
        Body::Recall(wire::Recall { conversation, seq: 1 }),
        history(),
        Body::Sync(wire::Sync::default()),
        Body::ListConversations(wire::ListConversations::default()),
        Body::Read(wire::Read { conversation, seq: 1 }),
        Body::UpdateConversation(wire::UpdateConversation { conversation, pinned: Some(true), ..Default::default() }),
        Body::DeleteConversation(wire::DeleteConversation { conversation }),
        Body::Receipts(wire::Receipts { conversation, seq: 0 }),
        Body::PresenceQuery(wire::PresenceQuery { users: vec![1] }),
        Body::PresenceSubscribe(wire::PresenceSubscribe { users: vec![1] }),
        Body::FindUsers(wire::FindUsers { ids: vec![1], uids: vec!["a".into()] }),
        Body::UpdateProfile(wire::UpdateProfile::default()),
        Body::ListRoster(wire::ListRoster::default()),
        Body::RequestFriend(wire::RequestFriend { user: 1, reason: String::new() }),
        Body::AnswerFriend(wire::AnswerFriend { user: 1, accept: true }),
        Body::RemoveFriend(wire::RemoveFriend { user: 1 }),
        Body::Block(wire::Block { user: 1, blocked: true }),
        Body::CreateGroup(wire::CreateGroup::default()),
        Body::GetGroup(wire::GetGroup { id: 1, gid: String::new() }),
        Body::UpdateGroup(wire::UpdateGroup { id: 1, ..Default::default() }),
        Body::DismissGroup(wire::DismissGroup { id: 1 }),
        Body::AddMembers(wire::AddMembers { id: 1, users: vec![2] }),
        Body::RemoveMembers(wire::RemoveMembers { id: 1, users: vec![2] }),
        Body::JoinGroup(wire::JoinGroup { id: 1 }),
        Body::LeaveGroup(wire::LeaveGroup { id: 1 }),
        Body::ListMembers(wire::ListMembers { id: 1, ..Default::default() }),
        Body::ListGroups(wire::ListGroups::default()),
    ];
    let mut names = std::collections::HashSet::new();
    for (id, body) in (2..).zip(bodies) {
        let mut bench = Bench::open(Config::default());
        bench.hear(id, body);
        let (key, request) = bench.call();
        assert!(names.insert(request.name()), "{} twice", request.name());
        let answer = Reply::Answer { key, outcome: Ok(Box::new(Body::Ok(wire::Ok {}))) };
        let reply = if request.name() == "send" { Reply::Sent { key, outcome: Ok(sent(1)) } } else { answer };
        bench.session.handle_reply(bench.now(), reply);
        let said = bench.said();
        assert!(matches!(said[..], [(answered, _)] if answered == id), "{}: {said:?}", request.name());
    }
}

#[test]
fn typing_is_never_answered() {
    let mut bench = Bench::open(Config::default());
    let typing = wire::Typing { conversation: Some(conversation().to_wire()), user: 0, active: true };
    bench.hear(2, Body::Typing(typing));
    let (key, _) = bench.call();
    let outcome = Err(domain::Error::NotFound(domain::Noun::User));
    bench.session.handle_reply(bench.now(), Reply::Answer { key, outcome });
    assert!(bench.said().is_empty());
}

#[test]
fn fields_at_fault_are_named() {
    let mut bench = Bench::open(Config::default());
    let faults = [
        (send(""), "client_msg_id"),
        (send(&"x".repeat(65)), "client_msg_id"),
        (Body::Send(wire::Send { client_msg_id: "1".into(), ..Default::default() }), "conversation"),
        (Body::Recall(wire::Recall { conversation: Some(conversation().to_wire()), seq: 0 }), "seq"),
        (Body::PresenceQuery(wire::PresenceQuery { users: vec![1; 201] }), "users"),
        (Body::AddMembers(wire::AddMembers { id: 1, users: vec![1; 501] }), "users"),
        (Body::GetGroup(wire::GetGroup::default()), "id"),
        (Body::Sync(wire::Sync { have: vec![wire::Have::default(); 10_001], ..Default::default() }), "have"),
    ];
    for (body, field) in faults {
        bench.hear(2, body);
        let error = bench.error();
        assert_eq!((error.code(), error.field.as_str()), (Code::Invalid, field));
        assert!(bench.session.poll_call().is_none());
    }
}

#[test]
fn too_many_requests_at_once_wait_unread() {
    let mut bench = Bench::open(Config { max_in_flight: 3, ..Config::default() });
    for id in 2..5 {
        assert!(bench.session.wants_frames());
        bench.hear(id, send(&id.to_string()));
    }
    assert!(!bench.session.wants_frames());
    let (key, _) = bench.call();
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(1)) });
    assert!(bench.session.wants_frames());
}

#[test]
fn requests_under_way_are_bounded_in_bytes_too() {
    let mut bench = Bench::open(Config { max_frame: ByteSize(2000), ..Config::default() });
    let find = wire::FindUsers { ids: vec![], uids: vec!["x".repeat(1500)] };
    bench.hear(2, Body::FindUsers(find.clone()));
    assert!(bench.session.wants_frames());
    bench.hear(3, Body::FindUsers(find));
    assert!(!bench.session.wants_frames());
}

#[test]
fn few_pages_are_prepared_at_once_and_others_pass_them() {
    let mut bench = Bench::open(Config::default());
    for id in 2..6 {
        bench.hear(id, history());
    }
    bench.hear(6, send("1"));
    assert_eq!(bench.call().1.name(), "send");
    let (key, _) = bench.call();
    bench.call();
    assert!(bench.session.poll_call().is_none(), "two pages are under way");
    bench.session.handle_reply(bench.now(), Reply::Answer { key, outcome: Ok(Box::new(Body::Ok(wire::Ok {}))) });
    bench.call();
    assert!(bench.session.poll_call().is_none());
}

#[test]
fn a_client_that_does_not_read_its_answers_gets_no_more() {
    let mut bench = Bench::open(Config { outbound_queue: ByteSize(500), ..Config::default() });
    let mut asked = 0;
    while bench.session.wants_frames() {
        bench.hear(2, ping());
        asked += 1;
    }
    assert!((5..30).contains(&asked), "{asked}");
    bench.said();
    assert!(bench.session.wants_frames());
}

#[test]
fn an_answer_above_the_largest_frame_becomes_an_error() {
    let mut bench = Bench::open(Config { max_frame: ByteSize(1000), ..Config::default() });
    bench.hear(2, history());
    let (key, _) = bench.call();
    let page = wire::HistoryPage { entries: vec![appended(PEER, 1, &"x".repeat(2000)).entry.unwrap()], ..Default::default() };
    bench.session.handle_reply(bench.now(), Reply::Answer { key, outcome: Ok(Box::new(Body::HistoryPage(page))) });
    assert_eq!(bench.error().field, "limit");
}

#[test]
fn frames_come_at_their_rate_and_who_does_not_listen_is_ended() {
    let mut bench = Bench::open(Config { frames: Rate { per_second: 10, burst: 2 }, ..Config::default() });
    bench.hear(2, ping());
    bench.hear(3, ping());
    bench.said();
    bench.hear(4, ping());
    let error = bench.error();
    assert_eq!((error.code(), error.retry_after_ms), (Code::RetryLater, 100));
    bench.pass(Duration::from_millis(100));
    bench.hear(5, ping());
    assert!(matches!(bench.said()[..], [(5, Body::Pong(_))]));
    for id in 6..1000 {
        bench.hear(id, ping());
    }
    assert_eq!(bench.session.status(), Status::Closing);
    assert_eq!(bench.said().len(), 256);
}

#[test]
fn a_credential_that_turns_out_void_ends_the_session() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, send("1"));
    let (key, _) = bench.call();
    let outcome = Err(domain::Error::Unauthenticated("revoked"));
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome });
    assert_eq!(bench.error().code(), Code::Unauthenticated);
    bench.disconnect();
    assert!(bench.session.is_ended());
}

// ---------------------------------------------------------------- entries

#[test]
fn an_ack_takes_the_place_of_the_push() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, send("mine"));
    let (key, _) = bench.call();
    bench.push(5);
    bench.push_from(USER, 6, "mine");
    bench.push(7);
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(6)) });
    let said = bench.said();
    assert!(matches!(&said[..], [(0, Body::Push(_)), (2, Body::SendAck(ack)), (0, Body::Push(_))] if ack.seq == 6));
    // From another device, or once more: an ordinary push.
    bench.push_from(USER, 8, "mine");
    assert!(matches!(&bench.said()[..], [(0, Body::Push(_))]));
}

#[test]
fn a_repeated_message_is_acknowledged_by_its_reply() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, send("mine"));
    let (key, _) = bench.call();
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(3)) });
    assert!(matches!(&bench.said()[..], [(2, Body::SendAck(ack))] if ack.seq == 3 && ack.client_msg_id == "mine"));
}

#[test]
fn own_reads_and_own_typing_are_not_echoed() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, Body::Read(wire::Read { conversation: Some(conversation().to_wire()), seq: 4 }));
    for (user, told) in [(USER, 0), (PEER, 1)] {
        let moved = record::ReadMoved { conversation: Some(conversation().to_wire()), user: user.0, seq: 4, time: 1 };
        bench.event(&Event::ReadMoved { moved: &moved, frame: encode::receipt(&moved) });
        assert_eq!(bench.said().len(), told);
        let typed = record::Typed { conversation: moved.conversation, user: user.0, active: true };
        bench.event(&Event::Typed { user, frame: encode::typing(&typed) });
        assert_eq!(bench.said().len(), told);
    }
}

#[test]
fn a_slow_reader_is_cut_and_told_to_sync() {
    let mut bench = Bench::open(Config { outbound_queue: ByteSize(1000), ..Config::default() });
    let mut seq = 0;
    while bench.session.status() == Status::Running {
        seq += 1;
        bench.push(seq);
    }
    assert!(seq < 30);
    assert_eq!(bench.error().code(), Code::SlowConsumer);
    bench.disconnect();
    assert!(bench.session.is_parked());
    assert_eq!(bench.resume(0), wire::Resumed::Resync);
    bench.push(99);
    assert_eq!(bench.seqs(), [99]);
}

#[test]
fn a_client_that_takes_nothing_is_cut_after_the_write_deadline() {
    let mut bench = Bench::open(Config::default());
    let now = bench.now().at;
    bench.session.handle_stall(Some(now));
    bench.pass(Duration::from_secs(9));
    bench.session.handle_stall(None);
    let now = bench.now().at;
    bench.session.handle_stall(Some(now));
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.session.status(), Status::Running);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.session.status(), Status::Gone);
    assert!(bench.said().is_empty());
    bench.disconnect();
    assert!(bench.session.is_parked());
}

// ---------------------------------------------------------------- heartbeats, resuming, ending

#[test]
fn silence_ends_the_connection_and_any_frame_breaks_it() {
    let mut bench = Bench::open(Config::default());
    bench.pass(Duration::from_secs(599));
    bench.hear(2, ping());
    bench.pass(Duration::from_secs(599));
    assert!(matches!(bench.said()[..], [(2, Body::Pong(pong))] if pong.server_time == 1_000_000));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.error().code(), Code::Timeout);
    bench.disconnect();
    assert!(bench.session.is_parked());
}

#[test]
fn a_parked_session_keeps_what_comes_until_its_window_ends() {
    let mut bench = Bench::open(Config::default());
    bench.push(1);
    bench.push(2);
    assert_eq!(bench.seqs(), [1, 2]);
    bench.hear(2, Body::PushAck(wire::PushAck { received: 1 }));
    bench.disconnect();
    bench.push(3);
    bench.pass(Duration::from_secs(59));
    assert_eq!(bench.resume(1), wire::Resumed::Complete);
    assert_eq!(bench.seqs(), [2, 3]);
    bench.disconnect();
    bench.pass(Duration::from_secs(60));
    assert!(bench.session.is_ended());
    let now = bench.now();
    assert!(!bench.session.handle_resume(now, 1, ticket(), 0));
}

#[test]
fn entries_that_come_while_a_connection_closes_are_not_lost() {
    let mut bench = Bench::open(Config::default());
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.session.status(), Status::Closing);
    bench.push(1);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.session.status(), Status::Gone);
    bench.push(2);
    bench.disconnect();
    bench.push(3);
    assert_eq!(bench.resume(0), wire::Resumed::Complete);
    assert_eq!(bench.seqs(), [1, 2, 3]);
}

#[test]
fn own_messages_that_become_durable_while_away_come_as_pushes() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, send("mine"));
    let (key, _) = bench.call();
    bench.disconnect();
    bench.push_from(USER, 1, "mine");
    assert_eq!(bench.resume(0), wire::Resumed::Complete);
    // The old connection's reply is none of the new one's.
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(1)) });
    assert!(matches!(&bench.said()[..], [(0, Body::Push(_))]));
}

#[test]
fn without_a_window_nothing_is_parked() {
    let mut bench = Bench::open(Config { resume_window: Duration::ZERO, ..Config::default() });
    bench.disconnect();
    assert!(bench.session.is_ended());
}

#[test]
fn a_kick_ends_connected_and_parked_sessions() {
    let kick = Event::Kick { reason: wire::kicked::Reason::Admin.into(), message: "out" };
    let mut bench = Bench::open(Config::default());
    bench.event(&kick);
    assert!(matches!(&bench.said()[..], [(0, Body::Kicked(kicked))] if kicked.message == "out"));
    assert_eq!(bench.session.status(), Status::Closing);
    assert!(!bench.session.is_live());
    bench.disconnect();
    assert!(bench.session.is_ended());

    let mut bench = Bench::open(Config::default());
    bench.disconnect();
    bench.event(&kick);
    assert!(bench.session.is_ended());

    // While it is closing for another reason, too.
    let mut bench = Bench::open(Config::default());
    bench.pass(Duration::from_secs(600));
    bench.event(&kick);
    bench.disconnect();
    assert!(bench.session.is_ended());
}

#[test]
fn a_replaced_session_ends_without_a_word() {
    let mut bench = Bench::open(Config::default());
    bench.event(&Event::Replaced);
    assert!(bench.said().is_empty());
    assert_eq!(bench.session.status(), Status::Closing);
}

#[test]
fn a_drain_finishes_what_is_under_way_and_begins_nothing() {
    let drain = Event::Drain { reconnect_after: Duration::from_millis(1234) };
    let mut bench = Bench::open(Config::default());
    bench.hear(2, send("1"));
    let (key, _) = bench.call();
    bench.event(&drain);
    bench.hear(3, send("2"));
    assert_eq!(bench.session.status(), Status::Running);
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(1)) });
    assert_eq!(bench.session.status(), Status::Closing);
    let said = bench.said();
    assert!(matches!(&said[..], [(0, Body::Drain(drain)), (3, Body::Error(error)), (2, Body::SendAck(_))]
        if drain.reconnect_after_ms == 1234 && error.code() == Code::RetryLater), "{said:?}");

    // Idle, not logged in, and parked sessions close at once.
    let mut bench = Bench::open(Config::default());
    bench.event(&drain);
    assert_eq!(bench.session.status(), Status::Closing);
    let mut bench = Bench::new(Config::default());
    bench.event(&drain);
    assert_eq!((bench.session.status(), bench.said().len()), (Status::Closing, 1));
    let mut bench = Bench::open(Config::default());
    bench.disconnect();
    bench.event(&drain);
    assert!(bench.session.is_ended());
}

// ---------------------------------------------------------------- anything

/// What may happen to a session.
#[derive(Debug, Clone)]
enum Step {
    /// Bytes that may or may not be a frame.
    Bytes(Vec<u8>),
    Hello,
    Send(u8),
    History,
    PushAck(u64),
    Push(u8),
    Own(u8),
    Kick,
    Drain,
    Stall(bool),
    Reply,
    Fail,
    Transmit,
    Pass(u32),
    Disconnect,
    Resume(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        Just(Step::Hello),
        any::<u8>().prop_map(Step::Send),
        Just(Step::History),
        (0..20u64).prop_map(Step::PushAck),
        any::<u8>().prop_map(Step::Push),
        any::<u8>().prop_map(Step::Own),
        Just(Step::Kick),
        Just(Step::Drain),
        any::<bool>().prop_map(Step::Stall),
        Just(Step::Reply),
        Just(Step::Reply),
        Just(Step::Fail),
        Just(Step::Transmit),
        (0..400_000u32).prop_map(Step::Pass),
        Just(Step::Disconnect),
        (0..20u64).prop_map(Step::Resume),
    ]
}

impl Bench {
    fn take(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Bytes(bytes) => match wire::Frame::decode(Bytes::from(bytes)) {
                Ok(frame) => self.session.handle_frame(now, frame),
                Err(error) => self.session.handle_malformed(now, &error.into()),
            },
            Step::Hello => self.hear(1, hello()),
            Step::Send(number) => self.hear(2, send(&number.to_string())),
            Step::History => self.hear(3, history()),
            Step::PushAck(received) => self.hear(4, Body::PushAck(wire::PushAck { received })),
            Step::Push(seq) => self.push(seq.into()),
            Step::Own(number) => self.push_from(USER, number.into(), &number.to_string()),
            Step::Kick => self.event(&Event::Kick { reason: 2, message: "" }),
            Step::Drain => self.event(&Event::Drain { reconnect_after: Duration::ZERO }),
            Step::Stall(stalled) => self.session.handle_stall(stalled.then_some(now.at)),
            Step::Reply => match self.session.poll_call() {
                Some(Call::Authenticate(_)) => self.session.handle_reply(now, authenticated()),
                Some(Call::Resume { .. }) => self.session.handle_reply(now, Reply::StaleTicket),
                Some(Call::Ask { key, request: Request::Send(_) }) => {
                    self.session.handle_reply(now, Reply::Sent { key, outcome: Ok(sent(1)) });
                }
                Some(Call::Ask { key, .. }) => {
                    let outcome = Ok(Box::new(Body::Ok(wire::Ok {})));
                    self.session.handle_reply(now, Reply::Answer { key, outcome });
                }
                None => {}
            },
            Step::Fail => {
                if let Some(Call::Ask { key, .. }) = self.session.poll_call() {
                    self.session.handle_reply(now, Reply::Sent { key, outcome: Err(domain::Error::Full) });
                }
            }
            Step::Transmit => drop(self.said()),
            Step::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Step::Disconnect => self.disconnect(),
            Step::Resume(received) => {
                if self.session.identity().is_some() {
                    self.session.handle_resume(now, 1, ticket(), received);
                }
            }
        }
    }
}

proptest! {
    /// The twin of a fuzz target: nothing makes a session panic, hold more than it may, or come back from its end.
    #[test]
    fn anything_may_happen(logged_in: bool, steps in prop::collection::vec(step(), 0..200)) {
        let config = Config {
            outbound_queue: ByteSize(600),
            resume_buffer: ByteSize(500),
            max_in_flight: 4,
            frames: Rate { per_second: 100, burst: 50 },
            ..Config::default()
        };
        let mut bench = if logged_in { Bench::open(config) } else { Bench::new(config) };
        for step in steps {
            let ended = bench.session.is_ended();
            bench.take(step);
            prop_assert!(!ended || bench.session.is_ended());
            prop_assert!(!bench.session.is_ended() || bench.session.poll_transmit().is_none());
            if bench.session.wants_frames() {
                prop_assert!(bench.session.status() == Status::Running);
            }
        }
    }
}
