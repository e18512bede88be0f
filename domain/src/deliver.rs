//! Where events go once they are durable.
//!
//! Delivery is a hint: whoever misses one finds the same entries in the store.

use std::sync::Arc;

use proto::store;

use crate::ids::{AppNumber, GroupId, UserId};

/// Whom an event is for.
#[derive(Debug, Clone)]
pub enum Audience {
    /// These users.
    Users(Vec<UserId>),
    /// A group's members. The list is shared and may be long.
    Members(Arc<[UserId]>),
    /// Everyone in the app.
    Everyone,
    /// Sessions that are in this chat room.
    Room(GroupId),
    /// Whoever asked to be told of this user's presence.
    Watchers(UserId),
}

/// Takes events to connected sessions. Implemented by the gateway.
pub trait Deliver: Send + Sync + 'static {
    /// Hands an event to every session of the audience in this process.
    ///
    /// Never blocks and never fails: a session that cannot take it finds the entry in the store.
    /// Entries of one conversation arrive in seq order.
    fn deliver(&self, app: AppNumber, audience: &Audience, event: &store::event::Body);

    /// Events were lost on their way here: every session must compare with the store. Nobody keeps sessions by default.
    fn missed(&self) {}
}

/// Where this process's events go.
#[derive(Clone)]
pub enum Outlet {
    /// To sessions in this process.
    Here(Arc<dyn Deliver>),
    /// To the other processes on the bus; this one holds no sessions.
    Bus(storage::Bus),
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Here(_) => "Outlet::Here",
            Self::Bus(_) => "Outlet::Bus",
        })
    }
}
