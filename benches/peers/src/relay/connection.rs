//! The way out of one connection: written by whoever has something for it, and by a task of its own only while the socket is full.

use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use rustix::net::Shutdown;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::runtime::Handle;

use super::frame::Frame;

/// What may wait for a socket. A connection of which more does is cut.
pub(super) const LIMIT: usize = 16 << 20;

/// One connection's way out.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedWriteHalf,
    /// What the socket did not take. Invariant: while there is anything, one task flushes it, and nothing else is written.
    left: Mutex<BytesMut>,
    runtime: Handle,
}

impl Connection {
    /// To be called within the runtime.
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        Self { socket, left: Mutex::default(), runtime: Handle::current() }
    }

    /// Writes whole frames, from any thread, without waiting.
    pub(super) fn send(self: &Arc<Self>, frames: &[u8]) {
        let mut left = self.left.lock();
        let idle = left.is_empty();
        let taken = if idle { self.write(frames) } else { Some(0) };
        // A broken socket is noticed by whoever reads from it.
        let Some(rest) = taken.map(|taken| &frames[taken..]) else { return };
        if rest.is_empty() {
            return;
        }
        if left.len() + rest.len() > LIMIT {
            *left = BytesMut::new();
            // This ends the task that reads from it too. It fails only where that has happened.
            let _ = rustix::net::shutdown(self.socket.as_ref(), Shutdown::Both);
            return;
        }
        left.extend_from_slice(rest);
        drop(left);
        if idle {
            self.runtime.spawn(Arc::clone(self).flush());
        }
    }

    pub(super) fn say(self: &Arc<Self>, frame: Frame<'_>) {
        let mut out = BytesMut::new();
        frame.put(&mut out);
        self.send(&out);
    }

    /// How much the socket took; `None` if it is broken.
    fn write(&self, bytes: &[u8]) -> Option<usize> {
        match self.socket.try_write(bytes) {
            Ok(taken) => Some(taken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => None,
        }
    }

    async fn flush(self: Arc<Self>) {
        while self.socket.writable().await.is_ok() && self.write_left() {}
    }

    /// Writes what is left, as far as the socket takes it. Whether anything still is.
    fn write_left(&self) -> bool {
        let mut left = self.left.lock();
        match self.write(&left) {
            Some(taken) => left.advance(taken),
            None => left.clear(),
        }
        if left.is_empty() {
            *left = BytesMut::new();
        }
        !left.is_empty()
    }
}
