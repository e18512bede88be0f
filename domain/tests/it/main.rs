//! The product, over the store that keeps nothing. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod apps;
mod changes;
mod conversations;
mod devices;
mod events;
mod files;
mod group_board;
mod group_rules;
mod groups;
mod groups_model;
mod imports;
mod isolation;
mod join_requests;
mod join_requests_model;
mod messages;
mod model;
mod order;
mod outbox;
mod outbox_shared;
mod prepared;
mod presence;
mod push;
mod push_model;
mod rooms;
mod roster;
mod roster_model;
mod rules;
mod stored;
mod support;
mod tokens;
mod turns;
mod unread;
mod users;
mod users_change;
mod users_model;
mod world;
