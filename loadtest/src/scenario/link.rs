//! Whether a logged-in client has its connection, for the gauge of connections and the count of those that broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use linnet_sdk::Event;

use crate::measure::meters::Meters;
use crate::measure::names::{count, gauge};

/// One client's connection. Logging in has counted it as up.
#[derive(Debug)]
pub(crate) struct Link {
    up: AtomicBool,
    disconnected: Arc<AtomicU64>,
    connections: Arc<AtomicI64>,
}

impl Link {
    pub(crate) fn new(meters: &Meters) -> Self {
        Self {
            up: AtomicBool::new(true),
            disconnected: meters.count(count::DISCONNECTED),
            connections: meters.gauge(gauge::CONNECTIONS),
        }
    }

    /// Takes note of an event that tells of the connection; others change nothing.
    pub(crate) fn note(&self, event: &Event) {
        match event {
            Event::Connected { .. } if !self.up.swap(true, Ordering::Relaxed) => {
                self.connections.fetch_add(1, Ordering::Relaxed);
            }
            Event::Disconnected { .. } if self.down() => {
                self.disconnected.fetch_add(1, Ordering::Relaxed);
            }
            // On purpose, unless the server ended it for good.
            Event::Closed(error) if self.down() && *error != linnet_sdk::Error::Closed => {
                self.disconnected.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Whether it was up.
    fn down(&self) -> bool {
        let was = self.up.swap(false, Ordering::Relaxed);
        if was {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
        was
    }

    /// A new client has logged in, which counted it as up.
    pub(crate) fn replaced(&self) {
        self.up.store(true, Ordering::Relaxed);
    }
}
