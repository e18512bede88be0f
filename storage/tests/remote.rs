//! The store and the bus of another process: what happens when it goes away, and when it comes back.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use storage::{Bus, Clock, Error, Lagged, RemoteConfig, Scan, Store, StoreServer, StoreServerConfig, restore};
use support::{NOW, Plain, TABLES, home, one, open, record};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A process that owns a store, as far as its clients can tell.
struct Owner {
    bus: Bus,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Owner {
    fn start(socket: &Path, store: Store) -> Self {
        let config = StoreServerConfig {
            socket: socket.to_owned(),
            drain: Duration::from_millis(300),
            bus_capacity: 16,
            ..StoreServerConfig::default()
        };
        Self::with(&config, store)
    }

    fn with(config: &StoreServerConfig, store: Store) -> Self {
        let server = StoreServer::bind(config).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let bus = Bus::local();
        let serving = tokio::spawn(server.serve(store, bus.clone(), TABLES, async {
            let _ = stopped.await;
        }));
        Self { bus, stop, serving }
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap();
    }

    /// Ends without a word, as a killed process does.
    async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("store.sock");
    (directory, socket)
}

fn client(socket: &Path) -> RemoteConfig {
    RemoteConfig {
        socket: socket.to_owned(),
        timeout: Duration::from_secs(2),
        reconnect_pause: Duration::from_millis(50),
        ..RemoteConfig::default()
    }
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 4 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_start_first_and_outlives_its_owner() {
    let (_directory, socket) = place();
    let store = Store::connect(&client(&socket));
    assert!(!store.is_ready());
    // Never sent yet, so it may wait for the owner.
    let early = store.commit(one(b"h", b"early", "x"));
    let kept = Store::memory(Clock::manual(NOW));
    let owner = Owner::start(&socket, kept.clone());
    early.await.unwrap();
    assert!(store.is_ready());

    owner.stop().await;
    eventually(|| !store.is_ready()).await;
    // A read waits for the owner to return.
    let read = tokio::spawn({
        let store = store.clone();
        async move { store.get(&Plain::at(b"h", b"early")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _owner = Owner::start(&socket, kept);
    assert_eq!(read.await.unwrap().unwrap(), Some(record("x")));
    eventually(|| store.is_ready()).await;
    store.commit(one(b"h", b"late", "x")).await.unwrap();
}

#[tokio::test]
async fn without_an_owner_calls_end_at_their_deadline() {
    let (_directory, socket) = place();
    let store = Store::connect(&RemoteConfig { timeout: Duration::from_millis(200), ..client(&socket) });
    let started = std::time::Instant::now();
    let commit = store.commit(one(b"h", b"r", "x"));
    let key = Plain::at(b"h", b"r");
    let (read, commit) = tokio::join!(store.get(&key), commit);
    assert!(matches!(read, Err(Error::Unavailable(_))));
    assert!(matches!(commit, Err(Error::Unavailable(_))));
    assert!((200..10_000).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

/// An owner that takes requests and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_connection_breaks_reads_are_asked_again_and_commits_are_unknown() {
    let (_directory, socket) = place();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mute = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut taken = [0; 64 << 10];
        let _ = stream.read(&mut taken).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    });
    let store = Store::connect(&client(&socket));
    let read = tokio::spawn({
        let store = store.clone();
        async move { store.get(&Plain::at(b"h", b"r")).await }
    });
    let commit = store.commit(one(b"h", b"lost", "x"));
    assert!(matches!(commit.await, Err(Error::Unavailable(why)) if why.contains("unknown")));
    tokio::task::spawn_blocking(move || mute.join().unwrap()).await.unwrap();
    let kept = Store::memory(Clock::manual(NOW));
    kept.commit(one(b"h", b"r", "x")).await.unwrap();
    let _owner = Owner::start(&socket, kept.clone());
    assert_eq!(read.await.unwrap().unwrap(), Some(record("x")));
    // The commit was not repeated.
    assert_eq!(kept.get(&Plain::at(b"h", b"lost")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_kills_of_the_owner_nothing_acked_is_lost() {
    let (directory, socket) = place();
    let data = directory.path().join("data");
    let store = Store::connect(&RemoteConfig { timeout: Duration::from_millis(500), ..client(&socket) });
    let (mut acked, mut unknown) = (Vec::new(), 0);
    for round in 0..5u32 {
        let owner = Owner::start(&socket, open(&data));
        store.commit(one(b"h", b"first", "x")).await.unwrap();
        let outcomes: Vec<_> = (0..3_000u32)
            .map(|n| round * 3_000 + n)
            .map(|n| (n, store.commit(one(b"h", &n.to_be_bytes(), "x".repeat(500)))))
            .collect();
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 2)).await;
        owner.kill().await;
        // The owner's tasks let go of the store a moment after they have been aborted.
        for (n, outcome) in outcomes {
            match outcome.await {
                Ok(()) => acked.push(n),
                Err(Error::Unavailable(_)) => unknown += 1,
                Err(error) => panic!("{error}"),
            }
        }
        for _ in 0..100 {
            if Store::open(&support::small(&data), TABLES, Clock::manual(NOW)).is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let store = open(&data);
    let rows = store.scan(Scan::<Plain>::new(home(b"h"), usize::MAX)).await.unwrap();
    let there: Vec<&[u8]> = rows.iter().map(|row| &row.rest[..]).collect();
    assert!(!acked.is_empty() && unknown > 0, "{} acked, {unknown} unknown", acked.len());
    for n in acked {
        assert!(there.contains(&&n.to_be_bytes()[..]), "{n} was acked and is gone");
    }
}

#[tokio::test]
async fn a_client_that_sends_garbage_harms_only_itself() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_directory, socket) = place();
    let _owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let store = Store::connect(&client(&socket));
    store.commit(one(b"h", b"r", "x")).await.unwrap();
    for garbage in [&b"\xff\xff\xff\xff\xff\xff"[..], &[5, 0xff, 0xff, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0x7f]] {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut answer = [0; 16];
        let ended = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut answer)).await.unwrap();
        assert!(matches!(ended, Ok(0) | Err(_)), "{garbage:?} was answered");
    }
    assert!(store.get(&Plain::at(b"h", b"r")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_call_longer_than_a_frame_is_refused() {
    let (_directory, socket) = place();
    let _owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let config = RemoteConfig { frame_limit: storage::units::ByteSize(10_000), ..client(&socket) };
    let store = Store::connect(&config);
    assert!(matches!(store.commit(one(b"h", b"r", "x".repeat(20_000))).await, Err(Error::Unavailable(_))));
    store.commit(one(b"h", b"r", "x")).await.unwrap();
}

#[tokio::test]
async fn more_calls_than_the_queue_holds_are_refused() {
    let (_directory, socket) = place();
    let store = Store::connect(&RemoteConfig { queue_calls: 5, ..client(&socket) });
    let outcomes: Vec<_> = (0..8u8).map(|n| store.commit(one(b"h", &[n], "x"))).collect();
    let _owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let mut refused = 0;
    for outcome in outcomes {
        match outcome.await {
            Ok(()) => {}
            Err(Error::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 3);
    store.commit(one(b"h", b"later", "x")).await.unwrap();
}

#[tokio::test]
async fn the_socket_is_private_and_belongs_to_one() {
    let (directory, socket) = place();
    let config = StoreServerConfig { socket: socket.clone(), ..StoreServerConfig::default() };
    let first = StoreServer::bind(&config).unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(StoreServer::bind(&config).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(first);
    assert!(!socket.exists());

    // What a dead process left behind is replaced; what is no socket is not.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    drop(StoreServer::bind(&config).unwrap());
    std::fs::write(&socket, "precious").unwrap();
    assert_eq!(StoreServer::bind(&config).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_checkpoint_can_be_asked_for_from_elsewhere() {
    let (directory, socket) = place();
    let (copy, restored) = (directory.path().join("copy"), directory.path().join("restored"));
    let _owner = Owner::start(&socket, open(&directory.path().join("data")));
    let store = Store::connect(&client(&socket));
    store.commit(one(b"h", b"r", "x")).await.unwrap();
    store.checkpoint(&copy).await.unwrap();
    restore(&copy, &restored).unwrap();
    assert!(open(&restored).get(&Plain::at(b"h", b"r")).await.unwrap().is_some());
}

#[tokio::test]
async fn everybody_on_the_bus_hears_everybody() {
    let (_directory, socket) = place();
    let owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let (first, second) = (Bus::connect(&client(&socket)), Bus::connect(&client(&socket)));
    let mut ears = [owner.bus.subscribe(100), first.subscribe(100), second.subscribe(100)];
    // A fresh connection tells that something may have been missed; from then on nothing is.
    for ear in &mut ears[1..] {
        assert_eq!(ear.recv().await, Err(Lagged { missed: 0 }));
    }
    for (n, bus) in (0u8..).zip([&owner.bus, &first, &second]) {
        bus.publish(&[], Bytes::from(vec![n]));
        for ear in &mut ears {
            assert_eq!(ear.recv().await, Ok(Bytes::from(vec![n])));
        }
    }
}

#[tokio::test]
async fn a_flush_waits_until_the_owner_has_what_was_published() {
    let (_directory, socket) = place();
    let owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let bus = Bus::connect(&client(&socket));
    eventually(|| bus.is_ready()).await;
    let mut ear = owner.bus.subscribe(1_000);
    for n in 0..1_000u32 {
        bus.publish(&[], Bytes::copy_from_slice(&n.to_be_bytes()));
    }
    bus.flush().await;
    for n in 0..1_000u32 {
        let heard = ear.recv().now_or_never().expect("published before the flush returned");
        assert_eq!(heard, Ok(Bytes::copy_from_slice(&n.to_be_bytes())));
    }
    owner.kill().await;
    eventually(|| !bus.is_ready()).await;
    // Nobody will ever answer, and nobody waits for it.
    tokio::time::timeout(Duration::from_secs(1), bus.flush()).await.unwrap();
}

#[tokio::test]
async fn a_subscriber_is_told_when_the_owner_was_away() {
    let (_directory, socket) = place();
    let owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let bus = Bus::connect(&client(&socket));
    let mut ear = bus.subscribe(100);
    assert_eq!(ear.recv().await, Err(Lagged { missed: 0 }));
    owner.stop().await;
    eventually(|| !bus.is_ready()).await;
    let owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    assert_eq!(ear.recv().await, Err(Lagged { missed: 0 }));
    owner.bus.publish(&[], Bytes::from("back"));
    assert_eq!(ear.recv().await, Ok(Bytes::from("back")));
}

#[tokio::test]
async fn a_process_that_does_not_read_is_told_what_it_missed() {
    let (_directory, socket) = place();
    let owner = Owner::start(&socket, Store::memory(Clock::manual(NOW)));
    let bus = Bus::connect(&client(&socket));
    let mut ear = bus.subscribe(1_000_000);
    assert_eq!(ear.recv().await, Err(Lagged { missed: 0 }));
    // On one thread nobody reads meanwhile, and the owner keeps 16 for each connection.
    for n in 0..1_000u32 {
        owner.bus.publish(&[], Bytes::copy_from_slice(&n.to_be_bytes()));
    }
    let mut heard = Vec::new();
    let mut lagged = false;
    while heard.last() != Some(&999) {
        match ear.recv().await {
            Ok(payload) => heard.push(u32::from_be_bytes(payload[..].try_into().unwrap())),
            Err(Lagged { .. }) => lagged = true,
        }
    }
    assert!(lagged && heard.len() < 1_000);
    assert!(heard.is_sorted());
}

#[test]
fn settings_are_strict_and_complete() {
    let written = toml::to_string(&RemoteConfig::default()).unwrap();
    assert_eq!(toml::from_str::<RemoteConfig>(&written).unwrap(), RemoteConfig::default());
    let written = toml::to_string(&StoreServerConfig::default()).unwrap();
    assert_eq!(toml::from_str::<StoreServerConfig>(&written).unwrap(), StoreServerConfig::default());
    assert!(toml::from_str::<RemoteConfig>("sockett = \"x\"").is_err());
    assert!(toml::from_str::<StoreServerConfig>("timeout = \"1s\"").is_err());
}
