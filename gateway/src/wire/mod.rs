//! Transports: each moves bytes and knows nothing of what they say.

mod crypto;
pub(crate) mod quic;
pub(crate) mod tcp;
pub(crate) mod tls;

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

/// Tickets that a client is given to resume its TLS session with: the next connection needs one.
const TICKETS: usize = 1;

/// A connection's bytes. Polled, so that an idle connection's task is no more than its fields, and reading goes on beside writing.
pub(crate) trait Wire: Send + Unpin + 'static {
    /// Its name in logs and metrics.
    const NAME: &'static str;

    /// Reads what is there into `buffer`; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as the connection takes.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Pushes out what [`Self::poll_write`] took.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the stream in good order: ready once the client has everything, or is gone.
    ///
    /// What the client still sends is thrown away meanwhile: unread bytes would make the kernel reset the connection, and the last
    /// frame with it.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
