//! The bus of the process that owns the store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::store as pb;

use super::Hub;
use crate::metrics;
use crate::remote::{Link, RemoteConfig};

/// The bus of the owner's process, heard and spoken to from here.
#[derive(Debug)]
pub(super) struct RemoteBus {
    link: Link,
    hub: Arc<Hub>,
    timeout: Duration,
}

impl RemoteBus {
    pub(super) fn connect(config: &RemoteConfig) -> Self {
        let hub = Arc::<Hub>::default();
        Self { link: Link::connect(config, Some(Arc::clone(&hub))), hub, timeout: config.timeout }
    }

    pub(super) fn publish(&self, payload: Bytes) {
        if !self.link.post(pb::request::Call::Publish(pb::Publish { payload })) {
            metrics::publications_dropped(1);
        }
    }

    /// Completes once the owner has taken what was published before, or cannot be reached.
    pub(super) async fn flush(&self) {
        if !self.link.is_connected() {
            return;
        }
        if let Ok(answer) = self.link.call(pb::request::Call::Flush(pb::Flush {}), self.timeout) {
            // An error says that the connection is gone, and with it what was on the way.
            let _ = answer.await;
        }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) fn is_connected(&self) -> bool {
        self.link.is_connected()
    }
}
