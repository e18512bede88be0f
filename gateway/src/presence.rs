//! Tells the store which sessions are alive, without anybody waiting for it.
//!
//! Each session has a lease row that names the run ("boot") of this gateway; the run is renewed as a whole. A session whose lease
//! differs from what it is, is queued here and put right: opening twice or closing before the opening is done cannot happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::presence::Opening;
use domain::{BootId, Domain};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::registry::Slot;

/// Leases written at once.
const CONCURRENCY: usize = 64;
/// How long a lease that could not be written waits for the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Sessions whose lease may be wrong. Holds each at most twice, so it is as bounded as the sessions are.
#[derive(Debug, Default)]
pub(crate) struct Reconciler {
    queue: Mutex<VecDeque<Arc<Slot>>>,
    ready: Notify,
}

impl Reconciler {
    /// A session was opened or closed.
    pub(crate) fn touch(&self, slot: &Arc<Slot>) {
        self.queue.lock().push_back(Arc::clone(slot));
        self.ready.notify_one();
    }

    /// Puts leases right until told to stop.
    pub(crate) async fn run(&self, domain: &Domain, boot: BootId, stop: CancellationToken) {
        let mut running = FuturesUnordered::new();
        let mut under_way: Vec<Arc<Slot>> = Vec::new();
        loop {
            while running.len() < CONCURRENCY {
                let Some(slot) = self.queue.lock().pop_front() else { break };
                if under_way.iter().any(|other| Arc::ptr_eq(other, &slot)) {
                    // The work under way looks again when it is done.
                    continue;
                }
                under_way.push(Arc::clone(&slot));
                running.push(reconcile(domain, boot, slot));
            }
            tokio::select! {
                Some((slot, settled)) = running.next() => {
                    under_way.retain(|other| !Arc::ptr_eq(other, &slot));
                    if !settled || is_live(&slot) != slot.leased.load(Ordering::Relaxed) {
                        self.queue.lock().push_back(slot);
                    }
                }
                () = self.ready.notified(), if running.len() < CONCURRENCY => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Keeps the run alive until told to stop, then ends it: all its sessions are offline.
pub(crate) async fn renew(domain: &Domain, boot: BootId, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if let Err(error) = domain.presence.renew(boot).await {
                    tracing::warn!(%error, "the presence lease could not be renewed");
                }
            }
            () = stop.cancelled() => break,
        }
    }
    if let Err(error) = domain.presence.end(boot).await {
        tracing::warn!(%error, "the presence lease could not be ended; it expires by itself");
    }
}

/// Writes or deletes one lease, until it is as the session is; false where the store did not let it.
async fn reconcile(domain: &Domain, boot: BootId, slot: Arc<Slot>) -> (Arc<Slot>, bool) {
    loop {
        let live = is_live(&slot);
        if live == slot.leased.load(Ordering::Relaxed) {
            return (slot, true);
        }
        let found = slot.with_session(|session| {
            session.identity().map(|identity| {
                let opening = Opening {
                    boot,
                    session: slot.id,
                    platform: u32::try_from(identity.platform).unwrap_or_default(),
                    device_id: identity.device_id.to_string(),
                    client: identity.client.to_string(),
                };
                (identity.caller.clone(), opening)
            })
        });
        let Some((caller, opening)) = found else { return (slot, true) };
        let outcome = if live {
            domain.presence.open(&caller, opening).await
        } else {
            domain.presence.close(&caller, slot.id, boot).await
        };
        match outcome {
            Ok(()) => slot.leased.store(live, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(session = slot.id.0, %error, "a presence lease could not be written");
                tokio::time::sleep(RETRY).await;
                return (slot, false);
            }
        }
    }
}

fn is_live(slot: &Slot) -> bool {
    slot.with_session(|session| session.is_live())
}
