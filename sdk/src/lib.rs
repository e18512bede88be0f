//! The Linnet client library: one device of one user, connected for as long as it lives.
//!
//! A [`Client`] connects (QUIC, TLS or TCP), logs in, synchronises, and from then on tells what happens through [`Events`].
//! It reconnects by itself, sends each message until it is acknowledged or refused, and delivers every conversation's entries in
//! order, once, with every hole either filled or announced. Types are plain data, so that bindings to other languages can carry them.
//!
//! # Connect
//! ```no_run
//! # async fn example() -> linnet_sdk::Result<()> {
//! use linnet_sdk::{Client, Options, Platform};
//!
//! let options = Options { platform: Platform::Android, ..Options::new("chat.example.com:5101", "the user's token") };
//! let client = Client::connect(options).await?;
//! println!("logged in as {}", client.me().await?.uid);
//! # Ok(())
//! # }
//! ```
//! A development server has a self-signed certificate: see [`Trust`]. An app that may be started offline uses [`Client::start`].
//!
//! # Send
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{ConversationId, Target, content};
//!
//! let sent = client.send_text("bob", "hello").await?; // To a user, by the app's own id.
//! println!("message {} of {}", sent.seq, sent.conversation);
//! client.send(ConversationId::Group(7), content::custom(r#"{"wave":true}"#)).await?;
//! client.send_text(Target::User(42), "to a user by Linnet's id").await?;
//! # Ok(())
//! # }
//! ```
//! The future ends when the message is durable. [`Client::submit`] has many on their way at once.
//!
//! # Receive
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{Event, content};
//!
//! let mut events = client.events();
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::Entry(new) => {
//!             if let Some(text) = content::text_of(&new.entry) {
//!                 println!("{} #{} from {}: {text}", new.conversation, new.entry.seq, new.entry.sender);
//!             }
//!         }
//!         Event::Gap { conversation, from_seq, to_seq } => println!("{conversation}: {from_seq}..={to_seq} on demand"),
//!         Event::Reset { conversation, .. } => println!("{conversation}: forget what is held"),
//!         Event::Closed(error) => println!("over: {error}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//! Events wait in a bounded queue; see [`Limits::event_queue`] for what happens when the app lags behind. An app of very many clients
//! spares the queue with [`Client::listen`].
//!
//! # Go on where the last run ended
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{Client, Options};
//!
//! let cursors = client.cursors(); // Plain data, to be kept together with the messages.
//! let options = Options { cursors, ..Options::new("chat.example.com:5101", "the user's token") };
//! let next_run = Client::connect(options).await?; // Receives only what is new.
//! # Ok(())
//! # }
//! ```
//!
//! # Read back, mark as read, change
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{ConversationChange, Range, content};
//!
//! let page = client.conversations(None, 20).await?;
//! for conversation in page.items {
//!     println!("{} ({} unread)", conversation.name, conversation.unread);
//!     let newest = client.history(conversation.id, Range::Newest, 20).await?;
//!     client.mark_read(conversation.id, newest.last_seq).await?;
//!     if let Some(entry) = newest.entries.first() {
//!         client.edit(conversation.id, entry.seq, content::text("better said")).await?;
//!         client.recall(conversation.id, entry.seq).await?;
//!     }
//!     let pin = ConversationChange { pinned: Some(true), ..Default::default() };
//!     client.update_conversation(conversation.id, pin).await?;
//!     client.typing(conversation.id, true).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Groups
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::NewGroup;
//!
//! let friends = client.find_users(&[], &["bob", "carol"]).await?;
//! let members = friends.iter().map(|user| user.id).collect();
//! let group = client.create_group(NewGroup { name: "Lunch".to_owned(), members, ..Default::default() }).await?;
//! client.send_text(group.conversation(), "Where today?").await?;
//! let members = client.members(group.id, None, 100).await?;
//! println!("{} members", members.items.len());
//! # Ok(())
//! # }
//! ```
//!
//! Who may not just join asks, and whoever leads the group answers:
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{Applied, GroupChange, JoinPolicy, RequestStatus};
//!
//! if client.apply_to_group(7, "I read a lot").await? == Applied::Waits {
//!     println!("a notice will tell");
//! }
//! // In a group of one's own:
//! let ask_first = GroupChange { join_policy: Some(JoinPolicy::Approval), ..Default::default() };
//! client.update_group(8, ask_first).await?;
//! for one in client.applications(&[8], None, 0).await?.items {
//!     if one.status == RequestStatus::Pending {
//!         client.accept_application(one.group, one.user.id, "welcome").await?;
//!     }
//! }
//! let invited = client.invite_to_group(8, &[42], "join us").await?;
//! println!("{invited:?}; or show {} as a QR code", client.join_code(8).await?.text);
//! # Ok(())
//! # }
//! ```
//!
//! # Files
//! ```no_run
//! # async fn example(client: linnet_sdk::Client, bytes: Vec<u8>) -> linnet_sdk::Result<()> {
//! use linnet_sdk::content::{self, Image, Kind};
//! use linnet_sdk::{FileFor, FileKind, FileSize, Target};
//!
//! // `Options::files` says where the REST service is.
//! let bob = client.conversation_with(Target::Uid("bob".to_owned())).await?;
//! let picture = client.upload(FileFor::Conversation(bob, FileKind::Image), "cat.png", bytes).await?;
//! let image = Image { media: Some(picture.media()), ..Default::default() };
//! client.send(bob, content::of(Kind::Image(image))).await?;
//! // At the other end:
//! let small = client.download(&picture.url, FileSize::Thumbnail, 1 << 20).await?;
//! println!("{} bytes", small.len());
//! # Ok(())
//! # }
//! ```
//!
//! # Settings
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::{FriendPolicy, SettingsChange};
//!
//! let change = SettingsChange { friend_policy: Some(FriendPolicy::Confirm), ..Default::default() };
//! println!("{:?}", client.update_settings(change).await?);
//! # Ok(())
//! # }
//! ```
//!
//! # Roster and presence
//! ```no_run
//! # async fn example(client: linnet_sdk::Client) -> linnet_sdk::Result<()> {
//! use linnet_sdk::Relation;
//!
//! for contact in client.roster(None, 0).await?.items {
//!     if contact.relation == Relation::Pending {
//!         client.accept_friend(contact.user.id).await?;
//!     }
//! }
//! for presence in client.subscribe_presence(&[42]).await? {
//!     println!("{} is {}", presence.user, if presence.online { "here" } else { "away" });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//! Calls are in the module of their noun (`messages`, `conversations`, `groups`, `joining`, `board`, `roster`, `users`, `account`, `files`,
//! `push`, `presence`).
//! `session` decides everything and does no I/O; `driver` carries its decisions out over a connection from `wire`.

#[macro_use]
mod client;
mod account;
mod board;
pub mod content;
mod conversations;
mod driver;
mod error;
mod event;
mod files;
mod groups;
mod http;
mod joining;
mod messages;
mod network;
mod options;
mod outlet;
mod page;
mod presence;
mod push;
mod roster;
mod session;
mod users;
mod wire;

pub use self::account::{FriendPolicy, Profile, Settings, SettingsChange};
pub use self::board::{Announcement, NewSharedFile, SharedFile};
pub use self::client::{Client, Me};
pub use self::conversations::{Conversation, ConversationChange, ConversationId, Mute, Receipt};
pub use self::error::{Error, Result};
pub use self::event::{Cursor, Delivered, Event, KickReason};
pub use self::files::{FileFor, FileKind, FileSize, Uploaded};
pub use self::groups::{
    Blocked, CustomField, Group, GroupChange, GroupKind, JoinPolicy, Member, MemberChange, NewGroup, Role,
};
pub use self::joining::{Application, Applied, Invitation, Invited, JoinCode};
pub use self::messages::{HistoryPage, Outgoing, Pending, Range, Sent, Target};
pub use self::network::{Network, Trust};
pub use self::options::{Limits, Options, Transport};
pub use self::outlet::Events;
pub use self::page::Page;
pub use self::presence::{Platform, Presence};
pub use self::push::PushProvider;
pub use self::roster::{Contact, ContactChange, FriendGroup, FriendRequest, ReceivedRequest, Relation, RequestStatus};
pub use self::users::{Device, Gender, ProfileChange, Search, User};
