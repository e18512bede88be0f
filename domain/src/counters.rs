//! Counters: numbers that are given once.
//!
//! A process reserves numbers in blocks, so that almost none costs a commit. What is left of a block when the process ends is never given:
//! ids are unique, and have gaps.
//!
//! A crash between reserving and using leaves a gap, and nothing else.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use proto::store;
use storage::{Batch, Clock, Home, Key, Millis, Rest, Store, Table};

use crate::error::{Error, Result};
use crate::ids::{AppNumber, ID_END, UserId};
use crate::retry::Tries;
use crate::tables;

/// Where a sequence stands.
///
/// home: the app's counters.  rest: the sequence's code, one byte.  value: `store.Counter`.
pub(crate) struct CounterKey {
    pub(crate) app: AppNumber,
    pub(crate) sequence: Sequence,
}

impl Key for CounterKey {
    const TABLE: Table = tables::COUNTER;
    type Record = store::Counter;
    fn home(&self) -> Home {
        tables::counters(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.u8(self.sequence as u8);
    }
}

/// What is counted. Codes are never reused.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sequence {
    /// App numbers, under app 0.
    Apps = 1,
    /// Generated user ids.
    Users = 2,
    /// Group ids.
    Groups = 3,
    /// Message ids.
    Messages = 4,
    /// Ids of desks of customer service.
    Stores = 5,
    /// Ids of notices to many.
    PushTasks = 6,
}

impl Sequence {
    const fn first(self) -> u64 {
        match self {
            Self::Users => UserId::FIRST_GENERATED.0,
            Self::Apps | Self::Groups | Self::Messages | Self::Stores | Self::PushTasks => 1,
        }
    }

    const fn end(self) -> u64 {
        match self {
            Self::Apps => 1 << 31,
            Self::Users | Self::Groups | Self::Messages | Self::Stores | Self::PushTasks => ID_END,
        }
    }

    /// Smallest and largest block. A block doubles when the one before lasted less than [`QUICK_MS`], and shrinks when it lasted longer.
    const fn blocks(self) -> (u64, u64) {
        match self {
            Self::Apps | Self::Stores => (1, 1),
            Self::Users | Self::Groups | Self::PushTasks => (1, 16),
            Self::Messages => (4096, 65_536),
        }
    }
}

/// Blocks that are remembered to have been this process's.
const BLOCKS_KEPT: usize = 32;

/// A block that was used up sooner than this was too small.
const QUICK_MS: i64 = 1_000;

/// Gives numbers. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    store: Store,
    clock: Clock,
    /// One supply per app and sequence in use; grows with the apps, which only the operator creates.
    supplies: Arc<RwLock<Supplies>>,
}

type Supplies = HashMap<(AppNumber, Sequence), Arc<Supply>>;

#[derive(Debug)]
struct Supply {
    stock: Mutex<Stock>,
    /// Held while a block is being reserved, so that many who wait cost one commit.
    refill: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Stock {
    current: Range<u64>,
    /// Reserved ahead, used when `current` is empty.
    ahead: Range<u64>,
    /// The latest blocks, those in stock among them.
    blocks: VecDeque<Range<u64>>,
    block: u64,
    reserved_at: Millis,
}

impl Stock {
    fn take(&mut self) -> Option<u64> {
        if self.current.is_empty() {
            self.current = std::mem::take(&mut self.ahead);
        }
        self.current.next()
    }

    fn is_low(&self) -> bool {
        self.ahead.is_empty() && self.left() * 2 < self.block
    }

    fn left(&self) -> u64 {
        (self.current.end - self.current.start) + (self.ahead.end - self.ahead.start)
    }
}

impl Counters {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, supplies: Arc::default() }
    }

    /// The next number, waiting for a block if need be.
    ///
    /// # Errors
    /// What the store says; [`Error::Limited`] when a sequence is used up or too contended.
    pub(crate) async fn next(&self, app: AppNumber, sequence: Sequence) -> Result<u64> {
        loop {
            if let Some(number) = self.take(app, sequence) {
                return Ok(number);
            }
            Box::pin(self.reserve(app, sequence)).await?;
        }
    }

    /// The next number if one is in stock. Never waits; asks for more in the background when the stock runs low.
    pub(crate) fn take(&self, app: AppNumber, sequence: Sequence) -> Option<u64> {
        let supply = self.supply(app, sequence);
        let (number, low) = {
            let mut stock = supply.stock.lock();
            (stock.take(), stock.is_low())
        };
        // Small blocks are not reserved ahead: a gap in users' ids would be larger than the wait is long.
        if low && number.is_some() && sequence.blocks().0 > 1 && supply.refill.try_lock().is_ok() {
            let this = self.clone();
            tokio::spawn(async move {
                if let Err(error) = this.reserve(app, sequence).await {
                    tracing::warn!(app = app.0, ?sequence, %error, "could not reserve ids ahead; the next one will wait");
                }
            });
        }
        number
    }

    /// Whether this process gave this number, or may yet: one of the latest few million.
    pub(crate) fn is_own(&self, app: AppNumber, sequence: Sequence, number: u64) -> bool {
        self.supply(app, sequence).stock.lock().blocks.iter().any(|block| block.contains(&number))
    }

    /// Reserves a block if the stock is low.
    async fn reserve(&self, app: AppNumber, sequence: Sequence) -> Result<()> {
        let supply = self.supply(app, sequence);
        let _one_at_a_time = supply.refill.lock().await;
        let block = {
            let mut stock = supply.stock.lock();
            if stock.left() > 0 && !stock.is_low() {
                return Ok(());
            }
            let now = self.clock.now();
            let (least, most) = sequence.blocks();
            let lasted = now.0.saturating_sub(stock.reserved_at.0);
            stock.block = if lasted < QUICK_MS { stock.block * 2 } else { stock.block / 2 }.clamp(least, most);
            stock.reserved_at = now;
            stock.block
        };
        let reserved = self.advance(app, sequence, block).await?;
        let mut stock = supply.stock.lock();
        stock.blocks.truncate(BLOCKS_KEPT - 1);
        stock.blocks.push_front(reserved.clone());
        if stock.current.is_empty() {
            stock.current = std::mem::take(&mut stock.ahead);
        }
        if stock.current.is_empty() {
            stock.current = reserved;
        } else {
            stock.ahead = reserved;
        }
        Ok(())
    }

    async fn advance(&self, app: AppNumber, sequence: Sequence, block: u64) -> Result<Range<u64>> {
        let key = CounterKey { app, sequence };
        let mut tries = Tries::default();
        loop {
            let read = self.store.get(&key).await?;
            let from = read.map_or_else(|| sequence.first(), |counter| counter.next);
            let to = from.saturating_add(block).min(sequence.end());
            if from >= to {
                tracing::error!(app = app.0, ?sequence, "every id of this sequence has been given");
                return Err(Error::Limited { retry_after: std::time::Duration::from_secs(3600) });
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, read.as_ref()).put(&key, &store::Counter { next: to });
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(from..to);
            }
        }
    }

    fn supply(&self, app: AppNumber, sequence: Sequence) -> Arc<Supply> {
        if let Some(supply) = self.supplies.read().get(&(app, sequence)) {
            return Arc::clone(supply);
        }
        let new = || {
            let (least, _) = sequence.blocks();
            let stock =
                Stock { current: 0..0, ahead: 0..0, blocks: VecDeque::new(), block: least, reserved_at: Millis(0) };
            Arc::new(Supply { stock: Mutex::new(stock), refill: tokio::sync::Mutex::default() })
        };
        Arc::clone(self.supplies.write().entry((app, sequence)).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn counters(store: &Store) -> Counters {
        Counters::new(store.clone(), Clock::manual(Millis(5_000)))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn numbers_are_unique_across_tasks_and_processes() {
        let store = Store::memory(Clock::system());
        let mut tasks = Vec::new();
        for _process in 0..3 {
            let counters = counters(&store);
            for _ in 0..4 {
                let counters = counters.clone();
                tasks.push(tokio::spawn(async move {
                    let mut taken = Vec::new();
                    for _ in 0..3_000 {
                        taken.push(counters.next(AppNumber(7), Sequence::Messages).await.unwrap());
                    }
                    taken
                }));
            }
        }
        let mut seen = HashSet::new();
        for task in tasks {
            for number in task.await.unwrap() {
                assert!((1..ID_END).contains(&number));
                assert!(seen.insert(number), "{number} was given twice");
            }
        }
        assert_eq!(seen.len(), 36_000);
    }

    #[tokio::test]
    async fn a_process_knows_its_own_numbers() {
        let store = Store::memory(Clock::system());
        let (one, other) = (counters(&store), counters(&store));
        let app = AppNumber(1);
        let mine = one.next(app, Sequence::Messages).await.unwrap();
        let theirs = other.next(app, Sequence::Messages).await.unwrap();
        assert!(one.is_own(app, Sequence::Messages, mine) && !one.is_own(app, Sequence::Messages, theirs));
        assert!(other.is_own(app, Sequence::Messages, theirs) && !other.is_own(app, Sequence::Messages, mine));
    }

    #[tokio::test]
    async fn sequences_and_apps_count_apart() {
        let counters = counters(&Store::memory(Clock::system()));
        assert_eq!(counters.next(AppNumber(1), Sequence::Groups).await.unwrap(), 1);
        assert_eq!(counters.next(AppNumber(1), Sequence::Groups).await.unwrap(), 2);
        assert_eq!(counters.next(AppNumber(2), Sequence::Groups).await.unwrap(), 1);
        assert_eq!(counters.next(AppNumber(1), Sequence::Users).await.unwrap(), UserId::FIRST_GENERATED.0);
    }

    #[tokio::test]
    async fn a_restart_never_gives_a_number_again() {
        let store = Store::memory(Clock::system());
        let mut seen = HashSet::new();
        for _restart in 0..20 {
            let counters = counters(&store);
            for _ in 0..7 {
                assert!(seen.insert(counters.next(AppNumber(1), Sequence::Groups).await.unwrap()));
            }
        }
    }

    #[tokio::test]
    async fn a_used_up_sequence_is_an_error_and_no_number() {
        let store = Store::memory(Clock::system());
        let key = CounterKey { app: AppNumber(1), sequence: Sequence::Messages };
        let mut batch = Batch::new(key.home());
        batch.put(&key, &store::Counter { next: ID_END - 1 });
        store.commit(batch).await.unwrap();
        let counters = counters(&store);
        assert_eq!(counters.next(AppNumber(1), Sequence::Messages).await.unwrap(), ID_END - 1);
        assert!(matches!(counters.next(AppNumber(1), Sequence::Messages).await, Err(Error::Limited { .. })));
    }
}
