//! Bytes by *(table, home, rest)*, kept safe.
//!
//! [`Store`] has four calls: [`get`](Store::get), [`get_many`](Store::get_many), [`scan`](Store::scan) and [`commit`](Store::commit).
//! Behind it stand engines that differ in where the bytes are; all pass one conformance suite (`tests/conformance`).
//! [`Bus`] tells the processes that share a store that something changed.
//! This crate knows nothing of users, messages or HTTP.

mod batch;
mod bus;
mod clock;
mod error;
mod key;
mod memory;
mod metrics;
pub mod migrate;
pub mod objects;
mod redis;
mod remote;
#[cfg(feature = "rocksdb")]
mod rocks;
mod rows;
mod scan;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod units;

pub use batch::{Batch, State};
pub use bus::{Bus, Lagged, RedisBusConfig, Subscription, Topic};
pub use clock::{Clock, Millis};
pub use error::{Error, Result};
pub use key::{Address, Home, Key, Kind, Rest, Table};
pub use redis::{Finding, Point, RedisCheck, RedisConfig, RedisUrl, SealConfig, Severity};
pub use remote::{RemoteConfig, StoreServer, StoreServerConfig};
#[cfg(feature = "rocksdb")]
pub use rocks::{Durability, Recovery, RocksConfig, restore};
pub use rows::{Change, Cursor, Part, RawRow, Shelf};
pub use scan::{Row, Scan};
pub use store::{Commit, Store};
