//! Several processes that work on one store: what a dead one left undone the others do, and hardly anything is sent twice.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::outbox::Duty;
use domain::record::{PushChannel, PushProvider};
use domain::{BootId, Clock, Domain};
use outbound::{Config, Http, Outbound, Share};
use serde_json::json;
use storage::Store;
use tokio::runtime::{Builder, Runtime};

use crate::world::{World, config, open, say};

const NODES: u64 = 3;
const MESSAGES: usize = 6;
/// Long beside a request, so that a busy machine makes no doubles.
const CLAIM: Duration = Duration::from_secs(2);

/// A process with a runtime of its own, so that it can die with all that it does.
struct Node {
    runtime: Runtime,
    domain: Domain,
    boot: BootId,
}

impl Node {
    async fn new(store: &Store, boot: u64) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = store.clone();
        let domain = runtime.spawn(async move { open(&store).await }).await.unwrap();
        let boot = BootId(boot);
        domain.outbox.set_duty(Duty::Shared { me: boot, term: CLAIM });
        Self { runtime, domain, boot }
    }

    /// Lets Alice say something to Bob through this process.
    async fn say(&self, world: &World, text: String) {
        let (domain, alice, bob) = (self.domain.clone(), world.alice.clone(), world.bob.clone());
        self.runtime.spawn(async move { say(&domain, &alice, &bob, &text).await }).await.unwrap();
    }

    async fn work(&self) -> Outbound {
        let (domain, boot) = (self.domain.clone(), self.boot);
        let config = Config { claim: CLAIM, ..config() };
        let start =
            async move { Outbound::start(domain, Clock::system(), Http::new(&config), &config, Share::Among(boot)) };
        self.runtime.spawn(start).await.unwrap()
    }

    /// At once, wherever it is.
    fn die(self) {
        self.runtime.shutdown_background();
    }
}

fn xiaomi() -> PushChannel {
    let provider = PushProvider::Xiaomi as i32;
    PushChannel { provider, app_id: "com.app".into(), app_secret: "secret".into(), ..PushChannel::default() }
}

/// An app whose messages wait: each process has taken some, and none has begun.
async fn nodes() -> (World, Vec<Node>) {
    let mut world = World::new(xiaomi(), |_| (200, json!({ "code": 0 }))).await;
    world.workers.take().unwrap().stop().await;
    let mut nodes = Vec::new();
    for boot in 1..=NODES {
        nodes.push(Node::new(&world.store, boot).await);
    }
    for (message, node) in (0..MESSAGES).zip((0..nodes.len()).cycle()) {
        nodes[node].say(&world, message.to_string()).await;
    }
    (world, nodes)
}

/// What is sent until everything was, and for a while after.
async fn sent(world: &World, already: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut sent = already;
    while sent.len() < MESSAGES {
        let asked = world.fake.next().await;
        *sent.entry(asked.form()["description"].clone()).or_default() += 1;
    }
    while world.left().await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dead_left_undone_is_done_by_the_living() {
    // Two of three processes die as soon as the provider was asked so often.
    let campaigns = (1..=MESSAGES).map(|deadly| async move {
        let (world, mut nodes) = nodes().await;
        let mut workers = Vec::new();
        for node in &nodes {
            workers.push(node.work().await);
        }
        let mut already = BTreeMap::new();
        for _ in 0..deadly {
            let asked = world.fake.next().await;
            *already.entry(asked.form()["description"].clone()).or_default() += 1;
        }
        nodes.drain(..2).for_each(Node::die);
        let sent = sent(&world, already).await;
        let doubles = sent.values().sum::<usize>() - MESSAGES;
        assert!(doubles <= 2, "two deaths excuse two doubles, and there were {doubles}: {sent:?}");
        nodes.drain(..).for_each(Node::die);
    });
    futures_util::future::join_all(campaigns).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_stop_leaves_nothing_to_wait_for() {
    let (world, mut nodes) = nodes().await;
    let leader = nodes.remove(0);
    let workers = leader.work().await;
    while !leader.domain.outbox.leads().await.unwrap() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    leader.runtime.spawn(workers.stop()).await.unwrap();
    let mut said = Vec::new();
    for _ in 0..2 {
        said.push(world.fake.next().await.form()["description"].clone());
    }
    said.sort();
    assert_eq!(said, ["0", "3"], "it sent its own, and nobody else's");
    assert!(nodes[0].domain.outbox.leads().await.unwrap(), "another need not wait until it may lead");
    leader.die();
    nodes.drain(..).for_each(Node::die);
}
