//! The product, over the store that keeps nothing. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod apps;
mod conversations;
mod devices;
mod events;
mod groups;
mod groups_model;
mod isolation;
mod messages;
mod model;
mod order;
mod prepared;
mod presence;
mod roster;
mod tokens;
mod users;
mod world;
