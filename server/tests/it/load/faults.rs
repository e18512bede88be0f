//! The books, proved: a proxy breaks one promise at a time between the load tester and the server, and the run tells which.

use linnet_loadtest::fault::{self, Fault};
use linnet_loadtest::measure::ledger::Verdict;
use linnet_loadtest::outcome::Outcome;
use tokio::net::TcpListener;

use super::Stage;

const PEER: &str = "[scenario.peer]\npairs = 2\n[load]\nrate = 200\nduration = \"1s\"\ngrace = \"3s\"";
/// One message in so many is hit: of 200, and of 600 arrivals, enough that some are, and not the last.
const EVERY: u64 = 37;

async fn run(fault: Fault, plan: &str) -> Outcome {
    let stage = Stage::new(8, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(fault::relay(listener, stage.server.gateway().tcp, fault, EVERY));
    stage.run_at(address, plan).await
}

/// The run fails, and the books name the breach.
async fn found(fault: Fault, breach: impl Fn(&Verdict) -> u64) {
    let outcome = run(fault, PEER).await;
    assert!(
        breach(&outcome.ledger) > 0 && !outcome.ledger.kept() && !outcome.passed,
        "{fault:?}: {:?}",
        outcome.ledger
    );
}

/// The run passes, and everything has arrived.
async fn nothing_found(fault: Fault) {
    let outcome = run(fault, PEER).await;
    assert!(outcome.passed, "{fault:?}: {:?} {:?}", outcome.ledger, outcome.errors);
    assert_eq!(outcome.ledger.received, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fault_nothing_is_found() {
    nothing_found(Fault::None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_never_came_is_asked_for_and_no_fault() {
    nothing_found(Fault::Hole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_is_found() {
    found(Fault::Drop, |verdict| verdict.lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_found() {
    found(Fault::Duplicate, |verdict| verdict.duplicated.min(verdict.lost)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_order_is_found() {
    found(Fault::Reorder, |verdict| verdict.reordered).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_of_what_was_never_stored_is_found() {
    found(Fault::AckBeforeCommit, |verdict| verdict.lost).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ghost_is_found() {
    found(Fault::Ghost, |verdict| verdict.ghosts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_place_is_found() {
    found(Fault::Misplace, |verdict| verdict.misplaced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_sent_is_found() {
    found(Fault::Invent, |verdict| verdict.unheard_of.min(verdict.lost)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_may_miss_something_and_may_hear_nothing_twice() {
    let plan =
        "[scenario.rooms]\nrooms = 2\nmembers = 4\nsenders = 1\n[load]\nrate = 200\nduration = \"1s\"\ngrace = \"3s\"";
    let missed = run(Fault::Drop, plan).await;
    assert!(missed.passed && missed.ledger.missed > 0, "{:?} {:?}", missed.ledger, missed.errors);
    let twice = run(Fault::Duplicate, plan).await;
    assert!(!twice.passed && twice.ledger.duplicated > 0, "{:?}", twice.ledger);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_owed_every_copy() {
    let plan = "[scenario.group]\ngroups = 2\nmembers = 4\n[load]\nrate = 200\nduration = \"1s\"\ngrace = \"3s\"";
    let outcome = run(Fault::Drop, plan).await;
    assert!(!outcome.passed && outcome.ledger.lost > 0, "{:?}", outcome.ledger);
}
