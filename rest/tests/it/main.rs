//! The REST service, called without a socket or over one. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod across;
mod authorisation;
mod errors;
mod examples;
mod exchange;
mod files;
mod golden;
mod group_events;
mod groups_across;
mod interop;
mod mutations;
mod outage;
mod probes;
mod rosters;
mod rules;
mod server;
mod tables;
mod users_across;
mod world;
