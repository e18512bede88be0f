//! Optimistic concurrency: read, decide, commit, and once more when somebody else was faster.

use std::time::Duration;

use crate::error::{Error, Result};

/// Counts the attempts of one operation.
///
/// ```text
/// let mut tries = Tries::default();
/// loop {
///     // read and build a batch
///     if tries.settled(store.commit(batch).await).await? { return Ok(()); }
/// }
/// ```
#[derive(Debug, Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// So many lost races mean that the row is too busy for now.
    const MOST: u32 = 24;

    /// Whether the commit took effect; `false` after a lost race, once a moment has passed.
    ///
    /// # Errors
    /// [`Error::Limited`] after too many lost races; whatever else the store said.
    pub(crate) async fn settled(&mut self, outcome: storage::Result<()>) -> Result<bool> {
        match outcome {
            Ok(()) => Ok(true),
            Err(storage::Error::Conflict) => self.lost().await.map(|()| false),
            Err(other) => Err(other.into()),
        }
    }

    /// Counts a race that was lost, and lets a random moment pass, so that rivals fall out of step.
    ///
    /// # Errors
    /// [`Error::Limited`] after too many of them.
    pub(crate) async fn lost(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0 >= Self::MOST {
            return Err(Error::Limited { retry_after: Duration::from_millis(200) });
        }
        if self.0 > 1 {
            let moment = rand::random_range(0..=1u64 << self.0.min(6));
            tokio::time::sleep(Duration::from_millis(moment)).await;
        }
        Ok(())
    }
}
