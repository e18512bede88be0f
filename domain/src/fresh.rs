//! Copies of rows that every message needs: an app, its rules. At most a second old, while the store answers.
//!
//! Such a row is in one place, and every message in every conversation would wait for that place. So while it cannot be reached, the copy goes
//! on to serve, for a minute: a part of the store that is down must not stop all others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use crate::error::{Error, Result};

/// How long a change of a row may go unnoticed by other processes.
const STALE: Duration = Duration::from_secs(1);
/// How long a read may take before the copy at hand is taken in its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// For how long a copy serves that cannot be confirmed.
const TRUSTED: Duration = Duration::from_secs(60);
/// Rows kept. Where there are more, those go that nobody has asked for in a second, or else all.
const CAPACITY: usize = 10_000;

/// Copies of rows by key. Cheap to clone; clones share them.
///
/// A plain map behind a lock: every message looks here several times, and almost never does one write.
#[derive(Debug)]
pub(crate) struct Fresh<K, V>(Arc<RwLock<HashMap<K, Known<V>, RandomState>>>);

impl<K, V> Clone for Fresh<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug, Clone)]
struct Known<V> {
    value: V,
    /// When it was read.
    read: Instant,
    /// When it was read, or somebody last began to.
    asked: Instant,
}

impl<K, V> Fresh<K, V>
where
    K: Eq + Hash + Send + Sync + Copy + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// What a row says: as the copy has it, or as `read` does.
    ///
    /// # Errors
    /// Those of `read`, where there is no copy to go on with.
    pub(crate) async fn get<R>(&self, key: K, read: impl FnOnce() -> R + Send) -> Result<V>
    where
        R: Future<Output = Result<V>> + Send,
    {
        let now = Instant::now();
        let age = |since| now.saturating_duration_since(since);
        let copy = self.0.read().get(&key).filter(|copy| age(copy.read) < TRUSTED).cloned();
        match copy {
            Some(copy) if age(copy.asked) < STALE => Ok(copy.value),
            // Once a second. Boxed, so that what waits for this is not as large all the time as a read is.
            copy => Box::pin(self.get_anew(key, copy, read())).await,
        }
    }

    async fn get_anew(&self, key: K, copy: Option<Known<V>>, read: impl Future<Output = Result<V>>) -> Result<V> {
        let Some(copy) = copy else { return self.renew(key, read).await };
        // One asks; others go on with the copy meanwhile.
        self.keep(key, Known { asked: Instant::now(), ..copy.clone() });
        match tokio::time::timeout(PATIENCE, self.renew(key, read)).await {
            Ok(Err(Error::Unavailable(_) | Error::Limited { .. })) | Err(_) => Ok(copy.value),
            Ok(outcome) => outcome,
        }
    }

    /// The row was changed by this process, or is not there: the next to ask reads it.
    pub(crate) fn forget(&self, key: K) {
        self.0.write().remove(&key);
    }

    async fn renew(&self, key: K, read: impl Future<Output = Result<V>>) -> Result<V> {
        let value = read.await?;
        let now = Instant::now();
        self.keep(key, Known { value: value.clone(), read: now, asked: now });
        Ok(value)
    }

    fn keep(&self, key: K, known: Known<V>) {
        let mut copies = self.0.write();
        if copies.len() >= CAPACITY && !copies.contains_key(&key) {
            copies.retain(|_, copy| copy.asked.elapsed() < STALE);
            if copies.len() >= CAPACITY {
                copies.clear();
            }
        }
        copies.insert(key, known);
    }

    #[cfg(test)]
    fn age(&self, key: K, by: Duration) {
        let copy = self.0.read().get(&key).expect("it was read").clone();
        self.keep(key, Known { read: copy.read - by, asked: copy.asked - by, ..copy });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::Unavailable(storage::Error::Unavailable("the shard is down".to_owned()))
    }

    #[tokio::test]
    async fn a_copy_is_read_again_after_a_second() {
        let fresh = Fresh::new();
        assert_eq!(fresh.get(7, || async { Ok("old") }).await.unwrap(), "old");
        assert_eq!(fresh.get(7, || async { Ok("new") }).await.unwrap(), "old");
        fresh.age(7, STALE);
        assert_eq!(fresh.get(7, || async { Ok("new") }).await.unwrap(), "new");
        fresh.forget(7);
        assert_eq!(fresh.get(7, || async { Ok("newer") }).await.unwrap(), "newer");
    }

    #[tokio::test]
    async fn a_copy_goes_on_while_the_row_cannot_be_read() {
        let fresh = Fresh::new();
        fresh.get(7, || async { Err(away()) }).await.expect_err("there is no copy");
        fresh.get(7, || async { Ok("old") }).await.unwrap();
        fresh.age(7, STALE);
        assert_eq!(fresh.get(7, || async { Err(away()) }).await.unwrap(), "old");
        fresh.age(7, STALE);
        let asked = Instant::now();
        assert_eq!(fresh.get(7, std::future::pending).await.unwrap(), "old");
        assert!(asked.elapsed() >= PATIENCE);
        // Whoever comes next does not wait as well.
        assert_eq!(fresh.get(7, || async { panic!("nobody asks") }).await.unwrap(), "old");
        fresh.age(7, TRUSTED);
        fresh.get(7, || async { Err(away()) }).await.expect_err("nobody can tell any more");
    }

    #[tokio::test]
    async fn no_more_copies_are_kept_than_there_is_room_for() {
        let fresh = Fresh::new();
        for key in 0..2 * CAPACITY {
            assert_eq!(fresh.get(key, || async { Ok(key) }).await.unwrap(), key);
            assert!(fresh.0.read().len() <= CAPACITY);
        }
    }
}
