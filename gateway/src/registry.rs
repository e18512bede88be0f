//! Who is connected: the hub that takes events to sessions, and keeps sessions for their clients to come back to.
//!
//! Lock order: a shard of `users`, `watchers` or `rooms` first, then a session; never the other way round, and never two sessions at once.
//! The hub never calls the domain, so that the domain may deliver from anywhere.

mod crowd;
mod deliver;
mod listening;
mod resync;
mod rooms;
mod sweep;
mod wants;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use domain::{AppNumber, BootId, Interest, SessionId, UserId};
use foldhash::quality::RandomState;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::config::{Config, Platform};
use crate::limit::Bucket;
use crate::metrics::Metrics;
use crate::presence::{Lease, Reconciler};
use crate::session::{Event, Identity, Now, Reply, Session};
use crate::ticket::Tickets;
use crowd::Crowds;
pub(crate) use listening::Arrival;
use listening::Listening;
use rooms::Rooms;
use sweep::Listed;
use wants::Wants;

const SHARDS: usize = 64;

/// A user of an app.
type Key = (AppNumber, UserId);
/// Users with sessions here.
type Users = HashMap<Key, User, RandomState>;

/// Takes events to the sessions of this process. Made before the domain, which delivers through it.
pub struct Hub {
    pub(crate) config: Arc<Config>,
    /// The same, with the limits now in force.
    pub(crate) live: ArcSwap<Config>,
    pub(crate) metrics: Metrics,
    pub(crate) presence: Reconciler,
    /// This run of this gateway.
    pub(crate) boot: BootId,
    listening: Listening,
    /// Events were lost, and sessions have to be told so.
    lost: Notify,
    /// Connections that have something to write.
    crowds: Crowds,
    /// Connections that are over.
    pub(crate) leaving: Crowds,
    tickets: Tickets,
    hasher: RandomState,
    sessions: Box<[Mutex<Sessions>]>,
    users: Box<[RwLock<Users>]>,
    watchers: Box<[Mutex<Watchers>]>,
    rooms: Rooms,
    next_session: AtomicU64,
    /// No session lives on from here.
    stopping: AtomicBool,
}

/// Sessions by id.
type Sessions = HashMap<SessionId, Listed>;
/// Sessions of one user.
type Slots = Vec<Arc<Slot>>;
/// Sessions by the users whose presence they are told.
type Watchers = HashMap<Key, Vec<Arc<Slot>>>;

/// A user with sessions here, or about to have one.
#[derive(Debug)]
struct User {
    sends: Bucket,
    /// In the order of their logins.
    slots: Slots,
    /// Logins under way.
    arriving: u32,
}

/// Where a session lives: shared by the hub, which brings events, and the connection, which moves bytes.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: SessionId,
    /// Whether the store has a lease of this session; written by [`crate::presence`] alone.
    pub(crate) lease: Lease,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    /// Wakes the connection.
    waker: Option<Waker>,
    /// Which connection holds the session; an earlier one has lost it.
    connection: u32,
    /// Most sessions want nothing but their own user's events.
    wants: Option<Box<Wants>>,
}

/// A connection's hold on a session. Another connection that resumes the session ends it.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) slot: Arc<Slot>,
    connection: u32,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        let config = Arc::new(config);
        Arc::new(Self {
            live: ArcSwap::new(Arc::clone(&config)),
            config,
            metrics: Metrics::new(),
            presence: Reconciler::default(),
            boot: BootId(rand::random_range(1..domain::ID_END)),
            listening: Listening::default(),
            lost: Notify::new(),
            crowds: Crowds::default(),
            leaving: Crowds::default(),
            tickets: Tickets::new(),
            hasher: RandomState::default(),
            sessions: (0..SHARDS).map(|_| Mutex::default()).collect(),
            users: (0..SHARDS).map(|_| RwLock::default()).collect(),
            watchers: (0..SHARDS).map(|_| Mutex::default()).collect(),
            rooms: Rooms::default(),
            next_session: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
        })
    }

    /// How many sessions there are: connected, parked, and not yet logged in.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The session of a new connection.
    pub(crate) fn open(&self, now: Instant) -> Hold {
        let id = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        let inner =
            Inner { session: Session::new(self.live.load_full(), now), waker: None, connection: 0, wants: None };
        let slot = Arc::new(Slot { id, lease: Lease::default(), inner: Mutex::new(inner) });
        self.session_shard(id).lock().insert(id, Listed::new(&slot));
        if self.stopping.load(Ordering::SeqCst) {
            slot.tell(now, &Event::Cut);
        }
        Hold { slot, connection: 0 }
    }

    /// Logs a session in: from here on it gets its user's events. False if it has ended meanwhile.
    ///
    /// Devices that must give way are kicked; where other gateways hold sessions too, the store has decided that already.
    pub(crate) fn admit(&self, now: Now, hold: &Hold, identity: Box<Identity>) -> bool {
        let key = (identity.caller.app(), identity.user);
        let platform = identity.platform;
        let device: Box<str> = identity.device_id.clone();
        let ticket = self.tickets.issue(hold.slot.id);
        let reply = Reply::Authenticated { identity, ticket };
        let admitted = hold.with(|session| {
            session.handle_reply(now, reply);
            session.is_live()
        });
        if admitted != Some(true) {
            return false;
        }
        let (replaced, kicked) = {
            let mut shard = self.user_shard(&key).write();
            let new = || User { sends: Bucket::new(now.at), slots: Vec::new(), arriving: 0 };
            let user = shard.entry(key).or_insert_with(new);
            let displaced = if self.is_one_of_many() {
                (Vec::new(), Vec::new())
            } else {
                self.take_displaced(&mut user.slots, platform, &device)
            };
            user.slots.push(Arc::clone(&hold.slot));
            user.slots.shrink_to_fit();
            displaced
        };
        self.presence.touch(&hold.slot);
        for slot in replaced {
            self.tell_and_clear(now.at, &slot, &Event::Replaced);
        }
        for slot in kicked {
            self.displace(&slot);
        }
        true
    }

    /// Takes out the sessions that must give way to one more: the same device's, and the oldest of the platform's if it has too many.
    fn take_displaced(&self, slots: &mut Slots, platform: i32, device: &str) -> (Slots, Slots) {
        let replaced = take_where(slots, usize::MAX, |other| *other.device_id == *device);
        let kicked = self.config.devices_allowed(Platform::from_wire(platform)).map_or_else(Vec::new, |allowed| {
            let there = slots.iter().filter(|slot| slot.platform() == Some(platform)).count();
            take_where(slots, (there + 1).saturating_sub(allowed), |other| other.platform == platform)
        });
        (replaced, kicked)
    }

    /// The session that a ticket resumes, taken over from whatever connection had it.
    pub(crate) fn resume(&self, now: Now, id: u64, ticket: Bytes, received: u64) -> Option<Hold> {
        let session = self.tickets.read(&ticket)?;
        let slot = self.session_shard(session).lock().get(&session).map(|listed| Arc::clone(&listed.slot))?;
        let connection = {
            let mut inner = slot.inner.lock();
            if inner.session.identity().is_none() || !inner.session.handle_resume(now, id, ticket, received) {
                return None;
            }
            inner.connection = inner.connection.wrapping_add(1);
            inner.wake();
            inner.connection
        };
        Some(Hold { slot, connection })
    }

    /// A connection is gone; its session is parked, or forgotten.
    pub(crate) fn close(&self, now: Instant, hold: &Hold) {
        let ended = hold.with(|session| {
            session.handle_disconnect(now);
            session.is_ended()
        });
        if ended == Some(true) {
            self.forget(&hold.slot);
        }
    }

    /// Takes one token of a user's sends.
    pub(crate) fn take_send(&self, now: Instant, key: &Key) -> Result<(), Duration> {
        let sends = self.live.load().sends;
        if sends.per_second == 0 {
            return Ok(());
        }
        let mut shard = self.user_shard(key).write();
        shard.get_mut(key).map_or(Ok(()), |user| user.sends.take(now, sends))
    }

    /// Puts limits in force: for users and addresses at once, for frames on connections that open from now on.
    pub(crate) fn set_limits(&self, wanted: &Config) {
        let limits = Config {
            frames: wanted.frames,
            sends: wanted.sends,
            connects: wanted.connects,
            connections_per_address: wanted.connections_per_address,
            max_connections: wanted.max_connections,
            ..(*self.config).clone()
        };
        self.live.store(Arc::new(limits));
    }

    /// Tells every session that the gateway stops, each with a delay of its own before it should come back.
    pub(crate) fn drain(&self, now: Instant) {
        self.stopping.store(true, Ordering::SeqCst);
        self.tell_all(now, |reconnect_after| Event::Drain { reconnect_after });
    }

    /// Calls `tell` with every session, each with a delay of its own.
    fn tell_all(&self, now: Instant, event: impl Fn(Duration) -> Event<'static>) {
        let spread = u64::try_from(self.config.reconnect_spread.as_millis()).unwrap_or(u64::MAX);
        self.each_slot(|slot| {
            self.tell_and_clear(now, slot, &event(Duration::from_millis(rand::random_range(0..=spread))));
        });
    }

    /// Calls `work` with every session.
    pub(crate) fn each_slot(&self, mut work: impl FnMut(&Arc<Slot>)) {
        for shard in &self.sessions {
            slots_of(shard).iter().for_each(&mut work);
        }
    }

    /// Ends a session whose place others have taken.
    pub(crate) fn displace(&self, slot: &Arc<Slot>) {
        self.metrics.kicks.increment(1);
        self.tell_and_clear(Instant::now(), slot, &displaced());
    }

    /// Ends every session at once.
    pub(crate) fn cut(&self, now: Instant) {
        // Whoever is inserted after a shard was gone through sees this.
        self.stopping.store(true, Ordering::SeqCst);
        self.tell_all(now, |_| Event::Cut);
    }

    /// Tells a session something that may end it.
    fn tell_and_clear(&self, now: Instant, slot: &Arc<Slot>, event: &Event<'_>) {
        slot.tell(now, event);
        if slot.with_session(|session| session.is_ended()) {
            self.forget(slot);
        }
    }

    /// Removes what points at a session. Doing it twice is harmless.
    fn forget(&self, slot: &Arc<Slot>) {
        self.session_shard(slot.id).lock().remove(&slot.id);
        let (identity, wants) = {
            let mut inner = slot.inner.lock();
            let wants = inner.wants.take().unwrap_or_default();
            (inner.session.identity().map(|identity| (identity.caller.app(), identity.user)), wants)
        };
        let Some(key) = identity else { return };
        {
            let mut shard = self.user_shard(&key).write();
            if let Some(user) = shard.get_mut(&key) {
                user.slots.retain(|other| !Arc::ptr_eq(other, slot));
            }
            self.remove_if_gone(&mut shard, &key);
        }
        self.unwatch(slot, key.0, &wants.watching);
        self.leave_rooms(slot, key.0, &wants.rooms);
        self.presence.touch(slot);
    }

    /// Forgets a user who has no session here and is not about to have one.
    fn remove_if_gone(&self, users: &mut Users, key: &Key) {
        if users.get(key).is_some_and(|user| user.slots.is_empty() && user.arriving == 0) {
            users.remove(key);
            self.listening.leave(Interest::User(key.0, key.1));
        }
    }

    fn session_shard(&self, id: SessionId) -> &Mutex<Sessions> {
        &self.sessions[usize::try_from(id.0).unwrap_or_default() % SHARDS]
    }

    fn user_shard(&self, key: &Key) -> &RwLock<Users> {
        &self.users[self.shard_of(key)]
    }

    fn watcher_shard(&self, key: &Key) -> &Mutex<Watchers> {
        &self.watchers[self.shard_of(key)]
    }

    fn shard_of(&self, key: &impl Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default() % SHARDS
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hub").field("sessions", &self.count()).finish_non_exhaustive()
    }
}

impl Slot {
    /// Hands an event to the session and wakes its connection.
    fn tell(&self, now: Instant, event: &Event<'_>) {
        if let Some(waker) = self.hand(now, event) {
            waker.wake();
        }
    }

    /// Hands an event to the session; what wakes its connection, if that has something new to do.
    fn hand(&self, now: Instant, event: &Event<'_>) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.session.handle_event(now, event).then(|| inner.waker.take()).flatten()
    }

    /// Looks at the session, whoever holds it.
    pub(crate) fn with_session<R>(&self, look: impl FnOnce(&Session) -> R) -> R {
        look(&self.inner.lock().session)
    }

    fn platform(&self) -> Option<i32> {
        self.with_session(|session| session.identity().map(|identity| identity.platform))
    }
}

impl Inner {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Hold {
    /// Works on the session; `None` if another connection has taken it over.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let mut inner = self.slot.inner.lock();
        (inner.connection == self.connection).then(|| work(&mut inner.session))
    }

    /// As [`Self::with`], and has `waker` woken when the session has something new to do.
    pub(crate) fn with_waker<R>(&self, waker: &Waker, work: impl FnOnce(&mut Session) -> R) -> Option<R> {
        let mut inner = self.slot.inner.lock();
        if inner.connection != self.connection {
            return None;
        }
        if !inner.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.waker = Some(waker.clone());
        }
        Some(work(&mut inner.session))
    }
}

/// The sessions of a shard, so that they can be worked on without its lock.
fn slots_of(shard: &Mutex<Sessions>) -> Slots {
    shard.lock().values().map(|listed| Arc::clone(&listed.slot)).collect()
}

/// What a session is told whose place another device has taken.
pub(crate) fn displaced() -> Event<'static> {
    let reason = proto::wire::kicked::Reason::OtherDevice.into();
    Event::Kick { reason, message: "another device of this platform logged in" }
}

/// Removes up to `most` of the slots that match, the oldest first.
fn take_where(slots: &mut Slots, most: usize, matches: impl Fn(&Identity) -> bool) -> Slots {
    let mut taken = Vec::new();
    slots.retain(|slot| {
        let take = taken.len() < most && slot.with_session(|session| session.identity().is_some_and(&matches));
        if take {
            taken.push(Arc::clone(slot));
        }
        !take
    });
    taken
}
