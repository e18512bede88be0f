//! The engine of a process that does not own the store: asks the one that does, over a Unix socket.
//!
//! - `config`: the settings of both ends;  `wire`: between our types and `store.proto`;
//! - `link`: the near end of the socket;  `server`: the far end.

mod config;
mod link;
mod server;
mod wire;

use std::path::Path;

use bytes::Bytes;
use proto::store as pb;
use tokio::sync::oneshot;

pub use self::config::{RemoteConfig, StoreServerConfig};
pub(crate) use self::link::{Answer, Link};
pub use self::server::StoreServer;
use crate::scan::Range;
use crate::{Address, Batch, Error, Result};

/// Most addresses in one request; more are asked for in several.
const ADDRESSES: usize = 4_096;

/// The four calls, asked of the owner.
#[derive(Debug)]
pub(crate) struct Remote {
    link: Link,
    config: RemoteConfig,
}

impl Remote {
    pub(crate) fn connect(config: &RemoteConfig) -> Self {
        Self { link: Link::connect(config, None), config: config.clone() }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_connected()
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Answer>>> {
        self.link.call(pb::request::Call::Commit(wire::commit(batch)), self.config.timeout)
    }

    pub(crate) async fn get_many(&self, addresses: &[Address]) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(addresses.len());
        while values.len() < addresses.len() {
            let end = addresses.len().min(values.len() + ADDRESSES);
            let call = pb::request::Call::GetMany(wire::get_many(&addresses[values.len()..end]));
            let Answer::Values(found) = self.ask(call).await? else { return Err(unexpected()) };
            if found.values.is_empty() || found.values.len() > end - values.len() {
                return Err(unexpected());
            }
            values.extend(found.values.into_iter().map(|found| found.present.then_some(found.value)));
        }
        Ok(values)
    }

    pub(crate) async fn scan(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
        let mut rest = range.clone();
        loop {
            let Answer::Rows(page) = self.ask(pb::request::Call::Scan(wire::scan(&rest))).await? else {
                return Err(unexpected());
            };
            let taken = page.rows.len();
            rows.extend(page.rows.into_iter().map(|row| (row.rest, row.value)));
            if !page.more {
                return Ok(rows);
            }
            if taken == 0 {
                return Err(unexpected());
            }
            rest = rest.after(rows.last().map(|(rest, _)| rest), taken);
        }
    }

    pub(crate) async fn checkpoint(&self, directory: &Path) -> Result<()> {
        let directory = directory.to_str().ok_or_else(|| wire::refused("a directory whose name is not UTF-8"))?;
        let call = pb::request::Call::Checkpoint(pb::Checkpoint { directory: directory.to_owned() });
        let answer = self.link.call(call, self.config.checkpoint_timeout)?;
        done(answer.await)
    }

    async fn ask(&self, call: pb::request::Call) -> Result<Answer> {
        let answer = self.link.call(call, self.config.timeout)?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// What the answer to a commit says.
pub(crate) fn done(answer: std::result::Result<Result<Answer>, oneshot::error::RecvError>) -> Result<()> {
    match answer {
        Ok(Ok(Answer::Done(_))) => Ok(()),
        Ok(Ok(_)) => Err(unexpected()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(stopped()),
    }
}

fn unexpected() -> Error {
    Error::Unavailable("the owner of the store answered something else than was asked".into())
}

fn stopped() -> Error {
    Error::Unavailable("the connection to the owner of the store was given up".into())
}
