//! What all tests of the crate share: two tables, their keys, and every engine behind one door.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proto::store as pb;
use storage::testing::RedisCluster;
use storage::{Batch, Bus, Clock, Home, Key, Kind, Millis, RedisConfig, RemoteConfig, Rest, RocksConfig, Store};
use storage::{StoreServer, StoreServerConfig, Table, units::ByteSize};
use tempfile::TempDir;
use tokio::sync::oneshot;

pub const PLAIN: Table = Table { code: 1, name: "plain", kind: Kind::Sorted, expires: false };
pub const EXPIRING: Table = Table { code: 2, name: "expiring", kind: Kind::Map, expires: true };
pub const LOG: Table = Table { code: 3, name: "log", kind: Kind::Log, expires: true };
pub const TABLES: &[Table] = &[PLAIN, EXPIRING, LOG];

/// The time at which every test begins.
pub const NOW: Millis = Millis(1_000_000);

/// A row of the table without expiry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plain(pub Bytes, pub Bytes);

/// A row of the table with expiry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiring(pub Bytes, pub Bytes);

/// A row of the log, whose rest has eight bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Logged(pub Bytes, pub Bytes);

macro_rules! key {
    ($name:ident, $table:ident) => {
        impl $name {
            pub fn at(home: &[u8], rest: &[u8]) -> Self {
                Self(Bytes::copy_from_slice(home), Bytes::copy_from_slice(rest))
            }
        }

        impl Key for $name {
            const TABLE: Table = $table;
            type Record = pb::Value;

            fn home(&self) -> Home {
                Home::new(self.0.clone())
            }

            fn rest(&self, out: &mut Rest) {
                out.bytes(&self.1);
            }
        }
    };
}

key!(Plain, PLAIN);
key!(Expiring, EXPIRING);
key!(Logged, LOG);

pub fn home(name: &[u8]) -> Home {
    Home::new(Bytes::copy_from_slice(name))
}

pub fn record(text: impl AsRef<[u8]>) -> pb::Value {
    pb::Value { present: true, value: Bytes::copy_from_slice(text.as_ref()) }
}

/// A batch that writes one plain row.
pub fn one(home_name: &[u8], rest: &[u8], text: impl AsRef<[u8]>) -> Batch {
    let mut batch = Batch::new(home(home_name));
    batch.put(&Plain::at(home_name, rest), &record(text));
    batch
}

/// Settings for a store in a directory, small enough for many of them.
pub fn small(directory: &std::path::Path) -> RocksConfig {
    RocksConfig {
        directory: directory.to_owned(),
        cache: ByteSize::mib(4),
        write_buffer: ByteSize::mib(4),
        reserve: ByteSize(0),
        ..RocksConfig::default()
    }
}

pub fn open(directory: &std::path::Path) -> Store {
    Store::open(&small(directory), TABLES, Clock::manual(NOW)).unwrap()
}

/// A server that `scripts/setup.sh test` fetched, if it could.
pub fn server(name: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).map(|cache| cache.join("linnet"));
    let cache = std::env::var_os("LINNET_CACHE").map(PathBuf::from).or(cache)?;
    Some(cache.join("servers").join(name)).filter(|server| server.is_file())
}

#[derive(Debug, Clone, Copy)]
pub enum Engine {
    Memory,
    Rocks,
    RemoteMemory,
    RemoteRocks,
}

pub const ENGINES: [Engine; 4] = [Engine::Memory, Engine::Rocks, Engine::RemoteMemory, Engine::RemoteRocks];

/// A store of one engine, with what it stands on.
pub struct Bench {
    pub store: Store,
    pub clock: Clock,
    pub bus: Bus,
    _directory: TempDir,
    _stop: Option<oneshot::Sender<()>>,
}

impl Bench {
    pub fn new(engine: Engine) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let rocks = || Store::open(&small(&directory.path().join("data")), TABLES, clock.clone()).unwrap();
        let local = match engine {
            Engine::Memory | Engine::RemoteMemory => Store::memory(clock.clone()),
            Engine::Rocks | Engine::RemoteRocks => rocks(),
        };
        let bus = Bus::local();
        let (store, bus, stop) = match engine {
            Engine::Memory | Engine::Rocks => (local, bus, None),
            Engine::RemoteMemory | Engine::RemoteRocks => {
                let socket = directory.path().join("socket");
                let (stop, stopped) = oneshot::channel::<()>();
                // Pages of a few rows, so that every scan of more is put together from several.
                let config = StoreServerConfig {
                    socket: socket.clone(),
                    page_bytes: ByteSize(512),
                    ..StoreServerConfig::default()
                };
                let server = StoreServer::bind(&config).unwrap();
                tokio::spawn(server.serve(local, bus, TABLES, async {
                    let _ = stopped.await;
                }));
                let config = RemoteConfig { socket, ..RemoteConfig::default() };
                (Store::connect(&config), Bus::connect(&config), Some(stop))
            }
        };
        Self { store, clock, bus, _directory: directory, _stop: stop }
    }

    /// A store of its own in a cluster.
    pub fn over(cluster: &RedisCluster) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let clock = Clock::manual(NOW);
        let namespace = format!("bench-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let config = RedisConfig { url: cluster.url().parse().unwrap(), namespace, ..RedisConfig::default() };
        let store = Store::redis(&config, clock.clone()).unwrap();
        Self { store, clock, bus: Bus::local(), _directory: tempfile::tempdir().unwrap(), _stop: None }
    }
}
