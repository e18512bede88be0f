//! The product: users, devices, tokens, roster, groups, messages, conversations.
//!
//! Five HTTP dialects and a gateway obey one set of rules, and this is where the rules are. It knows no HTTP and no socket.

pub mod apps;
mod caller;
pub mod config;
pub mod conversations;
mod deliver;
pub mod devices;
mod error;
pub mod groups;
mod ids;
pub mod messages;
pub mod presence;
pub mod roster;
pub mod tokens;
pub mod users;

pub use caller::Caller;
pub use config::Config;
pub use conversations::Page;
pub use deliver::{Audience, Deliver, Outlet};
pub use error::{Denial, Error, Noun, Result};
pub use ids::{AppNumber, BootId, ConversationId, Epoch, GroupId, GroupRef, ID_END, MessageId, Seq, SessionId, UserId, UserRef};
/// The records that services return, and the entries that logs hold.
pub use proto::{entry, store as record};
/// Time is the store's notion; callers of the domain need it too.
pub use storage::{Clock, Millis};
/// How configurations write sizes and spans of time.
pub use storage::units;

/// Everything that Linnet does, one service per noun. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Domain(std::sync::Arc<Services>);

/// The services of a [`Domain`].
#[derive(Debug)]
pub struct Services {
    pub apps: apps::Apps,
    pub users: users::Users,
    pub devices: devices::Devices,
    pub tokens: tokens::Tokens,
    pub roster: roster::Roster,
    pub groups: groups::Groups,
    pub messages: messages::Messages,
    pub conversations: conversations::Conversations,
    pub presence: presence::Presence,
}

impl Domain {
    /// A domain over a store.
    pub async fn open(store: storage::Store, clock: Clock, outlet: Outlet, config: Config) -> Result<Self> { todo!() }

    /// Takes an event from the bus: another process changed something that sessions here should learn.
    pub async fn receive(&self, event: record::Event) { todo!() }

    /// Whether the store answers; for readiness probes.
    pub async fn check(&self) -> Result<()> { todo!() }
}

impl std::ops::Deref for Domain {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}
