//! Telling whoever is connected that something happened, in this process and in others.
//!
//! An event is a hint. What it says is durable before it is told, or, like typing, never was; whoever misses it loses nothing.
//! Sessions of this process are told at once; other processes hear of it over the bus, where it is addressed to [`topics`].

mod catch_up;
mod topics;

use std::sync::Arc;

use proto::store::event::Body;
use proto::{Message, store};
use storage::{Scan, Store};
use tracing::warn;

use crate::deliver::{Audience, Concern, Outlet};
use crate::error::Result;
use crate::groups::MemberKey;
use crate::ids::{AppNumber, ConversationId, GroupId, UserId};
use crate::interests::Interests;
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
    /// Of this process, on the bus: its own events come back to it.
    origin: u64,
    outbox: Arc<Outbox>,
    members: moka::sync::Cache<(AppNumber, GroupId), MemberList>,
    told: metrics::Counter,
}

/// A group's members, as they were at a version or later.
#[derive(Debug, Clone)]
struct MemberList {
    /// Of the group's log: versions are counted anew in another.
    epoch: u64,
    version: u64,
    users: Arc<[UserId]>,
}

/// A version of a group's member list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MembersAt {
    /// The epoch of the group's log.
    pub(crate) epoch: u64,
    /// The version in it.
    pub(crate) version: u64,
}

impl Events {
    pub(crate) fn new(store: Store, outlet: Outlet, outbox: Arc<Outbox>, member_lists: u64) -> Self {
        if let Outlet::Both(deliver, bus) = &outlet {
            deliver.choose(Interests::new(bus.clone()));
        }
        let (members, told) = (moka::sync::Cache::new(member_lists), metrics::counter!(EVENTS));
        Self { store, outlet, origin: rand::random(), outbox, members, told }
    }

    /// Tells an event to its audience, wherever that is connected.
    #[expect(
        clippy::manual_async_fn,
        reason = "its argument would be kept twice, in the task of every message on its way"
    )]
    pub(crate) fn tell(self: &Arc<Self>, app: AppNumber, body: Body) -> impl Future<Output = ()> + Send {
        async move {
            self.told.increment(1);
            self.hand_over(app, &body).await;
            // Where each process works, each does what its own messages leave.
            if self.outbox.is_shared() || self.outlet.here().is_some() {
                self.hint(app, &body);
            }
            if let Some(bus) = self.outlet.bus()
                && let Some(topics) = topics::of(app, &body)
            {
                let event = store::Event { app: app.0, body: Some(body), origin: self.origin };
                bus.publish(&topics, event.encode_to_vec().into());
            }
        }
    }

    /// Whether other processes tell events too, and so write to the same conversations.
    pub(crate) fn is_shared(&self) -> bool {
        self.outlet.bus().is_some()
    }

    /// Whether there are other processes, and the way to them is closed.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.outlet.bus().is_some_and(|bus| !bus.is_ready())
    }

    /// Tells an event that another process published to the sessions of this one.
    pub(crate) async fn receive(self: &Arc<Self>, event: store::Event) {
        if event.origin == self.origin {
            return;
        }
        if let Some(body) = event.body {
            self.hand_over(AppNumber(event.app), &body).await;
            if !self.outbox.is_shared() && self.outlet.here().is_some() {
                self.hint(AppNumber(event.app), &body);
            }
        }
    }

    /// Events of other processes were lost, nobody knows which.
    pub(crate) fn missed(&self) {
        if let Some(deliver) = self.outlet.here() {
            deliver.missed();
        }
    }

    async fn hand_over(self: &Arc<Self>, app: AppNumber, body: &Body) {
        let Some(deliver) = self.outlet.here() else { return };
        if let Some(group) = topics::group_of(body) {
            let named = if let Body::Appended(appended) = body { topics::named(appended) } else { &[] };
            match deliver.concern(app, group, named) {
                Concern::None => return,
                Concern::Known => {}
                Concern::New => self.catch_up_later(app, group, body),
            }
        }
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
            Body::Appended(event) => {
                (&event.conversation, Some(MembersAt { epoch: event.epoch, version: event.members_version }))
            }
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
            Some(ConversationId::Group(group)) => {
                Some(Audience::Members(Box::pin(self.members(app, group, version)).await?))
            }
            None => None,
        })
    }

    /// The members of a group at a version of its member list, or later; without a version, now.
    pub(crate) async fn members(&self, app: AppNumber, group: GroupId, at: Option<MembersAt>) -> Result<Arc<[UserId]>> {
        let cached = self.members.get(&(app, group));
        let covers = |list: &MemberList, at: MembersAt| list.epoch == at.epoch && list.version >= at.version;
        if let (Some(at), Some(list)) = (at, &cached)
            && covers(list, at)
        {
            return Ok(list.users.clone());
        }
        // Invariant: a list is labelled with a version that was durable before the list was read.
        // Were it the other way round, a change between the two reads would be missed until the next change.
        let head = HeadKey { app, conversation: ConversationId::Group(group) };
        let head = self.store.get(&head).await?.unwrap_or_default();
        let current = MembersAt { epoch: head.epoch, version: head.members_version };
        if let Some(list) = cached
            && covers(&list, current)
        {
            return Ok(list.users);
        }
        let users: Arc<[UserId]> = self.read_members(app, group).await?.into();
        let MembersAt { epoch, version } = current;
        self.members.insert((app, group), MemberList { epoch, version, users: users.clone() });
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
