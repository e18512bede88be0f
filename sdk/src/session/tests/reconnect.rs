//! Losing the connection, coming back, being sent away.

use proto::wire::error::Code;
use proto::wire::{Drain, Kicked, kicked};

use super::*;
use crate::error::Error;
use crate::event::KickReason;

fn greeting(bench: &mut Bench) -> Body {
    bench.session.handle_connected(bench.now);
    bench.sent().remove(0).body.unwrap()
}

#[test]
fn a_short_drop_is_resumed_with_what_was_received() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.push([1]);
    bench.push([2, 3]);
    assert!(bench.drop_and_wait() <= Duration::from_millis(500));
    let Body::Resume(resume) = greeting(&mut bench) else { panic!("expected Resume") };
    assert_eq!((&resume.ticket[..], resume.received), (&b"ticket"[..], 2));
    bench.events();
    bench.welcome(Resumed::Complete);
    assert_eq!(bench.events(), [Event::Connected { user: ME, resumed: true }]);
    assert_eq!(bench.sent(), [], "a session that goes on needs no sync");
    bench.push([4]);
    assert_eq!(bench.delivered(), [4]);
    // The count goes on as well.
    bench.drop_and_wait();
    assert!(matches!(greeting(&mut bench), Body::Resume(resume) if resume.received == 3));
}

#[test]
fn an_overflowed_session_syncs_and_counts_on() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.push([1]);
    bench.drop_and_wait();
    greeting(&mut bench);
    bench.welcome(Resumed::Resync);
    let sync = bench.answer_sync(SyncPage::default());
    assert_eq!(sync.have.len(), 1);
    assert_eq!(sync.have[0].seq, 1);
    bench.push([2]);
    bench.drop_and_wait();
    assert!(matches!(greeting(&mut bench), Body::Resume(resume) if resume.received == 2));
}

#[test]
fn a_stale_ticket_falls_back_to_hello_at_once() {
    let mut bench = Bench::open(&[cursor(5)]);
    bench.push([6]);
    bench.drop_and_wait();
    assert!(matches!(greeting(&mut bench), Body::Resume(_)));
    bench.receive(0, error(Code::StaleTicket, 0));
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Connect]);
    assert!(matches!(greeting(&mut bench), Body::Hello(_)));
    bench.welcome(Resumed::New);
    let sync = bench.answer_sync(SyncPage::default());
    assert_eq!(sync.have[0].seq, 6);
    // A new session counts from its own start.
    bench.drop_and_wait();
    assert!(matches!(greeting(&mut bench), Body::Resume(resume) if resume.received == 0));
}

#[test]
fn after_the_window_nothing_is_resumed() {
    let mut bench = Bench::open(&[]);
    bench.session.handle_disconnected(bench.now, "lost");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.actions(), [Action::Connect]);
    bench.pass(RESUME_WINDOW);
    assert!(matches!(greeting(&mut bench), Body::Hello(_)));
}

#[test]
fn a_resumed_session_that_never_finished_its_sync_syncs() {
    let mut bench = Bench::new(&[]);
    bench.log_in();
    bench.sent();
    bench.drop_and_wait();
    assert!(matches!(greeting(&mut bench), Body::Resume(_)));
    bench.welcome(Resumed::Complete);
    bench.answer_sync(SyncPage::default());
    assert!(bench.events().contains(&Event::Synced));
}

#[test]
fn failures_wait_longer_and_longer_within_the_cap() {
    let mut bench = Bench::new(&[]);
    bench.actions();
    let mut longest = Duration::ZERO;
    for attempt in 0..30u32 {
        let bound = Duration::from_millis(500 << attempt.min(4));
        let waited = bench.drop_and_wait();
        assert!(waited <= bound + Duration::from_millis(2), "attempt {attempt} waited {waited:?}");
        longest = longest.max(waited);
    }
    assert!(longest > Duration::from_secs(4), "the longest wait was {longest:?}");
}

#[test]
fn a_draining_server_is_left_when_it_says() {
    let mut bench = Bench::open(&[]);
    bench.pass(Duration::from_secs(10));
    bench.receive(0, Body::Drain(Drain { reconnect_after_ms: 3000 }));
    let reconnect_in = Duration::from_secs(3);
    assert_eq!(bench.events(), [Event::Draining { reconnect_in }]);
    // Until then the session works.
    bench.send(1, "m1");
    assert_eq!(sends(&bench.sent()).len(), 1);
    bench.pass(Duration::from_millis(2999));
    assert_eq!(bench.actions(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Connect]);
    assert!(matches!(greeting(&mut bench), Body::Resume(_)));
}

#[test]
fn a_server_that_stops_before_its_delay_is_not_asked_earlier() {
    let mut bench = Bench::open(&[]);
    bench.pass(Duration::from_secs(10));
    bench.receive(0, Body::Drain(Drain { reconnect_after_ms: 3000 }));
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.drop_and_wait(), Duration::from_secs(2));
}

#[test]
fn a_server_that_drains_at_once_every_time_is_asked_less_and_less() {
    let mut bench = Bench::new(&[]);
    let mut waited = Duration::ZERO;
    bench.actions();
    for _ in 0..12 {
        greeting(&mut bench);
        bench.receive(0, Body::Drain(Drain { reconnect_after_ms: 0 }));
        let start = bench.now;
        while !bench.actions().contains(&Action::Connect) {
            bench.pass(Duration::from_millis(1));
        }
        waited += bench.now - start;
    }
    assert!(waited > Duration::from_secs(10), "waited only {waited:?}");
}

#[test]
fn a_kick_is_final() {
    let mut bench = Bench::open(&[]);
    bench.send(1, "m1");
    bench.sent();
    let reason = kicked::Reason::OtherDevice.into();
    bench.receive(0, Body::Kicked(Kicked { reason, message: "elsewhere".to_owned() }));
    let error = Error::Kicked { reason: KickReason::OtherDevice, message: "elsewhere".to_owned() };
    assert_eq!(bench.replies(), [(1, Err(error.clone()))]);
    assert_eq!(bench.events(), [Event::Closed(error)]);
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Finish]);
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.actions(), []);
    bench.send(2, "m2");
    assert_eq!(bench.replies(), [(2, Err(Error::Closed))]);
}

#[test]
fn an_app_that_is_done_says_goodbye_where_somebody_listens() {
    let mut bench = Bench::open(&[]);
    bench.session.handle_close();
    assert_eq!(bench.actions(), [Action::Leave, Action::Disconnect, Action::Finish]);
    let mut bench = Bench::new(&[]);
    bench.actions();
    bench.session.handle_close();
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Finish]);
}

#[test]
fn a_refused_token_is_final() {
    let mut bench = Bench::new(&[]);
    bench.actions();
    bench.session.handle_login_wait(1);
    greeting(&mut bench);
    bench.receive(0, error(Code::Unauthenticated, 0));
    assert!(matches!(bench.replies()[..], [(1, Err(Error::Unauthenticated(_)))]));
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Finish]);
}

#[test]
fn a_busy_server_is_asked_again_no_earlier_than_it_says() {
    let mut bench = Bench::new(&[]);
    bench.actions();
    greeting(&mut bench);
    bench.receive(0, error(Code::RetryLater, 5000));
    assert_eq!(bench.actions(), [Action::Disconnect]);
    bench.pass(Duration::from_millis(4999));
    assert_eq!(bench.actions(), []);
    bench.pass(Duration::from_millis(502));
    assert_eq!(bench.actions(), [Action::Connect]);
}

#[test]
fn a_login_without_an_answer_is_given_up() {
    let mut bench = Bench::new(&[]);
    bench.actions();
    greeting(&mut bench);
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.actions(), [Action::Disconnect, Action::Connect]);
}

#[test]
fn a_silent_server_is_noticed_by_the_heartbeat() {
    let mut bench = Bench::open(&[]);
    bench.pass(HEARTBEAT - Duration::from_millis(1));
    assert_eq!(bench.sent(), []);
    bench.pass(Duration::from_millis(1));
    assert!(matches!(bench.sent()[..], [Frame { body: Some(Body::Ping(_)), .. }]));
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.actions(), []);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.actions(), [Action::Disconnect]);
}

#[test]
fn a_server_that_answers_is_kept_and_pinged_once_an_interval() {
    let mut bench = Bench::open(&[]);
    for _ in 0..10 {
        bench.pass(HEARTBEAT);
        assert_eq!(bench.sent().len(), 1);
        bench.receive(0, Body::Pong(wire::Pong { server_time: 1 }));
    }
    assert_eq!(bench.actions(), []);
}

#[test]
fn silence_means_nothing_while_the_app_lags_behind() {
    let mut bench = Bench::open(&[]);
    bench.send(1, "m1");
    bench.sent();
    bench.session.handle_reading(bench.now, false);
    bench.pass(Duration::from_secs(25));
    assert_eq!(bench.actions(), []);
    bench.session.handle_reading(bench.now, true);
    bench.pass(Duration::from_secs(9));
    assert_eq!(bench.actions(), []);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.actions()[0], Action::Disconnect);
}

#[test]
fn waking_connects_at_once() {
    let mut bench = Bench::new(&[]);
    bench.actions();
    for _ in 0..6 {
        bench.drop_and_wait();
    }
    bench.session.handle_disconnected(bench.now, "lost");
    bench.session.handle_wake(bench.now);
    assert_eq!(bench.actions(), [Action::Connect]);
}
