//! What clients ask, and how they are told of entries.

use super::*;

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
fn every_command_reaches_the_domain_and_its_answer_the_client() {
    let mut names = std::collections::HashSet::new();
    for (id, body) in (2..).zip(every_request()) {
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

/// An online-only message in a frame without an id.
fn best_effort(client_msg_id: &str) -> Body {
    let Body::Send(send) = send(client_msg_id) else { unreachable!() };
    Body::Send(wire::Send { online_only: true, ..send })
}

#[test]
fn a_best_effort_message_is_not_answered_whatever_becomes_of_it() {
    let failures = [
        domain::Error::Denied(domain::Denial::Blocked),
        domain::Error::Limited { retry_after: Duration::from_secs(1) },
        domain::Error::Full,
    ];
    for outcome in [Ok(sent(0))].into_iter().chain(failures.map(Err)) {
        let mut bench = Bench::open(Config::default());
        bench.hear(0, best_effort("a"));
        let (key, _) = bench.call();
        bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome });
        assert_eq!(bench.said(), []);
        // What comes next does not wait for it to be sent again.
        bench.hear(2, send("b"));
        let (key, _) = bench.call();
        bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(1)) });
        assert_eq!(bench.seqs(), [1]);
    }
}

#[test]
fn a_best_effort_message_that_is_not_even_tried_is_not_answered_either() {
    let mut bench = Bench::open(Config::default());
    bench.hear(0, Body::Send(wire::Send { online_only: true, ..wire::Send::default() }));
    assert_eq!(bench.said(), [], "it says nothing, and where to");
    // What is under way keeps the session while it drains.
    bench.hear(2, send("a"));
    bench.event(&Event::Drain { reconnect_after: Duration::ZERO });
    bench.said();
    bench.hear(0, best_effort("b"));
    assert_eq!(bench.said(), []);
    bench.hear(3, send("c"));
    assert!(matches!(&bench.said()[..], [(3, Body::Error(_))]));
}

#[test]
fn whoever_sends_with_best_effort_is_not_told_of_the_message_as_of_another_devices() {
    let mut bench = Bench::open(Config::default());
    bench.hear(0, best_effort("a"));
    let (key, _) = bench.call();
    bench.push_from(USER, 0, "a");
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(0)) });
    assert_eq!(bench.said(), []);
    // Another device's comes.
    bench.push_from(USER, 0, "b");
    assert_eq!(bench.seqs(), [0]);
}

#[test]
fn an_online_only_message_with_an_id_is_acknowledged() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, best_effort("a"));
    let (key, _) = bench.call();
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome: Ok(sent(0)) });
    assert!(matches!(&bench.said()[..], [(2, Body::SendAck(ack))] if ack.client_msg_id == "a"));
}

#[test]
fn a_best_effort_message_of_a_void_credential_ends_the_session() {
    let mut bench = Bench::open(Config::default());
    bench.hear(0, best_effort("a"));
    let (key, _) = bench.call();
    let outcome = Err(domain::Error::Unauthenticated("the token was revoked"));
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome });
    assert_eq!(bench.said(), []);
    assert_eq!(bench.session.status(), Status::Closing);
}

#[test]
fn typing_is_not_answered_and_ends_the_session_of_a_void_credential() {
    for (error, status) in [
        (domain::Error::Full, Status::Running),
        (domain::Error::Unauthenticated("the token was revoked"), Status::Closing),
    ] {
        let mut bench = Bench::open(Config::default());
        bench.hear(2, typing());
        let (key, _) = bench.call();
        bench.session.handle_reply(bench.now(), Reply::Answer { key, outcome: Err(error) });
        assert_eq!(bench.said(), []);
        assert_eq!(bench.session.status(), status);
    }
}

/// Held against the contract itself, so that no command can be forgotten in the list that the other tests ask.
#[test]
fn the_list_of_commands_is_complete() {
    let asked: Vec<String> = every_request().iter().chain([&typing()]).map(name_of).collect();
    let contract = include_str!("../../../../proto/wire.proto");
    let bodies = contract.split("oneof body {").nth(1).unwrap().split("\n  }").next().unwrap();
    let numbers = bodies.lines().filter_map(|line| line.split_once(" = ")?.1.split(';').next()?.parse().ok());
    let mut checked = 0;
    for number in numbers {
        let body = empty(number);
        let serves_itself = matches!(body, Body::Hello(_) | Body::Resume(_));
        let is_request = !serves_itself
            && match Request::parse(body.clone()) {
                Ok(_) => true,
                Err(error) => error.code() != Code::Unsupported,
            };
        let name = name_of(&body);
        assert_eq!(asked.contains(&name), is_request, "{name}");
        checked += 1;
    }
    assert!(checked > 120, "the contract was not understood: {checked} kinds");
}

/// The body with this field number, with nothing in it.
fn empty(number: u32) -> Body {
    let mut bytes = Vec::new();
    // Its key on the wire, as a varint, and a length of nothing.
    let key = number << 3 | 2;
    match u8::try_from(key) {
        Ok(key) if key < 0x80 => bytes.push(key),
        _ => bytes.extend([(key & 0x7f) as u8 | 0x80, (key >> 7) as u8]),
    }
    bytes.push(0);
    wire::Frame::decode(&bytes[..]).unwrap().body.unwrap()
}

/// The name of a body's kind.
fn name_of(body: &Body) -> String {
    format!("{body:?}").split('(').next().unwrap_or_default().to_owned()
}

#[test]
fn typing_is_never_answered() {
    let mut bench = Bench::open(Config::default());
    bench.hear(2, typing());
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
        (
            Body::UpdateConversation(wire::UpdateConversation {
                conversation: Some(conversation().to_wire()),
                mute: Some(9),
                ..Default::default()
            }),
            "mute",
        ),
        (Body::PresenceQuery(wire::PresenceQuery { users: vec![1; 201] }), "users"),
        (Body::AddMembers(wire::AddMembers { id: 1, users: vec![1; 501] }), "users"),
        (Body::GetGroup(wire::GetGroup::default()), "id"),
        (Body::UpdateGroup(wire::UpdateGroup { id: 1, join_policy: Some(9), ..Default::default() }), "join_policy"),
        (Body::CreateGroup(wire::CreateGroup { kind: 4, ..Default::default() }), "kind"),
        (Body::ListMembers(wire::ListMembers { id: 1, which: 9, ..Default::default() }), "which"),
        (Body::ListApplications(wire::ListApplications::default()), "groups"),
        (Body::InviteToGroup(wire::InviteToGroup { id: 1, users: vec![1; 501], ..Default::default() }), "users"),
        (Body::AnswerApplication(wire::AnswerApplication { group: 1, ..Default::default() }), "user"),
        (Body::UpdateSettings(wire::UpdateSettings { friend_policy: Some(9), ..Default::default() }), "friend_policy"),
        (Body::RemoveSharedFiles(wire::RemoveSharedFiles { group: 1, ids: vec![1; 501] }), "ids"),
        (Body::AddPushTags(wire::AddPushTags { tags: vec![String::new(); 201] }), "tags"),
        (Body::GetFileLink(wire::GetFileLink { size: 9, ..Default::default() }), "size"),
        (Body::ForwardFile(wire::ForwardFile::default()), "conversation"),
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
    let page =
        wire::HistoryPage { entries: vec![appended(PEER, 1, &"x".repeat(2000)).entry.unwrap()], ..Default::default() };
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
