//! Gives sessions their time: one task looks at all deadlines in turn, so that no session needs a timer of its own.
//!
//! What it looks at is as cold as memory gets. Looking at everybody at once would keep a hundred thousand others waiting for as many
//! microseconds, so that a round is spread over its whole length, and others get their turn within it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Hub, Slot};

/// Sessions that are looked at before others get their turn: some hundred microseconds of work.
const TOGETHER: usize = 128;

impl Hub {
    /// Gives every session its time once in each `round`, until told to stop.
    pub(crate) async fn sweep(&self, round: Duration, stop: CancellationToken) {
        let rounds = async {
            loop {
                self.sweep_once(round).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn sweep_once(&self, round: Duration) {
        let (begun, pause) = (Instant::now(), round / u32::try_from(self.sessions.len()).unwrap_or(u32::MAX));
        let (mut due, mut parked) = (begun, 0usize);
        for shard in &self.sessions {
            due += pause;
            tokio::time::sleep_until(due).await;
            let slots: Vec<Arc<Slot>> = shard.lock().values().cloned().collect();
            for some in slots.chunks(TOGETHER) {
                parked += some.iter().filter(|slot| self.give_time(slot)).count();
                tokio::task::yield_now().await;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        self.metrics.parked.set(parked as f64);
    }

    /// Gives one session its time, and forgets it if that is over. Whether it waits for its client to come back.
    fn give_time(&self, slot: &Arc<Slot>) -> bool {
        let now = std::time::Instant::now();
        let mut inner = slot.inner.lock();
        if inner.session.poll_timeout().is_some_and(|due| due <= now) {
            inner.session.handle_timeout(now);
            inner.wake();
        }
        let (is_parked, is_ended) = (inner.session.is_parked(), inner.session.is_ended());
        drop(inner);
        if is_ended {
            self.forget(slot);
        }
        is_parked
    }
}
