//! The fault campaign: gateways and REST nodes over a Redis Cluster, under load, while everything fails in turn.
//!
//! A ledger outside the system knows what was acknowledged and shown, a checker compares it with what is there in the end.
//! `make test` runs a short form; `make chaos` sets the size (see [`settings`]) and allows for partitions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a test is no library")]

mod campaign;
mod checker;
mod faults;
mod firewall;
#[path = "../it/harness/mod.rs"]
#[expect(dead_code, reason = "the end-to-end tests use more of it")]
mod harness;
mod ledger;
mod load;
mod phone;
mod proxied;
mod report;
mod settings;
mod world;
