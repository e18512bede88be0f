//! TLS over TCP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Wire, tcp};
use crate::certs::{ALPN, Resolver};

/// Bytes that a connection may have encrypted and not yet sent.
const BUFFER: usize = 64 << 10;

/// One connection. The stream is boxed, so that it moves out of the handshake's task at the cost of a pointer: the handshake's
/// large future is freed, and what stays is small.
#[derive(Debug)]
pub(crate) struct Tls {
    stream: Box<TlsStream<TcpStream>>,
    finished: bool,
}

/// Shakes hands.
///
/// # Errors
/// If the client does not speak TLS, or not ours.
pub(crate) async fn accept(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Tls> {
    let mut stream = Box::new(acceptor.accept(stream).await?);
    stream.get_mut().1.set_buffer_limit(Some(BUFFER));
    Ok(Tls { stream, finished: false })
}

/// How handshakes go: TLS 1.2 and 1.3, resumption by tickets that need no memory here, no early data (it can be replayed).
///
/// # Errors
/// If the cryptography library offers no such thing, which would be a fault of the build.
pub(crate) fn acceptor(resolver: Arc<Resolver>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Wire for Tls {
    const NAME: &'static str = "tls";

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        tcp::poll_read(&mut *self.stream, cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        tcp::poll_close(&mut *self.stream, &mut self.finished, cx)
    }
}
