//! What this gateway hears of others: which topics of the bus it has joined, for whom.
//!
//! A user's topic is joined from before the login until the last session is gone; a watched user's and a chat room's as long as a session
//! here wants them. A group's is joined at the login of a member, and left when something that happens in the group finds nobody here: until
//! then, a gateway that has lost the group's last member hears of it for nothing.
//! Where no other process holds sessions, nothing of this is kept.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use domain::{AppNumber, Caller, Concern, Domain, Error, GroupId, Interest, Interests, SessionId};
use foldhash::quality::RandomState;
use parking_lot::Mutex;

use super::{Hub, Key, SHARDS, Slot, User};
use crate::limit::Bucket;
use crate::presence;
use crate::session::Identity;

/// A group of an app.
type Group = (AppNumber, GroupId);

/// See the module.
#[derive(Debug)]
pub(super) struct Listening {
    interests: OnceLock<Interests>,
    hasher: RandomState,
    /// Groups whose topic is joined, and how often it was asked for: whoever wants to leave one must have seen the last time.
    groups: Box<[Mutex<HashMap<Group, u32>>]>,
}

impl Default for Listening {
    fn default() -> Self {
        let groups = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { interests: OnceLock::new(), hasher: RandomState::default(), groups }
    }
}

impl Listening {
    /// Other processes hold sessions too.
    pub(super) fn begin(&self, interests: Interests) {
        // Told once, when the domain is made.
        let _ = self.interests.set(interests);
    }

    pub(super) fn join(&self, interest: Interest) {
        if let Some(interests) = self.interests.get() {
            interests.join(interest);
        }
    }

    pub(super) fn leave(&self, interest: Interest) {
        if let Some(interests) = self.interests.get() {
            interests.leave(interest);
        }
    }

    /// What was joined so far comes here from now on.
    pub(super) async fn settle(&self) {
        if let Some(interests) = self.interests.get() {
            interests.settle().await;
        }
    }

    /// Joins a group's topic. Whether it was not joined before.
    fn join_group(&self, group: Group) -> bool {
        let mut groups = self.groups_of(group).lock();
        let asked = groups.entry(group).or_default();
        let is_new = *asked == 0;
        *asked = asked.wrapping_add(1).max(1);
        if is_new {
            self.join(Interest::Group(group.0, group.1));
        }
        is_new
    }

    /// How often a group was asked for; `None` where it is not listened to, or where all is heard anyhow.
    pub(super) fn asked_for(&self, group: Group) -> Option<u32> {
        self.interests.get()?;
        self.groups_of(group).lock().get(&group).copied()
    }

    /// Leaves a group's topic, unless it was asked for since.
    pub(super) fn leave_group(&self, group: Group, asked: u32) {
        let mut groups = self.groups_of(group).lock();
        if groups.get(&group) == Some(&asked) {
            groups.remove(&group);
            self.leave(Interest::Group(group.0, group.1));
        }
    }

    fn groups_of(&self, group: Group) -> &Mutex<HashMap<Group, u32>> {
        &self.groups[usize::try_from(self.hasher.hash_one(group) >> 32).unwrap_or_default() % SHARDS]
    }
}

/// A login under way, where other processes hold sessions too: what happens to its user comes here from now on, as long as this lives or a
/// session does; and the store gives the session its lease before it is let in, so that of two logins the later one is the newer.
#[derive(Debug)]
pub(crate) struct Arrival {
    hub: Arc<Hub>,
    key: Key,
    /// What gives the lease back if the session is not let in after all.
    opened: Option<(Domain, Caller, SessionId)>,
}

impl Arrival {
    /// Counts a login, if other processes hold sessions too.
    fn begin(hub: &Arc<Hub>, key: Key) -> Option<Self> {
        hub.listening.interests.get()?;
        let mut shard = hub.user_shard(&key).write();
        let user = shard.entry(key).or_insert_with(|| {
            // Under the lock, so that joining and leaving come to the bus in the order in which the user comes and goes.
            hub.listening.join(Interest::User(key.0, key.1));
            User { sends: Bucket::new(Instant::now()), slots: Vec::new(), arriving: 0 }
        });
        user.arriving += 1;
        Some(Self { hub: Arc::clone(hub), key, opened: None })
    }

    /// Gives the session its lease; sessions that must give way are told.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn open(&mut self, domain: &Domain, slot: &Slot, identity: &Identity) -> Result<(), Error> {
        self.hub.presence.has_begun().await;
        // Also where the outcome is unknown.
        self.opened = Some((domain.clone(), identity.caller.clone(), slot.id));
        domain.presence.open(&identity.caller, presence::opening(&self.hub, identity, false)).await?;
        slot.lease.hold();
        Ok(())
    }

    /// The session is let in: its lease is the hub's business from here on.
    pub(crate) fn finish(mut self) {
        self.opened = None;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some((domain, caller, session)) = self.opened.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let boot = self.hub.boot;
            runtime.spawn(async move {
                if let Err(error) = domain.presence.close(&caller, session, boot).await {
                    tracing::warn!(%error, "the lease of a login that failed lasts as long as this gateway runs");
                }
            });
        }
        let mut shard = self.hub.user_shard(&self.key).write();
        if let Some(user) = shard.get_mut(&self.key) {
            user.arriving -= 1;
        }
        self.hub.remove_if_gone(&mut shard, &self.key);
    }
}

impl Hub {
    /// Begins to listen to what concerns a user who is about to log in. When this is done, whatever happens comes here, or is missed and told so:
    /// what the session reads from then on leaves no gap.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn expect(self: &Arc<Self>, domain: &Domain, caller: &Caller) -> Result<Option<Arrival>, Error> {
        let key = (caller.app(), caller.user()?);
        let Some(arrival) = Arrival::begin(self, key) else { return Ok(None) };
        // Groups that the user joins from here on are told to the user.
        self.listening.settle().await;
        let mut joined = false;
        for group in domain.conversations.groups(caller).await? {
            joined |= self.listening.join_group((key.0, group));
        }
        if joined {
            self.listening.settle().await;
        }
        Ok(Some(arrival))
    }

    /// Whether other processes hold sessions too.
    pub(crate) fn is_one_of_many(&self) -> bool {
        self.listening.interests.get().is_some()
    }

    /// What was joined so far comes here from now on.
    pub(crate) async fn settle_interests(&self) {
        self.listening.settle().await;
    }

    /// What users who are here, or about to be, have to do with a group.
    pub(super) fn concern_of(&self, app: AppNumber, group: GroupId, named: &[u64]) -> Concern {
        if self.listening.interests.get().is_none() {
            return Concern::Known;
        }
        let is_here = |user: &u64| {
            let key = (app, domain::UserId(*user));
            self.user_shard(&key).read().contains_key(&key)
        };
        if named.iter().any(is_here) && self.listening.join_group((app, group)) {
            return Concern::New;
        }
        match self.listening.asked_for((app, group)) {
            Some(_) => Concern::Known,
            None => Concern::None,
        }
    }
}
