//! What goes wrong between the processes and Redis: messages of the bus that never arrive, replies that never arrive.
//!
//! These clusters have no replicas, and no master fails: whatever is lost, the connections are to blame.

use std::time::{Duration, Instant};

use storage::testing::{Proxy, RedisCluster};

use crate::settings::Settings;
use crate::world::{Account, Crowd, World};

const GATEWAYS: usize = 3;
const RESTS: usize = 1;
/// How often a process that hears nothing looks into the store: `bus.redis.catch_up` at its default.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Until a process notices that it hears nothing, and for synchronising on a busy machine.
const NOTICE: Duration = Duration::from_secs(5);
/// How long the bus is dead.
const DEAF: Duration = Duration::from_secs(12);
/// How long the cuts may take.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Every how manieth reply is swallowed, and the connection with it.
const CUT_EVERY: u64 = 300;

/// The bus only makes things fast: when nothing that is published arrives, everything is found in the store soon after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_though_nothing_published_does() {
    let settings = Settings::from_environment();
    let (account, proxies) = run(&settings, |proxies| {
        proxies.iter().for_each(|proxy| proxy.lose_messages(true));
        std::thread::sleep(DEAF);
    })
    .await;
    let lost: u64 = proxies.iter().map(Proxy::lost).sum();
    println!(
        "{lost} messages of the bus lost; {} messages acked, all shown at every gateway, the slowest after {} ms",
        account.findings.acked,
        account.slowest_delivery.as_millis()
    );
    assert!(lost > 0, "the bus was used");
    assert!(account.findings.is_clean(), "promises were broken: {:#?}", account.findings);
    assert!(account.slowest_delivery < CATCH_UP + NOTICE, "too late: {:?}", account.slowest_delivery);
}

/// A request whose reply is lost with its connection may have been carried out: it is neither lost nor carried out twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_doubled_when_replies_are_cut_off() {
    let settings = Settings::from_environment();
    let started = Instant::now();
    let (account, proxies) = run(&settings, |proxies| {
        proxies.iter().for_each(|proxy| proxy.cut_every(CUT_EVERY));
        while proxies.iter().map(Proxy::cuts).sum::<u64>() < settings.cuts && started.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        proxies.iter().for_each(|proxy| proxy.cut_every(0));
    })
    .await;
    let cuts: u64 = proxies.iter().map(Proxy::cuts).sum();
    println!("{cuts} replies cut off; {} messages acked: 0 lost, 0 duplicated, 0 out of order", account.findings.acked);
    assert!(cuts >= settings.cuts, "too few connections were cut: {cuts}");
    assert!(account.findings.is_clean(), "promises were broken: {:#?}", account.findings);
}

/// People write to each other while `fault` goes on.
async fn run(settings: &Settings, fault: impl FnOnce(&[Proxy])) -> (Account, Vec<Proxy>) {
    let (world, proxies) = tokio::task::block_in_place(|| {
        let redis = RedisCluster::start(3, 0);
        let proxies = redis.behind_proxies().unwrap_or_else(|reason| panic!("{reason}"));
        (World::start(redis, "ack_replicas = 0\naccept = [\"replicas\"]", GATEWAYS, RESTS), proxies)
    });
    let crowd = Crowd::start(&world, settings.rate).await;
    tokio::task::block_in_place(|| fault(&proxies));
    (crowd.stop(&world).await, proxies)
}
