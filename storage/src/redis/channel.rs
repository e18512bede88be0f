//! A sharded channel, heard over a connection of its own.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::node::Lost;
use super::url::Host;

/// Subscribes to channels.
pub(crate) trait Listen: Send + Sync + fmt::Debug {
    /// A subscription to a channel at the server that serves its slot.
    fn listen<'a>(&'a self, host: &'a Host, channel: &'a Bytes) -> BoxFuture<'a, Result<Box<dyn Channel>, Lost>>;
}

/// A subscription. It ends with its connection, and then there is nothing more to hear.
pub(crate) trait Channel: Send {
    /// What comes next. May be dropped and called again.
    fn next(&mut self) -> BoxFuture<'_, Heard>;
}

/// What a subscription says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(Bytes),
    /// So many messages were lost, since they were not taken in time.
    Missed(u64),
    /// The connection is gone.
    Over,
}
