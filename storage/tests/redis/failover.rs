//! A master that dies, and connections that break, while many write.

use std::time::{Duration, Instant};

use storage::testing::RedisCluster;

use crate::load::{Ledger, Load, home_at, store};

fn homes(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("home-{n}"))
}

/// Waits until another node serves what `victim` did.
async fn wait_for_successor(cluster: &RedisCluster, victim: usize) {
    let since = Instant::now();
    while cluster.masters().contains(&victim) || cluster.masters().len() < 3 {
        assert!(since.elapsed() < Duration::from_secs(30), "nobody took over");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("replaced after {:?}", since.elapsed());
}

/// A home at each master but one.
fn homes_elsewhere(cluster: &RedisCluster, victim: usize) -> Vec<String> {
    let others = cluster.masters().into_iter().filter(|master| *master != victim);
    others.map(|master| home_at(cluster, master)).collect()
}

fn longest_gap(ledgers: &[Ledger]) -> Duration {
    ledgers.iter().map(|ledger| ledger.longest_gap).max().unwrap()
}

/// Whoever is held up by a dead shard is so for as long as it is dead; a busy machine makes anyone wait a little.
fn assert_apart(gap: Duration, outage: Duration) {
    assert!(gap < outage / 2, "an outage of {outage:?} held up another shard for {gap:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_loses_nothing_that_was_acked_and_holds_up_no_other() {
    // Two replicas, so that one is left to wait for.
    let cluster = RedisCluster::start(3, 2);
    let store = store(&cluster);
    let victim = cluster.master_of(0);
    let load = Load::start(&store, homes(24));
    let healthy = Load::start(&store, homes_elsewhere(&cluster, victim));
    load.advance(300).await;

    cluster.kill(victim);
    wait_for_successor(&cluster, victim).await;
    load.advance(300).await;
    cluster.restart(victim).unwrap();
    cluster.wait_until_healthy().unwrap();
    load.advance(100).await;

    let gap = longest_gap(&healthy.finish().await);
    let outage = longest_gap(&load.finish().await);
    println!("longest time without an ack: {outage:?}, in other shards {gap:?}");
    assert_apart(gap, outage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_master_is_left_and_holds_up_no_other() {
    let cluster = RedisCluster::start(3, 2);
    let store = store(&cluster);
    let victim = cluster.master_of(0);
    let load = Load::start(&store, homes(12));
    let healthy = Load::start(&store, homes_elsewhere(&cluster, victim));
    load.advance(100).await;
    cluster.pause(victim);
    wait_for_successor(&cluster, victim).await;
    load.advance(100).await;
    // It comes back with calls in its ears that nobody waits for any more.
    cluster.resume(victim);
    cluster.wait_until_healthy().unwrap();
    load.advance(100).await;

    let gap = longest_gap(&healthy.finish().await);
    let outage = longest_gap(&load.finish().await);
    println!("longest time without an ack: {outage:?}, in other shards {gap:?}");
    assert_apart(gap, outage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_leaves_nothing_torn_or_doubled() {
    let cluster = RedisCluster::start(3, 1);
    let store = store(&cluster);
    let load = Load::start(&store, homes(16));
    for _ in 0..40 {
        load.advance(20).await;
        for master in cluster.masters() {
            // Between a call and its answer more often than not, as writers do nothing else.
            cluster.ask(master, &["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
        }
    }
    let ledgers = load.finish().await;
    let unknown: usize = ledgers.iter().map(|ledger| ledger.unknown).sum();
    println!("{unknown} commits whose outcome was unknown");
    assert!(unknown > 0, "no connection broke under way");
}
