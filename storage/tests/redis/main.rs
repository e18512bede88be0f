//! The engine `redis` over clusters that the tests start themselves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod cluster;
mod durability;
mod failover;
mod layout;
mod load;
mod migration;
mod seal;
mod tls;
mod upgrade;
