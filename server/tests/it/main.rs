//! The binary, end to end. One binary, so that it is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod cluster;
mod cluster_operator;
mod commands;
mod crash;
mod deploy;
mod dialects;
mod docs;
mod full_disk;
mod harness;
mod lifecycle;
mod load;
mod load_away;
mod load_fleet;
mod load_rest;
mod order;
mod phones;
mod push;
mod rules;
