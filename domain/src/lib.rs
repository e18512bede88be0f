//! The product: users, devices, tokens, roster, support, groups, messages, conversations.
//!
//! Five HTTP dialects and a gateway obey one set of rules, and this is where the rules are. It knows no HTTP and no socket.
//!
//! [`Domain`] is one service per noun. Every call takes a [`Caller`], which only authentication makes; it says who asks, and for which app.
//! Below the services, and not for others: `log` gives every entry its place, `access` says who may read and write a conversation,
//! `events` tells whoever is connected, and `tables` lists what is kept where.

mod access;
pub mod apps;
mod caller;
pub mod config;
pub mod conversations;
mod counters;
mod deletion;
mod deliver;
pub mod devices;
mod error;
mod events;
pub mod files;
mod fresh;
pub mod groups;
mod ids;
mod interests;
mod log;
pub mod messages;
pub mod metrics;
mod names;
pub mod outbox;
mod page;
mod passwords;
pub mod presence;
pub mod push;
mod retry;
pub mod roster;
pub mod rules;
mod seal;
mod secret;
pub mod support;
mod tables;
#[cfg(test)]
mod testing;
mod text;
pub mod tokens;
pub mod users;
pub mod webhooks;

use std::sync::Arc;

pub use caller::Caller;
pub use config::Config;
pub use conversations::Page;
pub use deliver::{Audience, Concern, Deliver, Outlet};
pub use error::{Denial, Error, Noun, Result};
pub use ids::{
    AppNumber, BootId, ConversationId, Epoch, GroupId, GroupRef, ID_END, MessageId, Seq, SessionId, UserId, UserRef,
};
pub use interests::{Interest, Interests};
/// The records that services return, and the entries that logs hold.
pub use proto::{entry, store as record};
/// How configurations write sizes and spans of time.
pub use storage::units;
/// Time is the store's notion; callers of the domain need it too.
pub use storage::{Clock, Millis};
/// Every table, for whoever opens an engine.
pub use tables::TABLES;

use access::Access;
use apps::Directory;
use counters::Counters;
use devices::Kicks;
use events::Events;
use log::Log;

/// Everything that Linnet does, one service per noun. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Domain(Arc<Services>);

/// The services of a [`Domain`].
#[derive(Debug)]
pub struct Services {
    /// The tenants.
    pub apps: apps::Apps,
    /// Who exists.
    pub users: users::Users,
    /// What users log in from.
    pub devices: devices::Devices,
    /// What callers show to be believed.
    pub tokens: tokens::Tokens,
    /// Who is whose friend, and who is blocked.
    pub roster: roster::Roster,
    /// Who serves customers.
    pub support: support::Support,
    /// Who talks together, by whose rules.
    pub groups: groups::Groups,
    /// What is said.
    pub messages: messages::Messages,
    /// What users are in, and how far they have read.
    pub conversations: conversations::Conversations,
    /// Who is connected.
    pub presence: presence::Presence,
    /// What must yet happen outside of the store.
    pub outbox: Arc<outbox::Outbox>,
    /// Reaching phones that are not connected.
    pub push: push::Push,
    /// What people send each other besides words.
    pub files: files::Files,
    /// What may be said, and by whom.
    pub rules: Arc<rules::Rules>,
    /// Apps' servers that want to hear of messages.
    pub webhooks: Arc<webhooks::Webhooks>,
    events: Arc<Events>,
    store: storage::Store,
}

impl Domain {
    /// A domain over a store, which must be open already. `outlet` takes what happens to connected sessions.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer.
    pub async fn open(store: storage::Store, clock: Clock, outlet: Outlet, config: Config) -> Result<Self> {
        let domain = Self::new(store, clock, outlet, config);
        domain.check().await?;
        Ok(domain)
    }

    /// As [`Self::open`], over a store that may yet have to be found: until then, calls are answered `Unavailable`.
    #[must_use]
    pub fn new(store: storage::Store, clock: Clock, outlet: Outlet, config: Config) -> Self {
        let config = Arc::new(config);
        let counters = Counters::new(store.clone(), clock.clone());
        let directory = Directory::new(store.clone());
        let outbox = outbox::Outbox::new(store.clone(), clock.clone());
        let events = Arc::new(Events::new(store.clone(), outlet, outbox.clone(), config.member_lists));
        let log = Log::new(
            store.clone(),
            clock.clone(),
            counters.clone(),
            directory.clone(),
            events.clone(),
            outbox.clone(),
            &config,
        );
        let access = Access::new(store.clone(), clock.clone(), directory.clone());
        let kicks = Kicks::new(events.clone());

        let apps = apps::Apps::new(store.clone(), clock.clone(), counters.clone(), directory.clone(), kicks.clone());
        let users = users::Users::new(store.clone(), clock.clone(), counters.clone(), kicks.clone(), &config);
        let devices = devices::Devices::new(store.clone(), clock.clone(), kicks.clone());
        let tokens = tokens::Tokens::new(
            store.clone(),
            clock.clone(),
            directory.clone(),
            users.clone(),
            devices.clone(),
            kicks,
            &config,
        );
        let roster = roster::Roster::new(
            store.clone(),
            clock.clone(),
            log.clone(),
            access.clone(),
            users.clone(),
            config.clone(),
        );
        let groups = groups::Groups::new(store.clone(), clock.clone(), counters.clone(), log.clone(), &config);
        let webhooks = webhooks::Webhooks::new(store.clone(), directory.clone(), &config);
        let rules = Arc::new(rules::Rules::new(store.clone(), clock.clone(), webhooks.clone(), &config));
        let files = files::Files::new(store.clone(), clock.clone(), access.clone(), config.files.clone());
        let messages = messages::Messages::new(
            store.clone(),
            clock.clone(),
            access.clone(),
            log.clone(),
            events.clone(),
            config.clone(),
            rules.clone(),
        );
        let conversations = conversations::Conversations::new(
            store.clone(),
            clock.clone(),
            access,
            log.clone(),
            events.clone(),
            config.clone(),
        );
        let presence =
            presence::Presence::new(store.clone(), clock.clone(), log.clone(), events.clone(), config.clone());
        let push = push::Push::new(push::Parts {
            store: store.clone(),
            clock: clock.clone(),
            counters: counters.clone(),
            directory,
            users: users.clone(),
            devices: devices.clone(),
            presence: presence.clone(),
            events: events.clone(),
            log,
            outbox: outbox.clone(),
            config: config.clone(),
        });
        let support = support::Support::new(store.clone(), clock, counters, users.clone(), presence.clone(), config);
        let services = Services {
            apps,
            users,
            devices,
            tokens,
            roster,
            support,
            groups,
            messages,
            conversations,
            presence,
            outbox,
            push,
            files,
            rules,
            webhooks,
            events,
            store,
        };
        Self(Arc::new(services))
    }

    /// Takes an event from the bus: another process changed something that sessions here should learn.
    pub async fn receive(&self, event: record::Event) {
        self.events.receive(event).await;
    }

    /// The bus lost events of other processes: sessions here must compare with the store.
    pub fn miss(&self) {
        self.events.missed();
    }

    #[cfg(test)]
    fn log(&self) -> &Arc<Log> {
        self.messages.log()
    }

    /// Whether this process can do its work: the store answers, and the bus is heard where there are other processes. For readiness probes.
    ///
    /// # Errors
    /// What is missing, for people.
    pub async fn ready(&self) -> std::result::Result<(), String> {
        self.check().await.map_err(|error| error.to_string())?;
        if self.events.is_cut_off() { Err("the bus does not reach the other processes".to_owned()) } else { Ok(()) }
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn check(&self) -> Result<()> {
        // Any row will do, and that there is none is an answer too.
        self.store.get(&apps::AppIndexKey::Number(0)).await?;
        Ok(())
    }
}

impl std::ops::Deref for Domain {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
