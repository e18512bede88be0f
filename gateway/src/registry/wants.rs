//! Whose events a session gets besides its own user's.

use std::sync::Arc;

use domain::{AppNumber, GroupId, Interest, UserId};

use super::{Hub, Inner, Slot};

/// Whose events a session gets besides its own user's.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// Users whose presence it watches.
    pub(super) watching: Box<[UserId]>,
    /// Chat rooms that it is in, in the order in which it came.
    pub(super) rooms: Vec<GroupId>,
}

impl Inner {
    pub(super) fn wants(&mut self) -> &mut Wants {
        self.wants.get_or_insert_default()
    }
}

impl Hub {
    /// Replaces the users whose presence a session is told.
    pub(crate) fn watch(&self, slot: &Arc<Slot>, app: AppNumber, users: &[UserId]) {
        let old = std::mem::replace(&mut slot.inner.lock().wants().watching, users.into());
        self.unwatch(slot, app, &old);
        for user in users {
            let key = (app, *user);
            let mut shard = self.watcher_shard(&key).lock();
            let slots = shard.entry(key).or_insert_with(|| {
                self.listening.join(Interest::Presence(app, *user));
                Vec::new()
            });
            if !slots.iter().any(|other| Arc::ptr_eq(other, slot)) {
                slots.push(Arc::clone(slot));
            }
        }
        if slot.with_session(|session| session.is_ended()) {
            self.unwatch(slot, app, users);
        }
    }

    /// Every user whose presence a session here is told.
    pub(crate) fn watched(&self) -> Vec<(AppNumber, UserId)> {
        self.watchers.iter().flat_map(|shard| shard.lock().keys().copied().collect::<Vec<_>>()).collect()
    }

    pub(super) fn unwatch(&self, slot: &Arc<Slot>, app: AppNumber, users: &[UserId]) {
        for user in users {
            let key = (app, *user);
            let mut shard = self.watcher_shard(&key).lock();
            if let Some(slots) = shard.get_mut(&key) {
                slots.retain(|other| !Arc::ptr_eq(other, slot));
                if slots.is_empty() {
                    shard.remove(&key);
                    self.listening.leave(Interest::Presence(app, *user));
                }
            }
        }
    }
}
