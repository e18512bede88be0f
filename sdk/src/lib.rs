//! The Linnet client library.

#[macro_use]
mod client;
pub mod content;
mod conversations;
mod driver;
mod error;
mod event;
mod groups;
mod messages;
mod network;
mod options;
mod page;
mod presence;
mod roster;
mod session;
mod users;
mod wire;

pub use self::client::{Client, Events, Me};
pub use self::conversations::{Conversation, ConversationChange, ConversationId, Receipt};
pub use self::error::{Error, Result};
pub use self::event::{Cursor, Delivered, Event, KickReason};
pub use self::groups::{Group, GroupChange, Member, NewGroup, Role};
pub use self::messages::{HistoryPage, Outgoing, Pending, Range, Sent, Target};
pub use self::network::{Network, Trust};
pub use self::options::{Limits, Options, Transport};
pub use self::page::Page;
pub use self::presence::{Platform, Presence};
pub use self::roster::{Contact, Relation};
pub use self::users::{Gender, ProfileChange, User};
