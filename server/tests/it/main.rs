//! The binary, end to end. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod commands;
mod crash;
mod dialects;
mod docs;
mod full_disk;
mod harness;
mod lifecycle;
mod migrate;
mod order;
mod push;
mod rules;
