//! Where a store is, as it is written on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::TABLES;
use storage::{Clock, RedisConfig, RedisUrl, RocksConfig, Store};

use crate::config::Config;

/// How long a cluster has to answer at first.
const CONNECT: Duration = Duration::from_secs(10);

/// A store, by where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory of this machine.
    Rocks(PathBuf),
    /// A Redis Cluster.
    Redis(RedisUrl),
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// To be read: it must be there.
    Source,
    /// To be written.
    Target,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("rocksdb:") {
            Some("") => Err("a directory must follow: rocksdb:DIR".into()),
            Some(directory) => Ok(Self::Rocks(directory.into())),
            None if text.starts_with("redis://") || text.starts_with("rediss://") => text.parse().map(Self::Redis),
            None => Err("write it like rocksdb:DIR or redis://host:6379,host2:6379".into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rocks(directory) => {
                let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
                write!(out, "rocksdb:{}", directory.display())
            }
            // Without the password, which `Debug` leaves out.
            Self::Redis(url) => write!(out, "{url:?}"),
        }
    }
}

impl Place {
    /// Opens it, with the settings of the configuration but for where it is.
    ///
    /// # Errors
    /// If there is none to read, it cannot be reached, or somebody uses it.
    pub(super) async fn open(&self, config: &Config, side: Side) -> Result<Store> {
        match self {
            Self::Rocks(directory) => {
                if side == Side::Source && !directory.join("CURRENT").is_file() {
                    bail!("there is no store in {}", directory.display());
                }
                let settings = RocksConfig { directory: directory.clone(), ..config.store.rocks.clone() };
                Store::open(&settings, TABLES, Clock::system()).with_context(|| {
                    format!("cannot open {self}: stop the server that uses it, or copy from what `linnet backup` wrote")
                })
            }
            Self::Redis(url) => {
                let settings = RedisConfig { url: url.clone(), ..config.store.redis.clone() };
                let store = Store::redis(&settings, Clock::system())?;
                let ready = async {
                    while !store.is_ready() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                let waited = tokio::time::timeout(CONNECT, ready).await;
                waited.with_context(|| format!("{self} does not answer, or does not serve all slots"))?;
                if let Some(until) = domain::outbox::at_work_until(&store).await? {
                    let until = crate::time::format(until.0);
                    bail!("servers work on {self}: stop all of them; one that was killed counts until {until}");
                }
                Ok(store)
            }
        }
    }
}
