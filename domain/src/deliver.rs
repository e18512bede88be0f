//! Where events go once they are durable.
//!
//! Delivery is a hint: whoever misses one finds the same entries in the store.

use std::sync::Arc;

use proto::store;

use crate::ids::{AppNumber, GroupId, UserId};
use crate::interests::Interests;

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

/// What sessions of this process have to do with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// None of their users is known to be a member: its events need not be worked out here.
    None,
    /// Some may be.
    Known,
    /// Some become members just now, and what else happens in the group comes here only from soon on.
    New,
}

/// Takes events to connected sessions. Implemented by the gateway.
pub trait Deliver: Send + Sync + 'static {
    /// Hands an event to every session of the audience in this process.
    ///
    /// Never blocks and never fails: a session that cannot take it finds the entry in the store.
    /// Entries of one conversation that this process wrote arrive in seq order.
    fn deliver(&self, app: AppNumber, audience: &Audience, event: &store::event::Body);

    /// Events were lost on their way here: every session must compare with the store. Nobody keeps sessions by default.
    fn missed(&self) {}

    /// Other processes hold sessions too, and this one hears only what it chooses. Called once, before anything else.
    fn choose(&self, interests: Interests) {
        drop(interests);
    }

    /// What sessions here have to do with a group; `named` are users whom the event makes members of it.
    fn concern(&self, app: AppNumber, group: GroupId, named: &[u64]) -> Concern {
        let _ = (app, group, named);
        Concern::Known
    }
}

/// Where this process's events go.
#[derive(Clone)]
pub enum Outlet {
    /// To sessions in this process: no other has any.
    Here(Arc<dyn Deliver>),
    /// To the other processes on the bus; this one holds no sessions.
    Bus(storage::Bus),
    /// To sessions in this process, and to the other processes on the bus, which hold sessions as well.
    Both(Arc<dyn Deliver>, storage::Bus),
}

impl Outlet {
    /// Sessions in this process.
    pub(crate) fn here(&self) -> Option<&Arc<dyn Deliver>> {
        match self {
            Self::Here(deliver) | Self::Both(deliver, _) => Some(deliver),
            Self::Bus(_) => None,
        }
    }

    /// The way to other processes.
    pub(crate) fn bus(&self) -> Option<&storage::Bus> {
        match self {
            Self::Bus(bus) | Self::Both(_, bus) => Some(bus),
            Self::Here(_) => None,
        }
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Here(_) => "Outlet::Here",
            Self::Bus(_) => "Outlet::Bus",
            Self::Both(..) => "Outlet::Both",
        })
    }
}
