//! TLS over TCP: the handshake, and how it goes.

mod records;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use tokio::net::TcpStream;

use self::records::Records;
use super::{Wire, crypto, tcp};
use crate::certs::{ALPN, Resolver};

/// One connection. What it consists of is boxed, so that it moves out of the handshake's task at the cost of a pointer.
pub(crate) struct Tls(Box<Stream>);

struct Stream {
    tcp: TcpStream,
    records: Records,
    /// Our side is ended.
    finished: bool,
}

/// Shakes hands.
///
/// # Errors
/// If the client does not speak TLS, or not ours.
pub(crate) async fn accept(config: Arc<ServerConfig>, tcp: TcpStream) -> io::Result<Tls> {
    let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = Box::new(Stream { tcp, records: Records::new(tls), finished: false });
    std::future::poll_fn(|cx| {
        let Stream { tcp, records, .. } = &mut *stream;
        records.poll_handshake(tcp, cx)
    })
    .await?;
    Ok(Tls(stream))
}

/// How handshakes go: TLS 1.2 and 1.3, resumption by tickets that need no memory here, no early data (it can be replayed).
///
/// # Errors
/// If the cryptography library offers no such thing, which would be a fault of the build.
pub(crate) fn config(resolver: Arc<Resolver>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ignore_client_order = true;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = super::TICKETS;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

impl Wire for Tls {
    const NAME: &'static str = "tls";

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let Stream { tcp, records, .. } = &mut *self.0;
        records.poll_read(tcp, cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let Stream { tcp, records, .. } = &mut *self.0;
        records.poll_write(tcp, cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream { tcp, records, .. } = &mut *self.0;
        records.poll_send(tcp, cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stream { tcp, records, finished } = &mut *self.0;
        match ready!(records.poll_close(tcp, cx)) {
            Ok(()) => tcp::poll_close(tcp, finished, cx),
            Err(_) => Poll::Ready(()),
        }
    }
}
