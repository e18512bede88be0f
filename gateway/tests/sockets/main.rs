//! The gateway over real sockets and a real domain, in memory.

mod abuse;
mod client;
mod lifecycle;
mod messages;
mod world;
