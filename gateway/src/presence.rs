//! Tells the store which sessions are alive, without anybody waiting for it.
//!
//! Each session has a lease row that names the run ("boot") of this gateway; the run is renewed as a whole. A session whose lease
//! differs from what it is, is queued here and put right: opening twice or closing before the opening is done cannot happen.
//! Where other gateways hold sessions too, a session has its lease before it is let in: see [`crate::registry::Arrival`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use domain::presence::{Opened, Opening, State};
use domain::{AppNumber, Audience, BootId, Clock, Deliver, Domain, Millis, UserId, record};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, SetOnce};
use tokio_util::sync::CancellationToken;

use crate::config::Platform;
use crate::registry::{Hub, Slot};
use crate::session::Identity;

/// Leases written at once.
const CONCURRENCY: usize = 64;
/// How long a lease that could not be written waits for the next try.
const RETRY: Duration = Duration::from_secs(1);
/// Watched users who are asked about at a time, once a run is over, and the pause between.
const WATCHED: usize = 100;
const BREATH: Duration = Duration::from_millis(20);
/// Runs that are remembered to be over, should they come back.
const MOST_LAPSED: usize = 1_000;

/// Whether the store has a lease of a session, as far as this gateway knows.
#[derive(Debug, Default)]
pub(crate) struct Lease(AtomicU8);

/// The states of a [`Lease`].
const NONE: u8 = 0;
const HELD: u8 = 1;
/// It was held, and then this gateway's run counted as over: others may have removed it.
const LAPSED: u8 = 2;

impl Lease {
    /// Whether the store has it, unless others have removed it since.
    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed) == HELD
    }

    /// The store has it, from before the login.
    pub(crate) fn hold(&self) {
        self.0.store(HELD, Ordering::Relaxed);
    }

    /// The run counted as over for a while.
    fn lapse(&self) {
        let _ = self.0.compare_exchange(HELD, LAPSED, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn is_right(state: u8, live: bool) -> bool {
        state == if live { HELD } else { NONE }
    }
}

/// Sessions whose lease may be wrong. Holds each at most twice, so it is as bounded as the sessions are.
#[derive(Debug, Default)]
pub(crate) struct Reconciler {
    /// The store knows of this gateway's run. Before that, its leases would count as a dead gateway's.
    begun: SetOnce<()>,
    queue: Mutex<VecDeque<Arc<Slot>>>,
    ready: Notify,
}

impl Reconciler {
    /// A session was opened or closed.
    pub(crate) fn touch(&self, slot: &Arc<Slot>) {
        self.queue.lock().push_back(Arc::clone(slot));
        self.ready.notify_one();
    }

    /// Waits until leases of this gateway count.
    pub(crate) async fn has_begun(&self) {
        self.begun.wait().await;
    }

    /// Puts leases right until told to stop.
    pub(crate) async fn run(&self, domain: &Domain, hub: &Hub, stop: CancellationToken) {
        if stop.run_until_cancelled(self.has_begun()).await.is_none() {
            return;
        }
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
                running.push(reconcile(domain, hub, slot));
            }
            tokio::select! {
                Some((slot, settled)) = running.next() => {
                    under_way.retain(|other| !Arc::ptr_eq(other, &slot));
                    if !settled || !Lease::is_right(slot.lease.0.load(Ordering::Relaxed), is_live(&slot)) {
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
pub(crate) async fn renew(domain: &Domain, hub: &Hub, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(hub.config.presence_renewal);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match domain.presence.renew(hub.boot).await {
            Ok(went_on) => {
                // Fails where it was set before.
                let begins = hub.presence.begun.set(()).is_ok();
                if !begins && !went_on {
                    tracing::warn!(
                        "the presence lease had ended: sessions are opened again, but where others have taken their place"
                    );
                    hub.each_slot(|slot| {
                        slot.lease.lapse();
                        hub.presence.touch(slot);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the presence lease could not be renewed");
                if !hub.presence.begun.initialized() {
                    // Logins wait for the first one.
                    ticks.reset_after(RETRY.min(ticks.period()));
                }
            }
        }
    }
    if let Err(error) = domain.presence.end(hub.boot).await {
        tracing::warn!(%error, "the presence lease could not be ended; it expires by itself");
    }
}

/// Looks which gateways' runs are over, and acts on it: sessions here that watch others are told that those are gone; and since a gateway that
/// died may have stored what it did not tell, all sessions compare with the store.
pub(crate) async fn watch_runs(domain: &Domain, hub: &Hub, clock: &Clock, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(hub.config.presence_renewal);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut known, mut lapsed) = (BTreeMap::new(), BTreeSet::new());
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let runs = match domain.presence.runs().await {
            Ok(runs) => runs,
            Err(error) => {
                tracing::debug!(%error, "the runs of gateways could not be read");
                continue;
            }
        };
        let now = clock.now();
        let gone: BTreeMap<BootId, Millis> = known.into_iter().filter(|(run, _)| !runs.contains_key(run)).collect();
        let died = gone.values().any(|end| *end <= now);
        let mut moved: BTreeSet<BootId> = lapsed.iter().filter(|run| runs.contains_key(run)).copied().collect();
        lapsed.retain(|run| !moved.contains(run));
        lapsed.extend(gone.keys());
        while lapsed.len() > MOST_LAPSED {
            lapsed.pop_first();
        }
        moved.extend(gone.into_keys());
        known = runs;
        if died && hub.is_one_of_many() {
            tracing::warn!("a gateway has died: devices synchronise");
            hub.missed();
        }
        if !moved.is_empty() {
            tell_watchers(domain, hub, &moved).await;
        }
    }
}

/// Looks at every watched user, a few at a time.
async fn tell_watchers(domain: &Domain, hub: &Hub, runs: &BTreeSet<BootId>) {
    let mut watched: BTreeMap<AppNumber, Vec<UserId>> = BTreeMap::new();
    for (app, user) in hub.watched() {
        watched.entry(app).or_default().push(user);
    }
    for (app, users) in watched {
        for some in users.chunks(WATCHED) {
            match domain.presence.touched_by(app, some, runs).await {
                Ok(states) => states.into_iter().for_each(|(user, state)| tell(hub, app, user, state)),
                Err(error) => tracing::debug!(%error, "whose sessions a gateway took with it could not be read"),
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}

fn tell(hub: &Hub, app: AppNumber, user: UserId, state: State) {
    let State { online, platforms, last_seen } = state;
    let moved = record::PresenceMoved { user: user.0, online, platforms, time: last_seen };
    hub.deliver(app, &Audience::Watchers(user), &record::event::Body::PresenceMoved(moved));
}

/// Writes or deletes one lease, until it is as the session is; false where the store did not let it.
async fn reconcile(domain: &Domain, hub: &Hub, slot: Arc<Slot>) -> (Arc<Slot>, bool) {
    loop {
        let live = is_live(&slot);
        let before = slot.lease.0.load(Ordering::Relaxed);
        if Lease::is_right(before, live) {
            return (slot, true);
        }
        let found = slot.with_session(|session| {
            let identity = session.identity()?;
            Some((identity.caller.clone(), opening(hub, identity, before == LAPSED)))
        });
        let Some((caller, opening)) = found else { return (slot, true) };
        let outcome = if live {
            domain.presence.open(&caller, opening).await.map(|opened| match opened {
                Opened::Yes => HELD,
                Opened::Displaced => {
                    hub.displace(&slot);
                    NONE
                }
            })
        } else {
            domain.presence.close(&caller, slot.id, hub.boot).await.map(|()| NONE)
        };
        match outcome {
            // If the run lapsed meanwhile, it is looked at once more.
            Ok(after) => _ = slot.lease.0.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(session = slot.id.0, %error, "a presence lease could not be written");
                tokio::time::sleep(RETRY).await;
                return (slot, false);
            }
        }
    }
}

/// What the store is told of a session.
pub(crate) fn opening(hub: &Hub, identity: &Identity, again: bool) -> Opening {
    Opening {
        boot: hub.boot,
        session: identity.session,
        platform: u32::try_from(identity.platform).unwrap_or_default(),
        device_id: identity.device_id.to_string(),
        client: identity.client.to_string(),
        devices_allowed: hub.config.devices_allowed(Platform::from_wire(identity.platform)),
        again,
    }
}

fn is_live(slot: &Slot) -> bool {
    slot.with_session(|session| session.is_live())
}
