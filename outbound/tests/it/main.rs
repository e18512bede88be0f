//! The workers and the providers, against servers of this machine that check what they are asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod fake;
mod messages;
mod providers;
mod shared;
mod tasks;
mod webhooks;
mod world;
