//! Reads that take as long as a test says, or fail.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::store::Engine;
use crate::{Result, Store, Table};

/// What each read waits for.
pub(crate) struct Hold(Box<dyn Fn(Table) -> BoxFuture<'static, Result<()>> + Send + Sync>);

impl Hold {
    pub(crate) async fn pass(&self, table: Table) -> Result<()> {
        (self.0)(table).await
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl Store {
    /// From now on each `get` and `get_many` waits for what `hold` makes of the table, and fails where that fails.
    ///
    /// # Panics
    /// If it was called before, or the engine is not `memory`.
    pub fn hold_reads(&self, hold: impl Fn(Table) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static) {
        let Engine::Memory(memory) = &self.0 else { panic!("only the engine `memory` can be held") };
        assert!(memory.hold.set(Hold(Box::new(hold))).is_ok(), "reads are held already");
    }
}
