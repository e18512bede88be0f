//! Telling whoever is connected that something happened.
//!
//! An event is a hint. What it says is durable before it is told, or, like typing, never was; whoever misses it loses nothing.

use std::sync::Arc;

use proto::store::event::Body;
use proto::{Message, store};
use storage::{Scan, Store};
use tracing::warn;

use crate::deliver::{Audience, Outlet};
use crate::error::Result;
use crate::groups::MemberKey;
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::log::HeadKey;
use crate::metrics::EVENTS;
use crate::outbox::Outbox;
use crate::tables;

/// Rows of a member list that are read at a time.
const MEMBERS_PER_READ: usize = 1_000;

/// Takes events to their audience, in this process or on the bus.
#[derive(Debug)]
pub(crate) struct Events {
    store: Store,
    outlet: Outlet,
    outbox: Arc<Outbox>,
    members: moka::sync::Cache<(AppNumber, GroupId), MemberList>,
    told: metrics::Counter,
}

/// A group's members, as they were at a version or later.
#[derive(Debug, Clone)]
struct MemberList {
    version: u64,
    users: Arc<[UserId]>,
}

impl Events {
    pub(crate) fn new(store: Store, outlet: Outlet, outbox: Arc<Outbox>, member_lists: u64) -> Self {
        Self { store, outlet, outbox, members: moka::sync::Cache::new(member_lists), told: metrics::counter!(EVENTS) }
    }

    /// Tells an event to its audience, wherever that is connected.
    pub(crate) async fn tell(&self, app: AppNumber, body: Body) {
        self.told.increment(1);
        match &self.outlet {
            Outlet::Here(_) => self.hand_over(app, &body).await,
            Outlet::Bus(bus) => {
                let event = store::Event { app: app.0, body: Some(body.clone()) };
                bus.publish(&[], event.encode_to_vec().into());
            }
        }
        // Where each process works, each does what its own messages leave.
        if self.outbox.is_shared() || matches!(self.outlet, Outlet::Here(_)) {
            self.hint(app, &body);
        }
    }

    /// Tells an event that another process published to the sessions of this one.
    pub(crate) async fn receive(&self, event: store::Event) {
        if let Some(body) = event.body {
            self.hand_over(AppNumber(event.app), &body).await;
            if !self.outbox.is_shared() && matches!(self.outlet, Outlet::Here(_)) {
                self.hint(AppNumber(event.app), &body);
            }
        }
    }

    /// Events of other processes were lost, nobody knows which.
    pub(crate) fn missed(&self) {
        if let Outlet::Here(deliver) = &self.outlet {
            deliver.missed();
        }
    }

    async fn hand_over(&self, app: AppNumber, body: &Body) {
        let Outlet::Here(deliver) = &self.outlet else { return };
        match self.audience(app, body).await {
            Ok(Some(audience)) => deliver.deliver(app, &audience, body),
            Ok(None) => warn!(app = app.0, "an event without an audience was dropped"),
            // Not fatal: the entry is in the store, and the next synchronisation finds it.
            Err(error) => warn!(app = app.0, %error, "an event was dropped, for its audience could not be read"),
        }
    }

    /// Tells the worker of this process, if there is one, that an entry left something to do.
    fn hint(&self, app: AppNumber, body: &Body) {
        if let Body::Appended(event) = body
            && event.outbox
            && let Some(conversation) = event.conversation.as_ref().and_then(ConversationId::from_wire)
        {
            self.outbox.hint(app, conversation);
        }
    }

    async fn audience(&self, app: AppNumber, body: &Body) -> Result<Option<Audience>> {
        let (conversation, version) = match body {
            Body::Appended(event) => (&event.conversation, Some(event.members_version)),
            Body::ReadMoved(event) => (&event.conversation, None),
            Body::Typed(event) => (&event.conversation, None),
            Body::Kick(event) if event.user == 0 => return Ok(Some(Audience::Everyone)),
            Body::Kick(event) => return Ok(Some(Audience::Users(vec![UserId(event.user)]))),
            Body::PresenceMoved(event) => return Ok(Some(Audience::Watchers(UserId(event.user)))),
            Body::RoomMoved(event) => return Ok(Some(Audience::Users(vec![UserId(event.user)]))),
        };
        let in_room = matches!(body, Body::Appended(event) if event.room);
        Ok(match conversation.as_ref().and_then(ConversationId::from_wire) {
            Some(ConversationId::Direct { low, high }) if low == high => Some(Audience::Users(vec![low])),
            Some(ConversationId::Direct { low, high }) => Some(Audience::Users(vec![low, high])),
            Some(ConversationId::Notices(user)) => Some(Audience::Users(vec![user])),
            Some(ConversationId::Group(group)) if in_room => Some(Audience::Room(group)),
            Some(ConversationId::Group(group)) => Some(Audience::Members(self.members(app, group, version).await?)),
            None => None,
        })
    }

    /// The members of a group at a version of its member list, or later; without a version, now.
    pub(crate) async fn members(&self, app: AppNumber, group: GroupId, version: Option<u64>) -> Result<Arc<[UserId]>> {
        let cached = self.members.get(&(app, group));
        let head = HeadKey { app, conversation: ConversationId::Group(group) };
        let current = match (version, &cached) {
            (Some(version), Some(list)) if list.version >= version => return Ok(list.users.clone()),
            // Invariant: a list is labelled with a version that was durable before the list was read.
            // Were it the other way round, a change between the two reads would be missed until the next change.
            _ => self.store.get(&head).await?.map_or(0, |head| head.members_version),
        };
        if let Some(list) = cached
            && list.version >= current
        {
            return Ok(list.users);
        }
        let users: Arc<[UserId]> = self.read_members(app, group).await?.into();
        self.members.insert((app, group), MemberList { version: current, users: users.clone() });
        Ok(users)
    }

    async fn read_members(&self, app: AppNumber, group: GroupId) -> Result<Vec<UserId>> {
        let mut users: Vec<UserId> = Vec::new();
        loop {
            let next = users.last().map_or(0, |last| last.0 + 1);
            let scan = Scan::<MemberKey>::new(tables::group(app, group), MEMBERS_PER_READ).from(|rest| {
                rest.u64(next);
            });
            let rows = self.store.scan(scan).await?;
            users.extend(rows.iter().map(|row| UserId(row.record.user)));
            if rows.len() < MEMBERS_PER_READ {
                return Ok(users);
            }
        }
    }
}
