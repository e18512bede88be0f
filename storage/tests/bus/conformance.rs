//! What every kind of bus promises.

use std::time::Duration;

use bytes::Bytes;
use storage::testing::RedisCluster;
use storage::{Lagged, RedisBusConfig, Topic};

use crate::world::{Ear, World, config, topic};

const SILENCE: Duration = Duration::from_millis(300);

fn number(n: u32) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

async fn all(world: impl Fn(&str) -> World) {
    whoever_joined_hears_once(&world("joined")).await;
    everybody_hears_what_is_for_everybody(&world("everybody")).await;
    the_order_of_a_publisher_is_kept(&world("order")).await;
    a_slow_subscriber_loses_the_oldest_and_is_told(&world("slow")).await;
    every_subscription_of_a_process_hears(&world("several")).await;
    a_flush_without_anything_to_wait_for_ends(&world("flush")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local() {
    all(|_| World::local()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote() {
    all(|_| World::remote()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis() {
    let cluster = RedisCluster::start(3, 0);
    all(|namespace| World::redis(&cluster, namespace)).await;
    who_left_hears_no_more(&World::redis(&cluster, "left")).await;
    a_process_that_is_gone_is_forgotten(&cluster).await;
    a_process_that_takes_leave_is_forgotten_at_once(&cluster).await;
}

async fn whoever_joined_hears_once(world: &World) {
    let publisher = world.process();
    let mut both = Ear::on(world.process(), &["a", "b"]).await;
    let mut one = Ear::on(world.process(), &["b"]).await;
    let mut none = Ear::on(world.process(), &["c"]).await;
    publisher.publish(&[topic("a"), topic("b")], Bytes::from("ab"));
    publisher.publish(&[topic("a"), topic("nobody's")], Bytes::from("a"));
    publisher.publish(&[topic("b"), topic("b")], Bytes::from("b"));
    publisher.flush().await;
    let heard = |text: &'static str| Ok(Bytes::from(text));
    assert_eq!(both.rest(SILENCE).await, [heard("ab"), heard("a"), heard("b")]);
    if world.selects() {
        assert_eq!(one.rest(SILENCE).await, [heard("ab"), heard("b")]);
        assert_eq!(none.rest(SILENCE).await, []);
    }
}

async fn everybody_hears_what_is_for_everybody(world: &World) {
    let publisher = world.process();
    let mut ears = [Ear::on(world.process(), &["a"]).await, Ear::on(world.process(), &[]).await];
    publisher.publish(&[], Bytes::from("all"));
    for ear in &mut ears {
        assert_eq!(ear.next().await, Ok(Bytes::from("all")));
    }
}

async fn the_order_of_a_publisher_is_kept(world: &World) {
    // Fewer than the owner's socket keeps for one connection.
    const COUNT: u32 = 10_000;
    let publishers = [world.process(), world.process()];
    let mut ear = Ear::on(world.process(), &["a", "b", "c"]).await;
    let topics = ["a", "b", "c"].map(topic);
    for n in 0..COUNT {
        let of_round: &[Topic] = if n % 7 == 0 { &topics[..] } else { &topics[n as usize % 3..][..1] };
        publishers[n as usize % 2].publish(of_round, number(n));
        if n % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut last = [None; 2];
    for _ in 0..COUNT {
        let heard = ear.next().await.unwrap();
        let n = u32::from_be_bytes(heard[..].try_into().unwrap());
        let before = last[n as usize % 2].replace(n);
        assert_eq!(before.map_or(n % 2, |before| before + 2), n);
    }
    assert_eq!(ear.rest(SILENCE).await, []);
}

async fn a_slow_subscriber_loses_the_oldest_and_is_told(world: &World) {
    let publisher = world.process();
    let listener = Ear::on(world.process(), &["a"]).await;
    let mut slow = listener.bus.subscribe(3);
    // The bus may say first that this subscription begins somewhere.
    let _ = tokio::time::timeout(Duration::from_millis(50), slow.recv()).await;
    for n in 0..10 {
        publisher.publish(&[topic("a")], number(n));
    }
    publisher.flush().await;
    tokio::time::sleep(SILENCE).await;
    assert_eq!(slow.recv().await, Err(Lagged { missed: 7 }));
    for n in 7..10 {
        assert_eq!(slow.recv().await, Ok(number(n)));
    }
}

async fn every_subscription_of_a_process_hears(world: &World) {
    let publisher = world.process();
    let mut first = Ear::on(world.process(), &["a"]).await;
    let mut second = first.bus.subscribe(10);
    publisher.publish(&[topic("a")], Bytes::from("x"));
    assert_eq!(first.next().await, Ok(Bytes::from("x")));
    let heard = tokio::time::timeout(Duration::from_secs(5), second.recv()).await.unwrap();
    assert_eq!(heard, Ok(Bytes::from("x")));
}

async fn a_flush_without_anything_to_wait_for_ends(world: &World) {
    let bus = world.process();
    tokio::time::timeout(Duration::from_secs(2), bus.flush()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(2), bus.settle()).await.unwrap();
    bus.leave(&topic("never joined"));
    tokio::time::timeout(Duration::from_secs(2), bus.flush()).await.unwrap();
}

async fn who_left_hears_no_more(world: &World) {
    let publisher = world.process();
    let mut ear = Ear::on(world.process(), &["a", "b"]).await;
    ear.bus.leave(&topic("a"));
    ear.bus.flush().await;
    publisher.publish(&[topic("a")], Bytes::from("a"));
    publisher.publish(&[topic("b")], Bytes::from("b"));
    publisher.flush().await;
    assert_eq!(ear.rest(SILENCE).await, [Ok(Bytes::from("b"))]);
    // Who comes back hears again.
    ear.bus.join(topic("a"));
    ear.bus.flush().await;
    publisher.publish(&[topic("a")], Bytes::from("a"));
    assert_eq!(ear.next().await, Ok(Bytes::from("a")));
}

/// A process that ended without a word costs others something for a few leases at most.
async fn a_process_that_is_gone_is_forgotten(cluster: &RedisCluster) {
    let world = World::Redis(RedisBusConfig { lease: Duration::from_secs(2), ..config(cluster, "gone") });
    let publisher = world.process();
    let mut living = Ear::on(world.process(), &["a"]).await;
    let dead = Ear::on(world.process(), &["a"]).await;
    let listed = |key: &str| listed(cluster, key);
    // The topic `a`, in hexadecimal.
    assert_eq!((listed("gone:t:{61}"), listed("gone:boots")), (Some(2), Some(2)));
    drop(dead);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut published = 0;
    while (listed("gone:t:{61}"), listed("gone:boots")) != (Some(1), Some(1)) {
        assert!(std::time::Instant::now() < deadline, "the dead process is still listed");
        publisher.publish(&[topic("a")], number(published));
        published += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    publisher.flush().await;
    let heard = living.rest(SILENCE).await;
    assert_eq!(heard, (0..published).map(|n| Ok(number(n))).collect::<Vec<_>>());
}

async fn a_process_that_takes_leave_is_forgotten_at_once(cluster: &RedisCluster) {
    let world = World::redis(cluster, "leave");
    let publisher = world.process();
    let mut staying = Ear::on(world.process(), &["a"]).await;
    let mut leaving = Ear::on(world.process(), &["a"]).await;
    publisher.publish(&[topic("a")], number(0));
    publisher.flush().await;
    assert_eq!((staying.next().await, leaving.next().await), (Ok(number(0)), Ok(number(0))));
    leaving.bus.publish(&[topic("a")], Bytes::from("last words"));
    leaving.bus.close().await;
    assert_eq!(staying.next().await, Ok(Bytes::from("last words")));
    assert_eq!(listed(cluster, "leave:boots"), Some(1));
    let start = std::time::Instant::now();
    for n in 1..4 {
        publisher.publish(&[topic("a")], number(n));
        publisher.flush().await;
        assert_eq!(staying.next().await, Ok(number(n)));
    }
    // Nobody tried to reach it again and again, and its last trace is gone.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(listed(cluster, "leave:t:{61}"), Some(1));
}

/// How many members a set of the directory has.
fn listed(cluster: &RedisCluster, key: &str) -> Option<usize> {
    let sets = (0..cluster.nodes()).filter_map(|node| cluster.ask(node, &["SMEMBERS", key]).ok());
    sets.map(|set| set.into_items().len()).max()
}
