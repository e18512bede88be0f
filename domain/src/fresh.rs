//! Copies of rows that every message needs: an app, its rules. At most a second old, while the store answers.
//!
//! Such a row is in one place, and every message in every conversation would wait for that place. So while it cannot be reached, the copy goes
//! on to serve, for a minute: a part of the store that is down must not stop all others.

use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long a change of a row may go unnoticed by other processes.
const STALE: Duration = Duration::from_secs(1);
/// How long a read may take before the copy at hand is taken in its place.
const PATIENCE: Duration = Duration::from_millis(100);
/// For how long a copy serves that cannot be confirmed.
const TRUSTED: Duration = Duration::from_secs(60);
/// Rows kept.
const CAPACITY: u64 = 10_000;

/// Copies of rows by key. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Fresh<K, V>(moka::sync::Cache<K, Known<V>>)
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static;

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
        Self(moka::sync::Cache::new(CAPACITY))
    }

    /// What a row says: as the copy has it, or as `read` does.
    ///
    /// # Errors
    /// Those of `read`, where there is no copy to go on with.
    pub(crate) async fn get(&self, key: K, read: impl Future<Output = Result<V>>) -> Result<V> {
        let Some(copy) = self.0.get(&key).filter(|copy| copy.read.elapsed() < TRUSTED) else {
            return self.renew(key, read).await;
        };
        if copy.asked.elapsed() < STALE {
            return Ok(copy.value);
        }
        // One asks; others go on with the copy meanwhile.
        self.0.insert(key, Known { asked: Instant::now(), ..copy.clone() });
        match tokio::time::timeout(PATIENCE, self.renew(key, read)).await {
            Ok(Err(Error::Unavailable(_) | Error::Limited { .. })) | Err(_) => Ok(copy.value),
            Ok(outcome) => outcome,
        }
    }

    /// The row was changed by this process, or is not there: the next to ask reads it.
    pub(crate) fn forget(&self, key: K) {
        self.0.invalidate(&key);
    }

    async fn renew(&self, key: K, read: impl Future<Output = Result<V>>) -> Result<V> {
        let value = read.await?;
        let now = Instant::now();
        self.0.insert(key, Known { value: value.clone(), read: now, asked: now });
        Ok(value)
    }

    #[cfg(test)]
    fn age(&self, key: K, by: Duration) {
        let copy = self.0.get(&key).expect("it was read");
        self.0.insert(key, Known { read: copy.read - by, asked: copy.asked - by, ..copy });
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
        assert_eq!(fresh.get(7, async { Ok("old") }).await.unwrap(), "old");
        assert_eq!(fresh.get(7, async { Ok("new") }).await.unwrap(), "old");
        fresh.age(7, STALE);
        assert_eq!(fresh.get(7, async { Ok("new") }).await.unwrap(), "new");
        fresh.forget(7);
        assert_eq!(fresh.get(7, async { Ok("newer") }).await.unwrap(), "newer");
    }

    #[tokio::test]
    async fn a_copy_goes_on_while_the_row_cannot_be_read() {
        let fresh = Fresh::new();
        fresh.get(7, async { Err(away()) }).await.expect_err("there is no copy");
        fresh.get(7, async { Ok("old") }).await.unwrap();
        fresh.age(7, STALE);
        assert_eq!(fresh.get(7, async { Err(away()) }).await.unwrap(), "old");
        fresh.age(7, STALE);
        let asked = Instant::now();
        assert_eq!(fresh.get(7, std::future::pending()).await.unwrap(), "old");
        assert!(asked.elapsed() >= PATIENCE);
        // Whoever comes next does not wait as well.
        assert_eq!(fresh.get(7, async { panic!("nobody asks") }).await.unwrap(), "old");
        fresh.age(7, TRUSTED);
        fresh.get(7, async { Err(away()) }).await.expect_err("nobody can tell any more");
    }
}
