//! Who is in which chat room. Nobody keeps it but this: with its session, a user is gone from all of them.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use domain::{AppNumber, Audience, Domain, GroupId, Interest, record};
use foldhash::quality::RandomState;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Hub, Listening, SHARDS, Slot};

/// How often the store is told of rooms whose numbers changed.
const REPORT: Duration = Duration::from_secs(1);
/// How often it is told of all rooms, in the while that what it was told holds.
const REPEATS: u32 = 3;

/// A room of an app.
type Room = (AppNumber, GroupId);

/// Sessions by room.
type Occupants = HashMap<Room, Vec<Arc<Slot>>>;

/// Sessions by the rooms that they are in.
#[derive(Debug)]
pub(super) struct Rooms {
    hasher: RandomState,
    shards: Box<[Mutex<Occupants>]>,
    /// Rooms whose numbers the store has not been told.
    changed: Mutex<HashSet<Room>>,
}

impl Default for Rooms {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::default(), shards, changed: Mutex::default() }
    }
}

impl Rooms {
    /// Calls `tell` with every session in a room.
    pub(super) fn for_each(&self, room: Room, tell: impl FnMut(&Arc<Slot>)) {
        if let Some(slots) = self.shard(room).lock().get(&room) {
            slots.iter().for_each(tell);
        }
    }

    fn add(&self, listening: &Listening, room: Room, slot: &Arc<Slot>) {
        let mut shard = self.shard(room).lock();
        let slots = shard.entry(room).or_insert_with(|| {
            listening.join(Interest::Room(room.0, room.1));
            Vec::new()
        });
        if !slots.iter().any(|other| Arc::ptr_eq(other, slot)) {
            slots.push(Arc::clone(slot));
            self.changed.lock().insert(room);
        }
    }

    fn remove(&self, listening: &Listening, room: Room, slot: &Arc<Slot>) {
        let mut shard = self.shard(room).lock();
        if let Some(slots) = shard.get_mut(&room) {
            slots.retain(|other| !Arc::ptr_eq(other, slot));
            if slots.is_empty() {
                shard.remove(&room);
                listening.leave(Interest::Room(room.0, room.1));
            }
            self.changed.lock().insert(room);
        }
    }

    fn count(&self, room: Room) -> u32 {
        let sessions = self.shard(room).lock().get(&room).map_or(0, Vec::len);
        u32::try_from(sessions).unwrap_or(u32::MAX)
    }

    /// Every room that somebody is in.
    fn all(&self) -> HashSet<Room> {
        self.shards.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }

    fn shard(&self, room: Room) -> &Mutex<Occupants> {
        &self.shards[usize::try_from(self.hasher.hash_one(room) >> 32).unwrap_or_default() % SHARDS]
    }
}

impl Hub {
    /// The sessions that a user has now come into a room, or leave it.
    pub(super) fn move_in_rooms(&self, app: AppNumber, audience: &Audience, moved: &record::RoomMoved) {
        let mut slots = Vec::new();
        self.for_each(app, audience, |slot| slots.push(Arc::clone(slot)));
        let room = (app, GroupId(moved.room));
        for slot in slots {
            if moved.entered { self.enter_room(&slot, room) } else { self.leave_room(&slot, room) }
        }
    }

    /// Forgets that a session was in these rooms.
    pub(super) fn leave_rooms(&self, slot: &Arc<Slot>, app: AppNumber, rooms: &[GroupId]) {
        for room in rooms {
            self.rooms.remove(&self.listening, (app, *room), slot);
        }
    }

    /// Lets a session into a room. One that is in too many leaves the one that it came into first.
    fn enter_room(&self, slot: &Arc<Slot>, room: Room) {
        let left = {
            let mut inner = slot.inner.lock();
            let rooms = &mut inner.wants().rooms;
            if rooms.contains(&room.1) {
                return;
            }
            let full = rooms.len() >= self.config.rooms_per_session.max(1);
            let left = full.then(|| rooms.remove(0));
            rooms.push(room.1);
            left
        };
        if let Some(left) = left {
            self.rooms.remove(&self.listening, (room.0, left), slot);
        }
        self.rooms.add(&self.listening, room, slot);
        // It may have ended meanwhile, and have been forgotten before it was here.
        if slot.with_session(|session| session.is_ended()) {
            self.rooms.remove(&self.listening, room, slot);
        }
    }

    fn leave_room(&self, slot: &Arc<Slot>, room: Room) {
        if let Some(wants) = &mut slot.inner.lock().wants {
            wants.rooms.retain(|other| *other != room.1);
        }
        self.rooms.remove(&self.listening, room, slot);
    }

    /// Tells the store how many are in each room, until told to stop; then, that nobody is.
    pub(crate) async fn report_rooms(&self, domain: &Domain, stop: CancellationToken) {
        let all_after = (domain.groups.room_count_window() / REPEATS).as_secs().max(1) / REPORT.as_secs();
        let mut round = 0;
        while stop.run_until_cancelled(tokio::time::sleep(REPORT)).await.is_some() {
            round += 1;
            let mut due = std::mem::take(&mut *self.rooms.changed.lock());
            if round % all_after == 0 {
                due.extend(self.rooms.all());
            }
            for room in due {
                self.report_room(domain, room, self.rooms.count(room)).await;
            }
        }
        let mut told = std::mem::take(&mut *self.rooms.changed.lock());
        told.extend(self.rooms.all());
        for room in told {
            self.report_room(domain, room, 0).await;
        }
    }

    async fn report_room(&self, domain: &Domain, room: Room, sessions: u32) {
        if let Err(error) = domain.groups.report_room(room.0, room.1, self.boot, sessions).await {
            tracing::debug!(room = room.1.0, %error, "how many are in a room could not be told");
            self.rooms.changed.lock().insert(room);
        }
    }
}
