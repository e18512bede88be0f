//! Durable commits a second and their latencies, over RocksDB and over a Redis Cluster of this machine, side by side.
//!
//! `cargo run --release -p linnet-storage --example engines -- [seconds] [replicas] [waiters…]`
//!
//! A commit is what a message makes: an entry of a log, the head before it, and two rows that expire.
//! Both engines run in one process and one after the other, so that their ratio means something where the numbers do not.

#![cfg(feature = "rocksdb")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::store as pb;
use storage::testing::{RedisCluster, Reply};
use storage::{Batch, Clock, Home, Key, Kind, RedisConfig, Rest, RocksConfig, State, Store, Table};

const HEAD: Table = Table { code: 1, name: "head", kind: Kind::Map, expires: false };
const ENTRY: Table = Table { code: 2, name: "entry", kind: Kind::Log, expires: true };
const SENT: Table = Table { code: 3, name: "sent", kind: Kind::Map, expires: true };
const POSITION: Table = Table { code: 4, name: "position", kind: Kind::Map, expires: true };

/// Bytes of an entry.
const ENTRY_BYTES: usize = 200;
/// Rows that expire do so after this.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

macro_rules! key {
    ($name:ident, $table:ident) => {
        struct $name(u64, Bytes);

        impl Key for $name {
            const TABLE: Table = $table;
            type Record = pb::Value;

            fn home(&self) -> Home {
                Home::new(Bytes::copy_from_slice(&self.0.to_be_bytes()))
            }

            fn rest(&self, out: &mut Rest) {
                out.bytes(&self.1);
            }
        }
    };
}

key!(Head, HEAD);
key!(Entry, ENTRY);
key!(Sent, SENT);
key!(Position, POSITION);

fn value(bytes: impl Into<Bytes>) -> pb::Value {
    pb::Value { present: true, value: bytes.into() }
}

/// What a message writes.
fn message(home: u64, seq: u64, clock: &Clock) -> Batch {
    let number = |number: u64| Bytes::copy_from_slice(&number.to_be_bytes());
    let later = clock.now().plus(WEEK);
    let (head, sent) = (Head(home, Bytes::new()), Sent(home, format!("{home:08x}-client-{seq:08x}").into()));
    let mut batch = Batch::new(head.home());
    let before = seq.checked_sub(1).map(|seq| value(number(seq)));
    batch
        .expect_unchanged(&head, before.as_ref())
        .expect(&sent, State::Absent)
        .put(&head, &value(number(seq)))
        .put(&Entry(home, number(seq)), &value(vec![b'x'; ENTRY_BYTES]))
        .put_expiring(&sent, &value(number(seq)), later)
        .put_expiring(&Position(home, number(home << 32 | seq)), &value(number(seq)), later);
    batch
}

struct Outcome {
    rate: f64,
    latencies: Vec<Duration>,
}

impl Outcome {
    fn at(&self, thousandths: usize) -> Duration {
        self.latencies.get(self.latencies.len() * thousandths / 1_000).copied().unwrap_or_default()
    }
}

/// So many conversations, each of which writes the next message once the last is durable.
async fn run(store: &Store, waiters: u64, span: Duration) -> Result<Outcome, storage::Error> {
    let clock = Clock::system();
    // Homes that no earlier run has used.
    let first = u64::try_from(clock.now().0).unwrap_or_default() << 12;
    let (started, clock) = (Instant::now(), Arc::new(clock));
    let tasks = (0..waiters).map(|waiter| {
        let (store, clock) = (store.clone(), Arc::clone(&clock));
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            for seq in 0.. {
                let sent = Instant::now();
                if sent > started + span {
                    break;
                }
                store.commit(message(first + waiter, seq, &clock)).await?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, storage::Error>(latencies)
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.map_err(|error| storage::Error::Unavailable(error.to_string()))??);
    }
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a rate may round")]
    let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Outcome { rate, latencies })
}

/// A sum over all masters of a number in `INFO`.
fn sum(cluster: &RedisCluster, section: &str, pick: impl Fn(&str) -> Option<u64>) -> u64 {
    let info = |node| cluster.ask(node, &["INFO", section]).ok().and_then(Reply::into_text).unwrap_or_default();
    cluster.masters().into_iter().filter_map(|node| pick(&info(node))).sum()
}

fn calls(cluster: &RedisCluster, command: &str) -> u64 {
    sum(cluster, "commandstats", |info| {
        let line = info.lines().find(|line| line.starts_with(&format!("cmdstat_{command}:")))?;
        line.split_once("calls=")?.1.split(',').next()?.parse().ok()
    })
}

fn memory(cluster: &RedisCluster) -> u64 {
    sum(cluster, "memory", |info| info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let seconds = Duration::from_secs(arguments.first().copied().unwrap_or(5));
    let replicas = usize::try_from(arguments.get(1).copied().unwrap_or(1))?;
    let waiters = if arguments.len() > 2 { arguments[2..].to_vec() } else { vec![1, 32, 512, 4_096] };

    let cluster = RedisCluster::start(3, replicas);
    let directory = tempfile::tempdir()?;
    let config = RocksConfig { directory: directory.path().join("store"), ..RocksConfig::default() };
    let rocks = Store::open(&config, &[HEAD, ENTRY, SENT, POSITION], Clock::system())?;
    let config = RedisConfig { url: cluster.url().parse()?, ..RedisConfig::default() };
    let redis = Store::redis(&config, Clock::system())?;
    run(&redis, 8, Duration::from_millis(500)).await?;

    println!("3 masters, {replicas} replicas each; entries of {ENTRY_BYTES} bytes");
    println!("waiters   engine  commits/s     p50         p99         p99.9    commits a flight");
    let empty = memory(&cluster);
    let mut messages = 0;
    for count in waiters {
        let embedded = run(&rocks, count, seconds).await?;
        let (waits, commits) = (calls(&cluster, "wait"), messages);
        let clustered = run(&redis, count, seconds).await?;
        messages += clustered.latencies.len() as u64;
        let flights = calls(&cluster, "wait") - waits;
        for (name, outcome) in [("rocks", &embedded), ("redis", &clustered)] {
            let (rate, [p50, p99, p999]) = (outcome.rate, [500, 990, 999].map(|at| outcome.at(at)));
            print!("{count:7}   {name}   {rate:9.0}   {p50:9.2?}   {p99:9.2?}   {p999:9.2?}");
            if name == "redis" {
                print!("   {}", (messages - commits).checked_div(flights).unwrap_or(0));
            }
            println!();
        }
        println!("{count:7}   ratio   {:9.3}", clustered.rate / embedded.rate);
    }
    let taken = memory(&cluster).saturating_sub(empty);
    println!("{messages} messages take {} bytes each on the masters", taken.checked_div(messages).unwrap_or(0));
    Ok(())
}
