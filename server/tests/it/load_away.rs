//! The load tester's scenarios in which clients are away, against a real server: what they say, and what they find.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linnet_loadtest::plan::Plan;
use linnet_loadtest::run::coordinator::{self, Worker};
use linnet_loadtest::show::Shows;

use crate::harness::load::{run, target};
use crate::harness::{Role, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_gets_everything() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    // More than comes by itself, so that the rest is read back.
    let scenario = "[scenario.offline]\nsleepers = 20\nsenders = 4\nmessages = 30\ngroups = 3\ngroup_messages = 40\n\
                    sync_entries = 10\n";
    let plan = target(&site, &server, 24) + scenario;
    let outcome = run(Plan::parse(&plan).expect("a plan"), 2).await;
    assert!(outcome.passed, "{outcome:?}");
    assert_eq!(outcome.ledger.sent, 20 * 30 + 3 * 40);
    assert_eq!(outcome.ledger.received, 20 * (30 + 40));
    assert_eq!(outcome.counts["owed"], 20 * (30 + 40));
    assert_eq!(outcome.timings["sync"].count, 20);
    assert!(outcome.ledger.skipped >= 20 * (20 + 30), "{:?}", outcome.ledger);
    assert!(outcome.figures["wake bytes per message"] > 200.0, "a message has 200 bytes of text");

    // Once more, with those who have been here before, one after the other.
    let plan = plan + "wake_rate = 100.0\n[load]\nrate = 2000.0\n";
    let outcome = run(Plan::parse(&plan).expect("a plan"), 1).await;
    assert!(outcome.passed, "{outcome:?}");
    assert_eq!(outcome.ledger.received, 20 * (30 + 40));
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_ended_before_anybody_wakes_up_owes_nothing() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let plan = target(&site, &server, 6)
        + "[scenario.offline]\nsleepers = 4\nsenders = 2\nmessages = 1000\ngroups = 0\n[load]\nrate = 20.0\n";
    let plan = Plan::parse(&plan).expect("a plan");
    let stop = tokio::time::sleep(Duration::from_secs(5));
    let begun = Instant::now();
    let outcome = coordinator::run(plan, vec![Worker::local()], &mut Shows::default(), stop).await.expect("a report");
    assert!(outcome.stopped && outcome.ledger.acked > 0, "{outcome:?}");
    assert!(outcome.ledger.kept() && outcome.counts["not back"] == 0, "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits for those who never woke up");
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_are_cut_come_back() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let plan = target(&site, &server, 60)
        + "transport = \"tcp\"\n[scenario.storm]\nconnections = 40\nsurvivors = 20\ncalm = \"500ms\"\n[load]\nrate = 400\n";
    let outcome = run(Plan::parse(&plan).expect("a plan"), 2).await;
    assert!(outcome.passed, "{outcome:?}");
    assert_eq!((outcome.counts["cut"], outcome.counts["disconnected"], outcome.counts["not back"]), (40, 40, 0));
    for name in ["outage", "sync", "back"] {
        assert_eq!(outcome.timings[name].count, 40, "{name}");
    }
    assert!(outcome.timings["ack"].count >= 200 && outcome.timings["ack in storm"].count > 0, "{outcome:?}");
    assert!(outcome.figures.contains_key("survivor ack p99 ratio"));
    assert!(outcome.figures.contains_key("all back after ms"));
    assert!(server.terminate().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_is_found_again() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let plan = target(&site, &server, 15)
        + &format!(
            "[scenario.storm]\nconnections = 10\nsurvivors = 5\ncalm = \"200ms\"\nkill = {}\n[load]\nrate = 100\n",
            server.ready.pid
        );
    // Whoever looks after the server starts it again.
    let server = Arc::new(Mutex::new((site, server)));
    let watchman = Arc::clone(&server);
    let restarting = tokio::task::spawn_blocking(move || {
        let mut guard = watchman.lock().expect("nobody panics with it");
        let (site, server) = &mut *guard;
        server.wait_until_dead();
        server.kill_and_restart(site, &[]);
    });
    let outcome = run(Plan::parse(&plan).expect("a plan"), 1).await;
    restarting.await.expect("the server is back");
    assert!(outcome.passed, "{outcome:?}");
    assert_eq!((outcome.counts["cut"], outcome.counts["not back"]), (10, 0));
    assert_eq!(outcome.timings["sync"].count, 10);
    assert!(outcome.ledger.received > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_command_makes_a_storm() {
    let site = Site::new();
    let server = site.start(Role::Serve);
    let there = site.path().join("struck");
    let plan = target(&site, &server, 3)
        + &format!(
            "[scenario.storm]\nconnections = 2\nsurvivors = 1\ncalm = \"100ms\"\npatience = \"300ms\"\n\
             restart_command = \"echo struck >> '{}'\"\n",
            there.display()
        );
    let outcome = run(Plan::parse(&plan).expect("a plan"), 2).await;
    // This command cuts nobody, so nobody comes back, and the run says so.
    assert!(!outcome.passed && outcome.counts["not back"] == 2, "{outcome:?}");
    assert_eq!(std::fs::read_to_string(there).expect("the command ran"), "struck\n", "once, whatever the workers");
    assert!(server.terminate().success());
}
