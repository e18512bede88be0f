//! How a connection begins.

use super::*;

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
