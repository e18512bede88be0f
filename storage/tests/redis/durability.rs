//! Nothing is acked, and nothing shown, that a failover could take back.

use std::time::Duration;

use storage::testing::{ClusterOptions, RedisCluster};
use storage::{Batch, Error, Key, RedisConfig, Scan};

use crate::load::{home_at, store, store_with};
use crate::support::{Logged, Plain, home, one, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_replicas_nothing_is_acked_and_nothing_new_is_shown() {
    let cluster = RedisCluster::start(3, 1);
    let master = cluster.master_of(0);
    let [replica] = cluster.replicas_of(master)[..] else { panic!("one replica") };
    let at = home_at(&cluster, master);
    // What has to fail, fails sooner for this one.
    let hurried = store_with(&cluster, RedisConfig { timeout: Duration::from_secs(1), ..RedisConfig::default() });
    let store = store(&cluster);
    let key = Plain::at(at.as_bytes(), b"r");
    store.commit(one(at.as_bytes(), b"r", "first")).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), Some(record("first")));
    while hurried.get(&key).await.is_err() {}

    cluster.pause(replica);
    let refused = hurried.commit(one(at.as_bytes(), b"r", "second")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    // The master has it; no reader may see it.
    let hasty = RedisConfig { durable_reads: false, ..RedisConfig::default() };
    assert_eq!(store_with(&cluster, hasty).get(&key).await.unwrap(), Some(record("second")));
    let unseen = hurried.get(&key).await;
    assert!(matches!(unseen, Err(Error::Unavailable(_))), "{unseen:?}");
    let unseen = hurried.scan(Scan::<Plain>::new(key.home(), 10)).await;
    assert!(matches!(unseen, Err(Error::Unavailable(_))), "{unseen:?}");
    // Nor may a judgement rest on it.
    let mut judgement = Batch::new(key.home());
    judgement.expect_unchanged(&key, Some(&record("second")));
    let unjudged = hurried.commit(judgement.clone()).await;
    assert!(matches!(unjudged, Err(Error::Unavailable(_))), "{unjudged:?}");

    cluster.resume(replica);
    cluster.wait_until_healthy().unwrap();
    store.commit(judgement).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap(), Some(record("second")));
    store.commit(one(at.as_bytes(), b"r", "third")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_refuses_what_grows_and_takes_deletes() {
    let cluster = RedisCluster::start_with(ClusterOptions::new(1, 1)).unwrap();
    let store = store(&cluster);
    let text = "x".repeat(100_000);
    store.commit(one(b"h", b"r", &text)).await.unwrap();
    cluster.ask(0, &["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    assert!(matches!(store.commit(one(b"h", b"s", &text)).await, Err(Error::Full)));
    assert_eq!(store.get(&Plain::at(b"h", b"r")).await.unwrap(), Some(record(&text)));
    let mut batch = Batch::new(home(b"h"));
    batch.delete(&Plain::at(b"h", b"r"));
    store.commit(batch).await.unwrap();
    assert_eq!(store.get(&Plain::at(b"h", b"r")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_takes_only_keys_of_eight_bytes() {
    let cluster = RedisCluster::start(1, 1);
    let store = store(&cluster);
    let mut batch = Batch::new(home(b"h"));
    batch.put(&Logged::at(b"h", b"short"), &record("x"));
    assert!(matches!(store.commit(batch).await, Err(Error::Corrupt(_))));
    assert!(matches!(store.get(&Logged::at(b"h", b"short")).await, Err(Error::Corrupt(_))));
}
