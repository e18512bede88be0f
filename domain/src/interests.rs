//! What a process wants to hear of others, where many share a store and a bus.
//!
//! A publication is addressed to topics; it comes to the processes that joined one of them. A topic is a name and nothing more: whoever
//! hears an event still looks whom it is for.

use storage::{Bus, Topic};

use crate::ids::{AppNumber, GroupId, UserId};

/// What a process can want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interest {
    /// What is for a user: 1:1 conversations, notices, what ends sessions.
    User(AppNumber, UserId),
    /// What happens in a group.
    Group(AppNumber, GroupId),
    /// What is said in a chat room.
    Room(AppNumber, GroupId),
    /// Whether a user comes or goes.
    Presence(AppNumber, UserId),
}

impl Interest {
    /// The name of it: kind as u8, app as u32, id as u64.
    pub(crate) fn topic(self) -> Topic {
        let (kind, app, id) = match self {
            Self::User(app, user) => (1, app, user.0),
            Self::Group(app, group) => (2, app, group.0),
            Self::Room(app, room) => (3, app, room.0),
            Self::Presence(app, user) => (4, app, user.0),
        };
        let mut name = Vec::with_capacity(13);
        name.push(kind);
        name.extend_from_slice(&app.0.to_be_bytes());
        name.extend_from_slice(&id.to_be_bytes());
        Topic::new(name)
    }
}

/// Chooses what comes to this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Interests(Bus);

impl Interests {
    pub(crate) fn new(bus: Bus) -> Self {
        Self(bus)
    }

    /// From soon on, events of this come here. Idempotent, and never waits.
    pub fn join(&self, interest: Interest) {
        self.0.join(interest.topic());
    }

    /// They need not any more. Idempotent, and never waits.
    pub fn leave(&self, interest: Interest) {
        self.0.leave(&interest.topic());
    }

    /// Completes once everything that was joined so far comes here, or this process will be told that it missed something.
    pub async fn settle(&self) {
        self.0.settle().await;
    }
}
