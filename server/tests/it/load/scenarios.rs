//! Each scenario, small. What is judged is the books and the counts, never a time.

use linnet_loadtest::measure::names::{count, timing};
use linnet_loadtest::outcome::Outcome;

use super::Stage;

fn counted(outcome: &Outcome, name: &str) -> u64 {
    outcome.counts.get(name).copied().unwrap_or(0)
}

fn timed(outcome: &Outcome, name: &str) -> u64 {
    outcome.timings.get(name).map_or(0, |times| times.count)
}

/// Books that balance, every message acknowledged, and as many arrivals as there are readers for each.
#[track_caller]
fn kept(outcome: &Outcome, messages: u64, readers: u64) {
    assert!(outcome.passed, "{:?} {:?} {:?}", outcome.ledger, outcome.errors, outcome.counts);
    let ledger = &outcome.ledger;
    assert_eq!((ledger.sent, ledger.acked, ledger.received), (messages, messages, messages * readers));
    assert_eq!(counted(outcome, count::NOT_SENT), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_held_and_churned_over_every_transport() {
    let stage = Stage::new(12, &[]);
    let gateway = stage.server.gateway();
    let target = format!(
        "insecure = true\ntransport = \"tcp=1,tls=1,quic=1\"\naddress = [\"tcp:{}\", \"tls:{}\", \"quic:{}\"]",
        gateway.tcp, gateway.tls, gateway.quic
    );
    // Ten a second for a second, of twelve.
    let plan = "[scenario.connect]\nconnections = 12\nhold = \"1s\"\nchurn = 5000.0";
    let outcome = stage.run_to(&target, plan).await;
    assert!(outcome.passed, "{:?} {:?}", outcome.errors, outcome.counts);
    assert_eq!((counted(&outcome, count::CONNECTED), counted(&outcome, count::DISCONNECTED)), (12, 0));
    assert!(counted(&outcome, count::RECONNECTED) > 0, "{:?}", outcome.counts);
    assert!(outcome.figures.contains_key("server bytes per connection"), "{:?}", outcome.figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pairs_talk_at_a_pace_and_as_fast_as_it_goes() {
    let stage = Stage::new(8, &[]);
    let open = stage.run("[scenario.peer]\npairs = 4\n[load]\nrate = 200\nduration = \"1s\"").await;
    kept(&open, 200, 1);
    assert_eq!(timed(&open, timing::LAG), 200);
    let closed = stage.run("[scenario.peer]\npairs = 4\n[load]\nduration = \"300ms\"\nin_flight = 4").await;
    kept(&closed, closed.ledger.sent, 1);
    assert!(!closed.open && closed.ledger.sent > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_hear_everything() {
    let stage = Stage::new(260, &["--set", "domain.group_capacity=120"]);
    // More members than one request adds, and more than a group takes that is not a super group.
    let plan = "[scenario.group]\ngroups = 2\nmembers = 130\nonline = 10.0\nsenders = 2\n[load]\nrate = 100\nduration = \"1s\"";
    let outcome = stage.run(plan).await;
    kept(&outcome, 100, 11);
    assert_eq!(counted(&outcome, count::CONNECTED), 26);
    assert_eq!(timed(&outcome, timing::ROOM), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_hear_what_is_said_and_keep_nothing() {
    let stage = Stage::new(20, &[]);
    let plan = "[scenario.rooms]\nrooms = 2\nmembers = 10\nsenders = 3\n[load]\nrate = 100\nduration = \"1s\"";
    let outcome = stage.run(plan).await;
    assert!(outcome.passed, "{:?} {:?}", outcome.ledger, outcome.errors);
    let ledger = &outcome.ledger;
    assert_eq!((ledger.sent, ledger.acked, ledger.received + ledger.missed), (100, 100, 700));
    assert!(ledger.received > 0 && timed(&outcome, timing::ROOM) > 0, "{ledger:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_devices_of_both_hear() {
    let stage = Stage::new(4, &[]);
    let plan = "[scenario.devices]\npairs = 2\ndevices = 4\n[load]\nrate = 100\nduration = \"1s\"";
    let outcome = stage.run(plan).await;
    kept(&outcome, 100, 7);
    assert_eq!((counted(&outcome, count::CONNECTED), counted(&outcome, count::DISCONNECTED)), (16, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_end_with_everything() {
    let stage = Stage::new(8, &["--set", "gateway.outbound_queue=8KiB"]);
    let plan = "[scenario.slow]\npairs = 4\nslow = 50.0\npause = \"400ms\"\npayload = 400\n[load]\nrate = 2000\nduration = \"1s\"";
    let outcome = stage.run(plan).await;
    kept(&outcome, 2000, 1);
    assert_eq!((timed(&outcome, timing::DELIVERY), timed(&outcome, timing::SLOW_DELIVERY)), (1000, 1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_in_a_chat_app_goes_well() {
    let stage = Stage::new(20, &[]);
    let plan = "[scenario.mixed]\npeople = 20\nfriends = 3\ngroups = 4\nmembers = 6\n\
                shares = { reconnects = 5.0 }\n[load]\nrate = 300\nduration = \"1s\"";
    let outcome = stage.run(plan).await;
    assert!(outcome.passed, "{:?} {:?} {:?}", outcome.ledger, outcome.errors, outcome.counts);
    let done: u64 = [count::SENT, count::CALLS, count::NOTICES, count::RECONNECTED]
        .map(|name| counted(&outcome, name))
        .iter()
        .sum();
    // Whoever comes back subscribes to presence once more, as everybody did at first.
    assert_eq!(done, 300 + 20 + counted(&outcome, count::RECONNECTED), "{:?} {:?}", outcome.counts, outcome.errors);
    for name in [count::SENT, count::CALLS, count::NOTICES, count::RECONNECTED, count::HINTS] {
        assert!(counted(&outcome, name) > 0, "{name}: {:?}", outcome.counts);
    }
}
