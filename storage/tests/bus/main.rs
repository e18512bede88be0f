//! The bus: what every kind of it promises, and what becomes of the one over Redis when things go wrong.

#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod faults;
mod ledger;
mod world;
