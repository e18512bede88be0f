//! After events were lost: every session is told to compare with the store.
//!
//! Nobody knows whose events they were, and all sessions at once would be more than the store answers: they are told so many per second. What is
//! lost while that goes on makes it happen once more, after a pause, and not more often.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Event, Hub};

/// Sessions are told in steps of this length, each at a moment of its own within it.
const STEP: Duration = Duration::from_millis(100);

impl Hub {
    /// Tells sessions of losses until told to stop.
    pub(crate) async fn resync_when_lost(&self, stop: CancellationToken) {
        let rounds = async {
            loop {
                self.lost.notified().await;
                self.resync().await;
                tokio::time::sleep(self.config.resync_pause).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    /// Tells all sessions, the parked ones among them, so many per second.
    async fn resync(&self) {
        self.metrics.resyncs.increment(1);
        let (per_step, step) = match usize::try_from(self.config.resyncs_per_second).unwrap_or(usize::MAX) {
            0 => (usize::MAX, Duration::ZERO),
            rate => ((rate / 10).max(1), STEP),
        };
        let mut room = per_step;
        for shard in &self.sessions {
            for slot in super::slots_of(shard) {
                if room == 0 {
                    tokio::time::sleep(step).await;
                    room = per_step;
                }
                room -= 1;
                let after = step.mul_f64(rand::random_range(0.0..1.0));
                self.tell_and_clear(Instant::now(), &slot, &Event::Missed { after });
            }
        }
    }
}
