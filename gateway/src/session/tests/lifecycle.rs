//! Heartbeats, resuming, ending.

use super::*;

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
fn who_says_goodbye_leaves_nothing_behind() {
    let mut bench = Bench::open(Config::default());
    bench.hear(0, Body::Bye(wire::Bye {}));
    assert_eq!(bench.session.status(), Status::Closing);
    assert!(!bench.session.is_live(), "the user is gone at once");
    bench.disconnect();
    assert!(bench.session.is_ended(), "and there is nothing to resume");
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
    assert!(
        matches!(&said[..], [(0, Body::Drain(drain)), (3, Body::Error(error)), (2, Body::SendAck(_))]
        if drain.reconnect_after_ms == 1234 && error.code() == Code::RetryLater),
        "{said:?}"
    );

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
