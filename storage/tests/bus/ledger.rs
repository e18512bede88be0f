//! The promise itself, over a cluster that fails again and again: whoever joined hears each publication, once and in order,
//! or is told later that it may have missed something.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use storage::Bus;
use storage::testing::RedisCluster;

use crate::world::{Ear, config, topic};

const SECOND: Duration = Duration::from_secs(1);
const TOPICS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// How long a publication may be on its way: whoever leaves sooner need not hear it.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// What a publisher did: when it published which number to which topic.
type Published = Arc<Mutex<Vec<(Instant, usize)>>>;

/// What a process heard: publisher and number; or that it missed something.
type Heard = Arc<Mutex<Vec<(Instant, Option<(u8, u32)>)>>>;

/// Since when a process had joined a topic, and when it left.
type Joined = Arc<Mutex<Vec<(usize, Instant, Option<Instant>)>>>;

struct Process {
    heard: Heard,
    joined: Joined,
}

/// Publishes until it is told to stop.
async fn publish(bus: Bus, publisher: u8, published: Published, stop: Arc<AtomicBool>) {
    let mut number = 0u32;
    while !stop.load(Ordering::Acquire) {
        for _ in 0..3 {
            let to = number as usize % TOPICS.len();
            let mut payload = vec![publisher];
            payload.extend_from_slice(&number.to_be_bytes());
            published.lock().push((Instant::now(), to));
            bus.publish(&[topic(TOPICS[to])], payload.into());
            number += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bus.flush().await;
}

/// Writes down what a process hears.
async fn listen(mut ear: Ear, heard: Heard) {
    loop {
        let next = ear.within(60 * SECOND).await.expect("the bus is silent");
        let next = next.ok().map(|payload: Bytes| (payload[0], u32::from_be_bytes(payload[1..].try_into().unwrap())));
        heard.lock().push((Instant::now(), next));
    }
}

/// Leaves a topic and joins it again, now and then.
async fn come_and_go(bus: Bus, joined: Joined, stop: Arc<AtomicBool>) {
    let mut round = 0;
    while !stop.load(Ordering::Acquire) {
        tokio::time::sleep(2 * SECOND).await;
        let which = round % TOPICS.len();
        round += 1;
        if let Some(entry) = joined.lock().iter_mut().find(|entry| entry.0 == which && entry.2.is_none()) {
            entry.2 = Some(Instant::now());
        }
        bus.leave(&topic(TOPICS[which]));
        tokio::time::sleep(Duration::from_millis(100)).await;
        bus.join(topic(TOPICS[which]));
        bus.settle().await;
        joined.lock().push((which, Instant::now(), None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_failures_nothing_is_missed_unnoticed() {
    let cluster = Arc::new(RedisCluster::start(3, 1));
    let config = config(&cluster, "ledger");
    let stop = Arc::<AtomicBool>::default();
    let mut processes = Vec::new();
    for busy in [false, false, true] {
        let ear = Ear::on(Bus::redis(&config).unwrap(), &TOPICS).await;
        let process = Process { heard: Heard::default(), joined: Joined::default() };
        process.joined.lock().extend((0..TOPICS.len()).map(|which| (which, Instant::now(), None)));
        if busy {
            tokio::spawn(come_and_go(ear.bus.clone(), Arc::clone(&process.joined), Arc::clone(&stop)));
        }
        tokio::spawn(listen(ear, Arc::clone(&process.heard)));
        processes.push(process);
    }
    let mut publishers = Vec::new();
    for publisher in 0..2 {
        let published = Published::default();
        let bus = Bus::redis(&config).unwrap();
        let task = tokio::spawn(publish(bus, publisher, Arc::clone(&published), Arc::clone(&stop)));
        publishers.push((published, task));
    }

    // Blocks, and so goes elsewhere.
    let faults = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || fail(&faults)).await.unwrap();
    tokio::time::sleep(3 * SECOND).await;
    stop.store(true, Ordering::Release);
    let mut published = Vec::new();
    for (of_publisher, task) in publishers {
        task.await.unwrap();
        published.push(of_publisher.lock().clone());
    }
    // The last reminders.
    tokio::time::sleep(8 * SECOND).await;
    for process in processes {
        check(&process, &published);
    }
}

/// Kills, starts again, stops, continues, and hands on slots, once each.
fn fail(cluster: &RedisCluster) {
    let pause = |seconds| std::thread::sleep(seconds * SECOND);
    pause(2);
    let master = cluster.master_of(0u16);
    cluster.kill(master);
    pause(6);
    cluster.restart(master).unwrap();
    pause(3);
    let master = cluster.master_of(3_000);
    cluster.pause(master);
    pause(6);
    cluster.resume(master);
    pause(3);
    cluster.wait_until_healthy().unwrap();
    for name in TOPICS {
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        let slot = cluster.slot_of(format!("ledger:t:{{{hex}}}").as_bytes()).unwrap();
        let from = cluster.master_of(slot);
        let to = cluster.masters().into_iter().find(|master| *master != from).unwrap();
        cluster.move_slot(slot, to).unwrap();
    }
}

fn check(process: &Process, published: &[Vec<(Instant, usize)>]) {
    let (heard, joined) = (process.heard.lock(), process.joined.lock());
    let lags: Vec<Instant> = heard.iter().filter(|(_, what)| what.is_none()).map(|(at, _)| *at).collect();
    let mut last = vec![None; published.len()];
    let mut of_publisher: Vec<HashSet<u32>> = vec![HashSet::new(); published.len()];
    for (publisher, number) in heard.iter().filter_map(|(_, what)| *what) {
        let before = last[usize::from(publisher)].replace(number);
        assert!(before < Some(number), "{number} of {publisher} came after {before:?}");
        of_publisher[usize::from(publisher)].insert(number);
    }
    let (mut missed, mut promised) = (0, 0);
    for (publications, heard) in published.iter().zip(&of_publisher) {
        for (number, (at, which)) in (0u32..).zip(publications) {
            let was_joined = joined.iter().any(|(joined, since, until)| {
                joined == which && since <= at && until.is_none_or(|until| *at + ON_THE_WAY < until)
            });
            promised += u32::from(was_joined);
            if was_joined && !heard.contains(&number) {
                missed += 1;
                assert!(lags.iter().any(|lag| lag > at), "{number} was missed, and nobody said so");
            }
        }
    }
    println!("{promised} were for this process, {missed} of them were missed, and it was told {} times", lags.len());
    assert!(promised > 1_000);
}
