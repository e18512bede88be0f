//! Requests find their answers, messages are sent until they are acknowledged, pushes are acknowledged in batches.

use proto::wire::error::Code;
use proto::wire::{CreateGroup, ListGroups, PushAck, Read};

use super::*;
use crate::error::Error;

fn ask(bench: &mut Bench, call: u64, body: Body) {
    bench.session.handle_request(bench.now, call, Box::new(body));
}

fn list() -> Body {
    Body::ListGroups(ListGroups::default())
}

/// Reconnects with the session going on.
fn resume(bench: &mut Bench) {
    bench.drop_and_wait();
    bench.session.handle_connected(bench.now);
    assert!(matches!(bench.sent()[..], [Frame { body: Some(Body::Resume(_)), .. }]));
    bench.welcome(Resumed::Complete);
}

#[test]
fn answers_find_their_requests_in_any_order() {
    let mut bench = Bench::open(&[]);
    ask(&mut bench, 10, list());
    ask(&mut bench, 11, Body::Read(Read::default()));
    let ids: Vec<u64> = bench.sent().iter().map(|frame| frame.id).collect();
    bench.receive(ids[1], Body::Ok(wire::Ok {}));
    bench.receive(ids[0], Body::GroupPage(wire::GroupPage::default()));
    bench.receive(ids[0], Body::GroupPage(wire::GroupPage::default()));
    bench.receive(999, Body::Ok(wire::Ok {}));
    let calls: Vec<u64> = bench.replies().iter().map(|(call, _)| *call).collect();
    assert_eq!(calls, [11, 10], "each is answered once");
}

#[test]
fn a_definite_error_is_told() {
    let mut bench = Bench::open(&[]);
    bench.send(1, "m1");
    let id = bench.sent()[0].id;
    bench.receive(id, error(Code::Denied, 0));
    assert!(matches!(bench.replies()[..], [(1, Err(Error::Denied(_)))]));
    bench.pass(Duration::from_secs(20));
    assert_eq!(sends(&bench.sent()), []);
}

#[test]
fn a_request_without_an_answer_times_out() {
    let mut bench = Bench::open(&[]);
    ask(&mut bench, 1, list());
    bench.sent();
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.replies(), [(1, Err(Error::TimedOut))]);
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    let mut bench = Bench::open(&[]);
    for call in 0..10 {
        bench.send(call, &format!("m{call}"));
    }
    let frames = bench.sent();
    let first = sends(&frames);
    assert_eq!(first.iter().map(|(_, id)| *id).collect::<Vec<_>>(), ["m0", "m1", "m2", "m3"]);
    bench.ack(first[0].0, "m0", 1);
    assert_eq!(sends(&bench.sent()).iter().map(|(_, id)| *id).collect::<Vec<_>>(), ["m4"]);
}

#[test]
fn messages_survive_lost_connections_in_order_under_their_ids() {
    let mut bench = Bench::open(&[cursor(0)]);
    for call in 0..3 {
        bench.send(call, &format!("m{call}"));
    }
    let frames = bench.sent();
    bench.ack(sends(&frames)[0].0, "m0", 1);
    resume(&mut bench);
    bench.send(3, "m3");
    let frames = bench.sent();
    let again = sends(&frames);
    assert_eq!(again.iter().map(|(_, id)| *id).collect::<Vec<_>>(), ["m1", "m2", "m3"]);
    for (at, (id, name)) in again.iter().enumerate() {
        bench.ack(*id, name, 2 + at as u64);
    }
    let replies = bench.replies();
    assert_eq!(replies.iter().map(|(call, _)| *call).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(replies.iter().all(|(_, reply)| reply.is_ok()));
    let seqs: Vec<u64> =
        bench.events().iter().filter_map(|e| if let Event::Entry(d) = e { Some(d.entry.seq) } else { None }).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[test]
fn messages_wait_for_a_connection() {
    let mut bench = Bench::new(&[]);
    bench.send(1, "m1");
    bench.pass(Duration::from_secs(300));
    assert_eq!(bench.replies(), [], "without a limit a message waits as long as it takes");
    bench.log_in();
    let frames = bench.sent();
    assert_eq!(sends(&frames).len(), 1);
}

#[test]
fn a_limit_on_sending_is_kept_across_reconnects() {
    let mut bench = Bench::with(Config { send_timeout: Some(Duration::from_secs(7)), ..config() }, &[]);
    bench.log_in();
    bench.send(1, "m1");
    bench.sent();
    resume(&mut bench);
    bench.pass(Duration::from_secs(7));
    assert_eq!(bench.replies(), [(1, Err(Error::TimedOut))]);
}

#[test]
fn a_message_without_an_answer_is_sent_again_on_the_same_connection() {
    let mut bench = Bench::open(&[]);
    bench.send(1, "m1");
    bench.sent();
    bench.pass(Duration::from_secs(4));
    bench.receive(0, Body::Pong(wire::Pong::default()));
    bench.pass(Duration::from_secs(1));
    let frames = bench.sent();
    let [(id, "m1")] = sends(&frames)[..] else { panic!("{frames:?}") };
    bench.ack(id, "m1", 1);
    assert_eq!(bench.replies().len(), 1);
}

#[test]
fn a_message_refused_for_now_is_sent_again_later() {
    for code in [Code::RetryLater, Code::Unavailable] {
        let mut bench = Bench::open(&[]);
        bench.send(1, "m1");
        let id = bench.sent()[0].id;
        bench.receive(id, error(code, 2000));
        bench.pass(Duration::from_millis(1999));
        assert_eq!(sends(&bench.sent()), []);
        bench.pass(Duration::from_millis(502));
        let frames = bench.sent();
        let [(id, "m1")] = sends(&frames)[..] else { panic!("{frames:?}") };
        bench.ack(id, "m1", 1);
        assert!(matches!(bench.replies()[..], [(1, Ok(_))]));
    }
}

#[test]
fn later_messages_do_not_overtake_one_that_is_refused_for_now() {
    let mut bench = Bench::open(&[]);
    for (call, name) in [(1, "m1"), (2, "m2")] {
        bench.send(call, name);
    }
    let frames = bench.sent();
    let [(first, "m1"), (second, "m2")] = sends(&frames)[..] else { panic!("{frames:?}") };
    bench.receive(first, error(Code::RetryLater, 3000));
    bench.receive(second, error(Code::RetryLater, 100));
    bench.send(3, "m3");
    let elsewhere = wire::Send {
        conversation: Some(ConversationId::Group(8).to_wire()),
        client_msg_id: "elsewhere".to_owned(),
        content: Some(content::text("hello")),
        online_only: false,
    };
    ask(&mut bench, 4, Body::Send(elsewhere));
    ask(&mut bench, 5, list());
    let frames = bench.sent();
    assert_eq!((sends(&frames).len(), frames.len()), (1, 2), "what is not behind the message goes on: {frames:?}");
    let mut order = Vec::new();
    for _ in 0..60 {
        bench.pass(Duration::from_millis(100));
        for (id, name) in sends(&bench.sent()) {
            order.push(name.to_owned());
            let seq = order.len() as u64;
            if name != "elsewhere" {
                bench.ack(id, name, seq);
            }
        }
    }
    order.retain(|name| name != "elsewhere");
    assert_eq!(order, ["m1", "m2", "m3"]);
}

#[test]
fn new_messages_wait_for_those_whose_refusal_is_still_to_come() {
    let mut bench = Bench::open(&[]);
    for (call, name) in [(1, "m1"), (2, "m2")] {
        bench.send(call, name);
    }
    let frames = bench.sent();
    let [(first, "m1"), (second, "m2")] = sends(&frames)[..] else { panic!("{frames:?}") };
    bench.receive(first, error(Code::RetryLater, 100));
    bench.send(3, "m3");
    bench.pass(Duration::from_secs(2));
    let frames = bench.sent();
    assert!(matches!(sends(&frames)[..], [(_, "m1")]), "m2 is about to be refused: {frames:?}");
    bench.receive(second, error(Code::RetryLater, 100));
    bench.pass(Duration::from_secs(2));
    let frames = bench.sent();
    assert!(matches!(sends(&frames)[..], [(_, "m2"), (_, "m3")]), "{frames:?}");
}

#[test]
fn a_message_that_was_not_refused_after_all_is_not_waited_for() {
    let mut bench = Bench::open(&[]);
    for (call, name) in [(1, "m1"), (2, "m2")] {
        bench.send(call, name);
    }
    let frames = bench.sent();
    let [(first, "m1"), (second, "m2")] = sends(&frames)[..] else { panic!("{frames:?}") };
    bench.receive(first, error(Code::RetryLater, 100));
    bench.ack(second, "m2", 1);
    bench.send(3, "m3");
    bench.pass(Duration::from_secs(2));
    let frames = bench.sent();
    assert!(matches!(sends(&frames)[..], [(_, "m1"), (_, "m3")]), "{frames:?}");
}

#[test]
fn a_repeatable_request_is_asked_again_and_another_is_not() {
    let mut bench = Bench::open(&[]);
    ask(&mut bench, 1, list());
    ask(&mut bench, 2, Body::CreateGroup(CreateGroup::default()));
    bench.sent();
    resume(&mut bench);
    assert_eq!(bench.replies(), [(2, Err(Error::Disconnected))]);
    let frames = bench.sent();
    assert!(matches!(frames[..], [Frame { body: Some(Body::ListGroups(_)), .. }]));
}

#[test]
fn what_does_not_fit_in_a_frame_is_refused_at_once() {
    let mut bench = Bench::open(&[]);
    let send = wire::Send { content: Some(content::text("x".repeat(70_000))), ..wire::Send::default() };
    ask(&mut bench, 1, Body::Send(send));
    assert!(matches!(bench.replies()[..], [(1, Err(Error::TooLarge { limit: 65_536, .. }))]));
    assert_eq!(bench.sent(), []);
}

#[test]
fn pushes_are_acknowledged_in_batches() {
    let mut bench = Bench::open(&[cursor(0)]);
    for seq in 1..=3 {
        bench.push([seq]);
    }
    assert_eq!(bench.sent(), []);
    bench.push([4]);
    let acks = |frames: Vec<Frame>| -> Vec<u64> {
        frames
            .into_iter()
            .map(|frame| match frame.body {
                Some(Body::PushAck(PushAck { received })) => received,
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    };
    assert_eq!(acks(bench.sent()), [4]);
    bench.push([5]);
    bench.pass(Duration::from_millis(999));
    assert_eq!(bench.sent(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(acks(bench.sent()), [5]);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.sent(), []);
}

#[test]
fn notices_are_dropped_without_a_connection() {
    let mut bench = Bench::new(&[]);
    bench.session.handle_notice(bench.now, Body::Typing(wire::Typing::default()));
    bench.log_in();
    assert!(matches!(bench.sent()[..], [Frame { body: Some(Body::Sync(_)), .. }]));
    bench.session.handle_notice(bench.now, Body::Typing(wire::Typing::default()));
    assert!(matches!(bench.sent()[..], [Frame { id: 0, body: Some(Body::Typing(_)) }]));
}

#[test]
fn closing_answers_everything() {
    let mut bench = Bench::open(&[]);
    bench.send(1, "m1");
    ask(&mut bench, 2, list());
    bench.session.handle_close();
    assert_eq!(bench.replies(), [(1, Err(Error::Closed)), (2, Err(Error::Closed))]);
    assert_eq!(bench.events(), [Event::Closed(Error::Closed)]);
}
