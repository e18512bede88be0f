//! Slots that move from shard to shard while many write.

use std::sync::Arc;

use storage::testing::RedisCluster;
use storage::{Batch, State};

use crate::load::{Load, slot, store};
use crate::support::{Plain, home, record};

/// How many slots move.
const SLOTS: u16 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_move_under_load_and_nothing_is_lost_or_out_of_order() {
    let cluster = Arc::new(RedisCluster::start(3, 1));
    let store = store(&cluster);
    // Homes in the slots that will move: the lowest ones of a master.
    let from = cluster.master_of(0);
    let to = cluster.masters().into_iter().find(|master| *master != from).unwrap();
    let moving: Vec<String> = (0..).map(|n| format!("m{n}")).filter(|home| slot(home) < SLOTS).take(12).collect();
    let load = Load::start(&store, moving.clone());
    load.advance(200).await;

    let (mover, source) = (Arc::clone(&cluster), from);
    let moved = tokio::task::spawn_blocking(move || mover.move_slots(source, to, SLOTS.into()));
    // Meanwhile, a row of commits that each expect the one before, all under way at once.
    let chain = moving[0].as_bytes();
    let key = Plain::at(chain, b"chain");
    let mut outcomes = Vec::new();
    for n in 0..2_000u32 {
        let mut batch = Batch::new(home(chain));
        let before = n.checked_sub(1).map(|n| record(n.to_string()));
        batch.expect_unchanged(&key, before.as_ref()).put(&key, &record(n.to_string()));
        outcomes.push(store.commit(batch));
        if n % 100 == 99 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    for (n, outcome) in outcomes.into_iter().enumerate() {
        assert!(outcome.await.is_ok(), "commit {n}");
    }
    moved.await.unwrap().unwrap();
    assert_eq!(cluster.master_of(slot(&moving[0])), to);
    load.advance(200).await;
    let mut end = Batch::new(home(chain));
    end.expect(&key, State::Present).delete(&key);
    store.commit(end).await.unwrap();
    let ledgers = load.finish().await;
    let gap = ledgers.iter().map(|ledger| ledger.longest_gap).max().unwrap();
    println!("longest time without an ack in a home that moved: {gap:?}");
    assert_eq!(ledgers.iter().map(|ledger| ledger.unknown).sum::<usize>(), 0, "a refusal is no unknown outcome");
}
