//! Presence: who is connected.

use proto::wire::frame::Body;
use proto::wire::{self, PresenceQuery, PresenceSubscribe};

use crate::client::Client;
use crate::error::Result;

/// What kind of device this is. A user may be connected from several.
pub use proto::wire::Platform;

/// Whether a user is connected, and from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// By user id.
    pub user: u64,
    /// Whether any device is connected.
    pub online: bool,
    /// The kinds of devices connected.
    pub platforms: Vec<Platform>,
    /// Unix milliseconds; 0 where unknown.
    pub last_seen: i64,
}

impl From<wire::Presence> for Presence {
    fn from(wire: wire::Presence) -> Self {
        let platforms = wire.platforms().collect();
        Self { user: wire.user, online: wire.online, platforms, last_seen: wire.last_seen }
    }
}

impl Client {
    /// Who of these users is connected? At most 200.
    pub async fn presence(&self, users: &[u64]) -> Result<Vec<Presence>> {
        let list = answer!(self, Body::PresenceQuery(PresenceQuery { users: users.to_vec() }), PresenceList);
        Ok(list.presences.into_iter().map(Presence::from).collect())
    }

    /// Asks for [`Event::Presence`](crate::Event::Presence) whenever one of these users comes or goes, and answers how they are now.
    /// Replaces the set named before. At most 200; to be repeated after a [`Connected`](crate::Event::Connected) that is not resumed.
    pub async fn subscribe_presence(&self, users: &[u64]) -> Result<Vec<Presence>> {
        let list = answer!(self, Body::PresenceSubscribe(PresenceSubscribe { users: users.to_vec() }), PresenceList);
        Ok(list.presences.into_iter().map(Presence::from).collect())
    }
}
