//! How many durable commits a second this disk takes, and how long a start takes with a million rows.
//!
//! `cargo run --release -p linnet-storage --example commits -- [directory] [waiters] [seconds]`

#![cfg(feature = "rocksdb")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::store as pb;
use storage::{Batch, Clock, Home, Key, Kind, Rest, RocksConfig, State, Store, Table};

const LOG: Table = Table { code: 1, name: "log", kind: Kind::Log, expires: false };

struct Line {
    home: u64,
    seq: u64,
}

impl Key for Line {
    const TABLE: Table = LOG;
    type Record = pb::Value;

    fn home(&self) -> Home {
        Home::new(Bytes::copy_from_slice(&self.home.to_be_bytes()))
    }

    fn rest(&self, out: &mut Rest) {
        out.u64(self.seq);
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| "commits-bench".into()));
    let waiters: u64 = arguments.next().map_or(Ok(4_096), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;

    let config = RocksConfig { directory, ..RocksConfig::default() };
    let opened = Instant::now();
    let store = Store::open(&config, &[LOG], Clock::system())?;
    println!("opened in {} ms", opened.elapsed().as_millis());

    let done = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs(seconds);
    let run = rand_home();
    let tasks = (0..waiters).map(|waiter| {
        let (store, done) = (store.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            let record = pb::Value { present: true, value: Bytes::from(vec![b'x'; 200]) };
            for seq in 0.. {
                let started = Instant::now();
                if started >= until {
                    break;
                }
                let line = Line { home: run + waiter, seq };
                let mut batch = Batch::new(line.home());
                batch.expect(&line, State::Absent).put(&line, &record);
                store.commit(batch).await?;
                latencies.push(started.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, storage::Error>(latencies)
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await??);
    }
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 1_000).copied().unwrap_or_default();
    println!(
        "{waiters} waiters: {} commits/s, p50 {:?}, p99 {:?}, p99.9 {:?}",
        done.load(Ordering::Relaxed) / seconds.max(1),
        at(500),
        at(990),
        at(999)
    );
    // Leaves the log as it is, as a kill would.
    std::process::exit(0);
}

/// Homes that no earlier run has used.
fn rand_home() -> u64 {
    u64::try_from(Clock::system().now().0).unwrap_or_default() << 20
}
