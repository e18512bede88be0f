//! Gives sessions their time: one task looks at all deadlines in turn, so that no session needs a timer of its own.
//!
//! A session is as cold as memory gets, and looking at half a million every second would take half a core. So each is looked at when its
//! deadline is near, and otherwise once in a few rounds, since its deadline may have come nearer; a round only counts, in the table.
//! It is spread over its whole length, and others get their turn within it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Hub, Slot};

/// Sessions that are looked at before others get their turn: some hundred microseconds of work.
const TOGETHER: usize = 128;
/// Rounds in which nobody looks at a session whose deadline is far. A deadline that comes nearer meanwhile is noticed so much later.
const FAR: u8 = 7;

/// A session in the table of all.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) slot: Arc<Slot>,
    /// Rounds until somebody looks at it.
    rounds: u8,
    /// Whether it waited for its client to come back when it was looked at last.
    is_parked: bool,
}

impl Listed {
    pub(super) fn new(slot: &Arc<Slot>) -> Self {
        Self { slot: Arc::clone(slot), rounds: 0, is_parked: false }
    }

    /// Counts a round. Whether it is time to look.
    fn count(&mut self) -> bool {
        let is_due = self.rounds == 0;
        self.rounds = self.rounds.checked_sub(1).unwrap_or(FAR);
        is_due
    }
}

impl Hub {
    /// Gives every session its time, in rounds of this length, until told to stop.
    pub(crate) async fn sweep(&self, round: Duration, stop: CancellationToken) {
        let rounds = async {
            loop {
                self.sweep_once(round).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn sweep_once(&self, round: Duration) {
        let pause = round / u32::try_from(self.sessions.len()).unwrap_or(u32::MAX);
        let (mut due, mut parked) = (Instant::now(), 0usize);
        for shard in &self.sessions {
            due += pause;
            tokio::time::sleep_until(due).await;
            let mut look = Vec::new();
            for listed in shard.lock().values_mut() {
                parked += usize::from(listed.is_parked);
                if listed.count() {
                    look.push((Arc::clone(&listed.slot), listed.is_parked));
                }
            }
            for some in look.chunks(TOGETHER) {
                for (slot, was_parked) in some {
                    let (rounds, is_parked) = self.give_time(slot, round);
                    if (rounds, is_parked) != (FAR, *was_parked)
                        && let Some(listed) = shard.lock().get_mut(&slot.id)
                    {
                        (listed.rounds, listed.is_parked) = (rounds, is_parked);
                    }
                }
                tokio::task::yield_now().await;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        self.metrics.parked.set(parked as f64);
    }

    /// Gives one session its time, and forgets it if that is over. Rounds until it should be looked at again, and whether it is parked.
    fn give_time(&self, slot: &Arc<Slot>, round: Duration) -> (u8, bool) {
        let now = std::time::Instant::now();
        let mut inner = slot.inner.lock();
        if inner.session.poll_timeout().is_some_and(|due| due <= now) {
            inner.session.handle_timeout(now);
            inner.wake();
        }
        let left = inner.session.poll_timeout().map(|due| due.saturating_duration_since(now));
        let (is_parked, is_ended) = (inner.session.is_parked(), inner.session.is_ended());
        drop(inner);
        if is_ended {
            self.forget(slot);
        }
        (rounds_in(left, round), is_parked)
    }
}

/// Whole rounds until a deadline, as far as it is waited for unseen.
fn rounds_in(left: Option<Duration>, round: Duration) -> u8 {
    left.map_or(FAR, |left| (0..FAR).find(|&rounds| left < round * (u32::from(rounds) + 1)).unwrap_or(FAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(1);

    #[test]
    fn a_near_deadline_is_looked_at_in_its_round_and_a_far_one_in_a_few() {
        for (left, rounds) in [(0, 0), (900, 0), (1_000, 1), (3_500, 3), (60_000, FAR)] {
            assert_eq!(rounds_in(Some(Duration::from_millis(left)), ROUND), rounds, "{left} ms");
        }
        assert_eq!(rounds_in(None, ROUND), FAR);
    }
}
