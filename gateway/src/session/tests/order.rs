//! Messages do not overtake one that was refused for now.

use super::*;

/// Sends a message and answers the key under which it reached the domain.
fn begin(bench: &mut Bench, id: u64, client_msg_id: &str) -> u32 {
    bench.hear(id, send(client_msg_id));
    bench.call().0
}

fn refuse(bench: &mut Bench, key: u32) {
    let outcome = Err(domain::Error::Limited { retry_after: Duration::from_millis(500) });
    bench.session.handle_reply(bench.now(), Reply::Sent { key, outcome });
    assert_eq!(bench.error().code(), Code::RetryLater);
}

/// Sends a message that has to be refused without reaching the domain.
fn is_refused(bench: &mut Bench, id: u64, client_msg_id: &str) {
    bench.hear(id, send(client_msg_id));
    assert!(bench.session.poll_call().is_none(), "{client_msg_id}");
    assert_eq!(bench.error().code(), Code::RetryLater, "{client_msg_id}");
}

#[test]
fn what_follows_a_refused_message_waits_for_it() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, first);
    is_refused(&mut bench, 3, "b");
    is_refused(&mut bench, 4, "c");
    begin(&mut bench, 5, "a");
    begin(&mut bench, 6, "b");
    begin(&mut bench, 7, "c");
}

#[test]
fn another_conversation_goes_on() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, first);
    let Body::Send(mut other) = send("b") else { unreachable!() };
    other.conversation = Some(ConversationId::direct(USER, UserId(11)).to_wire());
    bench.hear(3, Body::Send(other));
    assert_eq!(bench.call().1.name(), "send");
}

#[test]
fn a_frame_that_came_too_early_is_waited_for_too() {
    let frames = Rate { per_second: 1, burst: 2 };
    let mut bench = Bench::open(Config { frames, ..Config::default() });
    begin(&mut bench, 2, "a");
    begin(&mut bench, 3, "b");
    bench.hear(4, send("c"));
    assert_eq!(bench.error().code(), Code::RetryLater);
    bench.pass(Duration::from_secs(2));
    is_refused(&mut bench, 5, "d");
    begin(&mut bench, 6, "c");
}

#[test]
fn a_message_that_never_comes_again_is_not_waited_for_for_ever() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, first);
    is_refused(&mut bench, 3, "b");
    bench.pass(Duration::from_secs(5));
    begin(&mut bench, 4, "b");
}
