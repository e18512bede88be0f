//! The REST service, called without a socket or over one. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod errors;
mod exchange;
mod golden;
mod interop;
mod outage;
mod probes;
mod server;
mod tables;
mod world;
