//! The bus over Redis when things go wrong: whoever may have missed something is told, and it goes on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::testing::{RedisCluster, Reply};
use storage::{Bus, Lagged};

use crate::world::{Ear, config, topic};

const SECOND: Duration = Duration::from_secs(1);

/// The slot of a process's channel, and the node that serves it.
fn place_of_channel(cluster: &RedisCluster, namespace: &str) -> (u16, usize) {
    let pattern = format!("{namespace}:gw:*");
    for node in 0..cluster.nodes() {
        let Ok(Reply::List(channels)) = cluster.ask(node, &["PUBSUB", "SHARDCHANNELS", &pattern]) else { continue };
        if let Some(Reply::Text(channel)) = channels.into_iter().next() {
            return (cluster.slot_of(&channel).unwrap(), node);
        }
    }
    panic!("nobody listens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_death_of_a_channels_master_processes_hear_again_and_are_told() {
    let cluster = RedisCluster::start(3, 1);
    let config = config(&cluster, "killed");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    let (_, master) = place_of_channel(&cluster, "killed");
    let start = Instant::now();
    cluster.kill(master);
    let told = ear.lagged(20 * SECOND).await;
    let recovered = ear.hears_again(&publisher, "a", 20 * SECOND).await;
    ear.until_ready().await;
    println!("kill -9: told after {told:?}, heard again after {recovered:?}, in all {:?}", start.elapsed());
    assert!(start.elapsed() < 15 * SECOND, "{:?}", start.elapsed());
    everything_arrives(&publisher, &mut ear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_master_that_hangs_is_noticed() {
    let cluster = RedisCluster::start(3, 1);
    let config = config(&cluster, "hung");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    let (_, master) = place_of_channel(&cluster, "hung");
    cluster.pause(master);
    let told = ear.lagged(20 * SECOND).await;
    let recovered = ear.hears_again(&publisher, "a", 20 * SECOND).await;
    println!("SIGSTOP: told after {told:?}, heard again {recovered:?} later");
    assert!(told < 6 * SECOND && told + recovered < 15 * SECOND, "{told:?} {recovered:?}");
    // When it comes back, as a replica, nothing is heard twice.
    cluster.resume(master);
    tokio::time::sleep(SECOND).await;
    ear.rest(SECOND / 2).await;
    everything_arrives(&publisher, &mut ear).await;
}

/// Nobody replaces the dead one, which has the directory's entry: so everybody is told, and who can be reached hears it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_channels_go_on_while_a_master_is_down() {
    let cluster = RedisCluster::start(3, 0);
    let config = config(&cluster, "others");
    let publisher = Bus::redis(&config).unwrap();
    // Enough processes that some channel is elsewhere.
    let mut ears = Vec::new();
    for _ in 0..12 {
        ears.push(Ear::on(Bus::redis(&config).unwrap(), &["a"]).await);
    }
    let master = cluster.master_of(cluster.slot_of(b"others:t:{61}").unwrap());
    let elsewhere = (0..3).filter(|node| *node != master);
    let channels = elsewhere.map(|node| cluster.ask(node, &["PUBSUB", "SHARDCHANNELS"]).unwrap().into_items().len());
    let channels: usize = channels.sum();
    cluster.kill(master);
    publisher.publish(&[topic("a")], Bytes::from("first"));
    let mut latest = Duration::ZERO;
    for n in 0..3u32 {
        let payload = Bytes::copy_from_slice(&n.to_be_bytes());
        publisher.publish(&[topic("a")], payload.clone());
        let hear = ears.iter_mut().map(|ear| ear.hears(&payload, 2 * SECOND));
        let mut heard: Vec<Duration> = futures_util::future::join_all(hear).await.into_iter().flatten().collect();
        assert_eq!(heard.len(), channels);
        heard.sort_unstable();
        latest = latest.max(heard.last().copied().unwrap_or_default());
    }
    println!("{channels} of 12 processes were on other nodes and heard everything, the latest after {latest:?}");
    assert!(latest < 3 * SECOND / 2, "{latest:?}");
}

/// Who joins something that cannot be listed for now does not wait for it, and is told when it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_does_not_wait_for_a_master_that_is_down() {
    let cluster = RedisCluster::start(3, 0);
    let config = config(&cluster, "joining");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &[]).await;
    let publisher = Bus::redis(&config).unwrap();
    // Not the one that has the ear's own channel: that is another test's.
    let (_, own) = place_of_channel(&cluster, "joining");
    let down = (own + 1) % 3;
    let of = |node: usize| {
        let names = (0..).map(|n| format!("t{n}"));
        let hex = |name: &String| name.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let slot = |name: &String| cluster.slot_of(format!("joining:t:{{{}}}", hex(name)).as_bytes()).unwrap();
        names.filter(|name| cluster.master_of(slot(name)) == node).take(20).collect::<Vec<_>>()
    };
    let (harmed, healthy) = (of(down), of(own));
    cluster.kill(down);
    let mut waits = Vec::new();
    for (one, other) in harmed.iter().zip(&healthy) {
        ear.bus.join(topic(one));
        ear.bus.join(topic(other));
        let start = Instant::now();
        ear.bus.settle().await;
        waits.push(start.elapsed());
    }
    println!("joins settled after {waits:?}");
    assert!(waits.iter().all(|wait| *wait < 2 * SECOND));
    assert!(waits[5..].iter().all(|wait| *wait < SECOND / 2), "{waits:?}");
    ear.rest(SECOND / 5).await;
    publisher.publish(&[topic(&healthy[19])], Bytes::from("healthy"));
    assert_eq!(ear.next().await, Ok(Bytes::from("healthy")));
    cluster.restart(down).unwrap();
    let told = ear.lagged(20 * SECOND).await;
    println!("told {told:?} after the master was started again");
    let last = &harmed[19];
    ear.hears_again(&publisher, last, 5 * SECOND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_moves_with_its_slot() {
    let cluster = RedisCluster::start(3, 0);
    let config = config(&cluster, "moved");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    let (slot, master) = place_of_channel(&cluster, "moved");
    let to = (master + 1) % 3;
    cluster.move_slot(slot, to).unwrap();
    let told = ear.lagged(10 * SECOND).await;
    let recovered = ear.hears_again(&publisher, "a", 10 * SECOND).await;
    println!("slot moved: told after {told:?}, heard again {recovered:?} later");
    assert_eq!(place_of_channel(&cluster, "moved"), (slot, to));
    // The entry in the directory moves with its slot, and nothing is missed by that.
    let topic_slot = cluster.slot_of(b"moved:t:{61}").unwrap();
    ear.rest(SECOND).await;
    let to = (cluster.master_of(topic_slot) + 1) % 3;
    cluster.move_slot(topic_slot, to).unwrap();
    everything_arrives(&publisher, &mut ear).await;
}

/// With everything that is published lost on the way, processes still learn that they have to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_message_lost_processes_are_told_again_and_again() {
    let cluster = RedisCluster::start(3, 0);
    let proxies = cluster.behind_proxies().unwrap();
    let config = config(&cluster, "deaf");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    for proxy in &proxies {
        proxy.lose_messages(true);
    }
    publisher.publish(&[topic("a")], Bytes::from("lost"));
    let first = ear.lagged(10 * SECOND).await;
    assert!(!ear.bus.is_ready());
    let mut again = Vec::new();
    for _ in 0..2 {
        again.push(ear.lagged(10 * SECOND).await);
    }
    println!("with every message lost: told after {first:?}, and again after {again:?}");
    assert!(first <= config.silence + SECOND, "{first:?}");
    assert!(again.iter().all(|again| *again <= config.catch_up + SECOND / 2), "{again:?}");
    assert!(proxies.iter().map(storage::testing::Proxy::lost).sum::<u64>() > 0);
    for proxy in &proxies {
        proxy.lose_messages(false);
    }
    ear.lagged(10 * SECOND).await;
    ear.until_ready().await;
    // The next publication shows that one was lost, which by now is no news.
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    everything_arrives(&publisher, &mut ear).await;
}

/// A message that is lost while heartbeats arrive shows by its number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_lost_message_is_noticed() {
    let cluster = RedisCluster::start(3, 0);
    let proxies = cluster.behind_proxies().unwrap();
    let config = config(&cluster, "hole");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    ear.rest(SECOND / 2).await;
    for proxy in &proxies {
        proxy.lose_messages(true);
    }
    publisher.publish(&[topic("a")], Bytes::from("lost"));
    publisher.flush().await;
    // The server has it by now; the proxy may not.
    tokio::time::sleep(SECOND / 5).await;
    for proxy in &proxies {
        proxy.lose_messages(false);
    }
    let told = ear.lagged(5 * SECOND).await;
    println!("a single lost message: told after {told:?}");
    assert!(told < 2 * SECOND, "{told:?}");
    everything_arrives(&publisher, &mut ear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_are_made_again() {
    let cluster = RedisCluster::start(3, 0);
    let proxies = cluster.behind_proxies().unwrap();
    let config = config(&cluster, "cut");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    for _ in 0..3 {
        ear.rest(SECOND / 2).await;
        for proxy in &proxies {
            proxy.cut();
        }
        let told = ear.lagged(5 * SECOND).await;
        let recovered = ear.hears_again(&publisher, "a", 5 * SECOND).await;
        println!("cut: told after {told:?}, heard again {recovered:?} later");
    }
}

/// A process that was stopped for longer than its lease is forgotten, and comes back under another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_whose_lease_has_lapsed_begins_anew() {
    let cluster = RedisCluster::start(3, 0);
    let config = config(&cluster, "lapsed");
    let mut ear = Ear::on(Bus::redis(&config).unwrap(), &["a"]).await;
    let publisher = Bus::redis(&config).unwrap();
    ear.hears_again(&publisher, "a", 5 * SECOND).await;
    // As if it had been away: its lease and all of its entries are gone.
    for node in 0..3 {
        for key in cluster.ask(node, &["KEYS", "lapsed:*"]).unwrap().into_items() {
            let key = String::from_utf8(key).unwrap();
            cluster.ask(node, &["DEL", &key]).unwrap();
        }
    }
    let told = ear.lagged(config.lease).await;
    let recovered = ear.hears_again(&publisher, "a", 5 * SECOND).await;
    println!("lease lapsed: told after {told:?}, heard again {recovered:?} later");
    ear.rest(SECOND).await;
    everything_arrives(&publisher, &mut ear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_there_is_a_cluster_nothing_waits_and_later_everything_works() {
    let cluster = RedisCluster::start(1, 0);
    let mut config = config(&cluster, "early");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.url = format!("redis://{free}").parse().unwrap();
    let bus = Bus::redis(&config).unwrap();
    let mut ear = bus.subscribe(10);
    bus.join(topic("a"));
    let start = Instant::now();
    for _ in 0..1_000 {
        bus.publish(&[topic("a")], Bytes::from("x"));
    }
    assert!(start.elapsed() < 5 * SECOND && !bus.is_ready());
    // It learns by itself that it may have missed something.
    let told = tokio::time::timeout(config.catch_up + SECOND, ear.recv()).await.unwrap();
    assert_eq!(told, Err(Lagged { missed: 0 }));
    // A flush that cannot succeed ends.
    tokio::time::timeout(10 * SECOND, bus.flush()).await.unwrap();
}

/// What a publication costs depends on how many processes there are, not on how much they joined or how many publications there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publications_travel_together_once_to_each_process() {
    const COUNT: u32 = 10_000;
    let cluster = RedisCluster::start(3, 0);
    let config = config(&cluster, "many");
    let publisher = Bus::redis(&config).unwrap();
    let mut ears = Vec::new();
    for _ in 0..3 {
        ears.push(Ear::on(Bus::redis(&config).unwrap(), &["group"]).await);
    }
    let messages = || -> u64 { (0..3).map(|node| calls(&cluster, node, "spublish")).sum() };
    let (before, start) = (messages(), Instant::now());
    for n in 0..COUNT {
        publisher.publish(&[topic("group")], Bytes::from(vec![u8::try_from(n % 251).unwrap(); 200]));
    }
    publisher.flush().await;
    let took = start.elapsed();
    // Heartbeats of four processes included.
    let sent = messages() - before;
    println!("{COUNT} publications to 3 processes: {sent} messages, {took:?}");
    for ear in &mut ears {
        let heard = ear.rest(SECOND / 2).await;
        assert_eq!(heard.len(), COUNT as usize);
        assert!(heard.iter().all(Result::is_ok));
    }
    assert!(sent < 500, "{sent} messages");
}

/// How often a node has executed a command.
fn calls(cluster: &RedisCluster, node: usize, command: &str) -> u64 {
    let info = cluster.ask(node, &["INFO", "commandstats"]).unwrap().into_text().unwrap();
    let start = format!("cmdstat_{command}:calls=");
    let of_command = info.lines().find_map(|line| line.strip_prefix(&start));
    of_command.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

/// Publishes a thousand and hears all of them, each once, in order.
async fn everything_arrives(publisher: &Bus, ear: &mut Ear) {
    ear.rest(SECOND / 2).await;
    for n in 0..1_000u32 {
        publisher.publish(&[topic("a")], Bytes::copy_from_slice(&n.to_be_bytes()));
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    publisher.flush().await;
    let heard = ear.rest(SECOND / 2).await;
    let expected: Vec<_> = (0..1_000u32).map(|n| Ok(Bytes::copy_from_slice(&n.to_be_bytes()))).collect();
    let differs = heard.iter().zip(&expected).position(|(one, other)| one != other);
    assert!(
        heard == expected,
        "{} heard; the first that differs is at {differs:?}: {:?}",
        heard.len(),
        differs.map(|at| &heard[at])
    );
}
