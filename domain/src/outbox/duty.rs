//! Several processes at one outbox: which of them does what.
//!
//! Where every process works ([`Duty::Shared`]), a row says who has taken it and until when. A process takes what its own messages leave in the
//! commit that leaves it, so that the usual case costs no further commit; whoever finds a row that is nobody's, or whose time is over, takes it by
//! a commit that expects it as it was read. Who looks through the journals, and sends notices to many, is whoever has the *lease*: one row of the
//! store's own home, taken and renewed in the same way.
//!
//! Both are promises of time, and clocks differ: a process whose clock is ahead by more than a term does what another does too.
//! Then a push is sent twice, as it is after a crash, and nothing is lost: rows go only once what they say is done.

use std::time::Duration;

use proto::store;
use storage::{Batch, Home, Key, Millis, Rest, Store, Table};

use super::{Outbox, Task};
use crate::error::{Error, Result};
use crate::ids::BootId;
use crate::tables;

/// Which part of the outbox's work a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duty {
    /// All of it, or none of it: one of the processes that share the store works.
    #[default]
    Sole,
    /// What its own messages leave, and what it finds that nobody does: each of the processes works.
    Shared {
        /// This run of this process, told apart from every other.
        me: BootId,
        /// How long its word holds that it does something. Longer than any one request takes.
        term: Duration,
    },
}

/// Whose a row is.
pub(super) enum Holder {
    /// Nobody's, or its holder's time is over.
    Nobody,
    /// This process's.
    Us,
    /// Another's, for so long.
    Other(Millis),
}

impl Duty {
    /// Writes into a row that this process has taken it.
    pub(super) fn take(self, row: &mut store::Outbox, now: Millis) {
        if let Self::Shared { me, term } = self {
            row.claimed_by = me.0;
            row.claimed_until = now.plus(term).0;
        }
    }

    pub(super) fn holder(self, row: &store::Outbox, now: Millis) -> Holder {
        let until = Millis(row.claimed_until);
        match self {
            Self::Sole => Holder::Us,
            Self::Shared { me, .. } if row.claimed_by != me.0 && until > now => Holder::Other(until),
            // What is half over is taken anew, so that there is always half a term left to do something in.
            Self::Shared { term, .. } if until <= now.plus(term / 2) => Holder::Nobody,
            Self::Shared { .. } => Holder::Us,
        }
    }
}

/// Who looks through the journals.
///
/// home: the store itself.  rest: empty.  value: `store.WorkLease`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkLeaseKey;

impl Key for WorkLeaseKey {
    const TABLE: Table = tables::WORK_LEASE;
    type Record = store::WorkLease;

    fn home(&self) -> Home {
        tables::root()
    }

    fn rest(&self, _out: &mut Rest) {}
}

/// Until when one of the processes that share a store has said that it works, if one has. A store that one process owns tells nothing.
///
/// # Errors
/// What the store says.
pub async fn at_work_until(store: &Store) -> Result<Option<Millis>> {
    Ok(store.get(&WorkLeaseKey).await?.map(|lease| Millis(lease.until)))
}

impl Outbox {
    /// Says which part of the work this process does from now on; at first, [`Duty::Sole`].
    pub fn set_duty(&self, duty: Duty) {
        *self.duty.write() = duty;
    }

    pub(super) fn duty(&self) -> Duty {
        *self.duty.read()
    }

    /// Whether others do what their own messages leave.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.duty(), Duty::Shared { .. })
    }

    /// Whether this process is the one that looks through the journals and sends notices to many. Takes the lease if it is free, and renews it
    /// once half of its term is over, so ask often.
    ///
    /// # Errors
    /// What the store says.
    pub async fn leads(&self) -> Result<bool> {
        let Duty::Shared { me, term } = self.duty() else { return Ok(true) };
        let held = self.store.get(&WorkLeaseKey).await?;
        let now = self.clock.now();
        if let Some(held) = &held {
            let until = Millis(held.until);
            if held.holder != me.0 && until > now {
                return Ok(false);
            }
            if held.holder == me.0 && until > now.plus(term / 2) {
                return Ok(true);
            }
        }
        let until = now.plus(term);
        let mut batch = Batch::new(WorkLeaseKey.home());
        batch.expect_unchanged(&WorkLeaseKey, held.as_ref()).put_expiring(
            &WorkLeaseKey,
            &store::WorkLease { holder: me.0, until: until.0 },
            until,
        );
        won(self.store.commit(batch).await)
    }

    /// Gives the lease back, if this process has it, so that another need not wait for its end.
    ///
    /// # Errors
    /// What the store says; it then ends by itself.
    pub async fn resign(&self) -> Result<()> {
        let Duty::Shared { me, .. } = self.duty() else { return Ok(()) };
        let held = self.store.get(&WorkLeaseKey).await?;
        if let Some(held) = held.filter(|held| held.holder == me.0) {
            let mut batch = Batch::new(WorkLeaseKey.home());
            batch.expect_unchanged(&WorkLeaseKey, Some(&held)).delete(&WorkLeaseKey);
            won(self.store.commit(batch).await)?;
        }
        Ok(())
    }

    /// Sees to it that a task stays this process's for another half of a term at least. `false` if another has taken it up meanwhile, or is done.
    ///
    /// # Errors
    /// What the store says.
    pub async fn hold(&self, task: &mut Task) -> Result<bool> {
        let (duty, now) = (self.duty(), self.clock.now());
        if let Holder::Us = duty.holder(&task.state, now) {
            return Ok(true);
        }
        let mut state = task.state.clone();
        duty.take(&mut state, now);
        let key = task.key();
        let mut batch = Batch::new(key.home());
        batch.expect_unchanged(&key, Some(&task.state)).put(&key, &state);
        let held = won(self.store.commit(batch).await)?;
        task.state = state;
        Ok(held)
    }
}

fn won(outcome: storage::Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(storage::Error::Conflict) => Ok(false),
        Err(error) => Err(Error::from(error)),
    }
}
