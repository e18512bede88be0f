//! Events come in here, and go to the sessions that they are for.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use domain::{AppNumber, Audience, Concern, ConversationId, Deliver, GroupId, Interests, UserId, record};

use super::{Hub, Slot};
use crate::encode;
use crate::session::Event;

impl Deliver for Hub {
    fn deliver(&self, app: AppNumber, audience: &Audience, event: &record::event::Body) {
        let group = group_of(audience, event).map(|group| (app, group));
        // Looked at before the audience is: who arrives in between asks for the group again.
        let asked = group.and_then(|group| self.listening.asked_for(group));
        let found = self.hand_out(app, audience, event);
        if let (Some(group), Some(asked), false) = (group, asked, found) {
            self.listening.leave_group(group, asked);
        }
    }

    fn missed(&self) {
        self.lost.notify_one();
    }

    fn choose(&self, interests: Interests) {
        self.listening.begin(interests);
    }

    fn concern(&self, app: AppNumber, group: GroupId, named: &[u64]) -> Concern {
        self.concern_of(app, group, named)
    }
}

/// The group whose members these are.
fn group_of(audience: &Audience, event: &record::event::Body) -> Option<GroupId> {
    let Audience::Members(_) = audience else { return None };
    let conversation = match event {
        record::event::Body::Appended(appended) => appended.conversation.as_ref(),
        record::event::Body::ReadMoved(moved) => moved.conversation.as_ref(),
        record::event::Body::Typed(typed) => typed.conversation.as_ref(),
        _ => None,
    };
    match conversation.and_then(ConversationId::from_wire) {
        Some(ConversationId::Group(group)) => Some(group),
        _ => None,
    }
}

impl Hub {
    /// Tells every session of an audience. Whether anybody of it is here, or about to be.
    fn hand_out(&self, app: AppNumber, audience: &Audience, event: &record::event::Body) -> bool {
        let now = Instant::now();
        // Encoded for the first session that is found, and shared by all.
        let mut frame: Option<Bytes> = None;
        let mut crowd = self.crowds.gather();
        match event {
            record::event::Body::Appended(appended) => self.for_each(app, audience, |slot| {
                let frame = frame.get_or_insert_with(|| encode::push(appended)).clone();
                self.metrics.pushes.increment(1);
                crowd.tell(now, slot, &Event::Appended { appended, frame });
            }),
            record::event::Body::ReadMoved(moved) => self.for_each(app, audience, |slot| {
                let frame = frame.get_or_insert_with(|| encode::receipt(moved)).clone();
                crowd.tell(now, slot, &Event::ReadMoved { moved, frame });
            }),
            record::event::Body::Typed(typed) => self.for_each(app, audience, |slot| {
                let frame = frame.get_or_insert_with(|| encode::typing(typed)).clone();
                crowd.tell(now, slot, &Event::Typed { user: UserId(typed.user), frame });
            }),
            record::event::Body::PresenceMoved(moved) => self.for_each(app, audience, |slot| {
                let frame = frame.get_or_insert_with(|| encode::presence(moved)).clone();
                crowd.tell(now, slot, &Event::PresenceMoved { frame });
            }),
            record::event::Body::RoomMoved(moved) => {
                self.move_in_rooms(app, audience, moved);
                true
            }
            record::event::Body::Kick(kick) => {
                self.kick(now, app, audience, kick);
                true
            }
        }
    }

    /// Calls `tell` with every session of an audience. Whether anybody of it is here, or about to be.
    pub(super) fn for_each(&self, app: AppNumber, audience: &Audience, mut tell: impl FnMut(&Arc<Slot>)) -> bool {
        let mut found = false;
        let mut each = |users: &[UserId]| {
            for user in users {
                let key = (app, *user);
                if let Some(user) = self.user_shard(&key).read().get(&key) {
                    found = true;
                    user.slots.iter().for_each(&mut tell);
                }
            }
        };
        match audience {
            Audience::Users(users) => each(users),
            Audience::Members(members) => each(members),
            Audience::Everyone => {
                for shard in &self.users {
                    let shard = shard.read();
                    let here = shard.iter().filter(|((of, _), _)| *of == app);
                    here.for_each(|(_, user)| user.slots.iter().for_each(&mut tell));
                }
            }
            Audience::Room(room) => self.rooms.for_each((app, *room), tell),
            Audience::Watchers(user) => {
                let key = (app, *user);
                if let Some(slots) = self.watcher_shard(&key).lock().get(&key) {
                    slots.iter().for_each(&mut tell);
                }
            }
        }
        found
    }

    fn kick(&self, now: Instant, app: AppNumber, audience: &Audience, kick: &record::Kick) {
        let mut over = Vec::new();
        self.for_each(app, audience, |slot| {
            let is_device = kick.device_id.is_empty()
                || slot.with_session(|session| {
                    session.identity().is_some_and(|identity| *identity.device_id == *kick.device_id)
                });
            let own = |session: &record::SessionRef| session.boot == self.boot.0 && session.session == slot.id.0;
            if is_device && (kick.sessions.is_empty() || kick.sessions.iter().any(own)) {
                over.push(Arc::clone(slot));
            }
        });
        let reason = i32::try_from(kick.reason).unwrap_or_default();
        let event = match reason {
            0 if !kick.sessions.is_empty() => Event::Replaced,
            _ => Event::Kick { reason, message: &kick.message },
        };
        for slot in over {
            self.metrics.kicks.increment(u64::from(!matches!(event, Event::Replaced)));
            self.tell_and_clear(now, &slot, &event);
        }
    }
}
