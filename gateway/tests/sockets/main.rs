//! The gateway over real sockets and a real domain, in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod abuse;
mod client;
mod lifecycle;
mod messages;
mod push;
mod rooms;
mod transports;
mod world;
