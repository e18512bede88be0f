//! QUIC: one bidirectional stream, opened by the client, carries all frames of a connection.
//!
//! Typing and presence travel on that stream too. Datagrams would spare them nothing (the stream is not blocked by their loss, as
//! they are small and rare) and would cost every connection two buffers and the SDK a second path.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hmac::{Hmac, Mac};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{
    Connection, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, RecvStream, SendStream, ServerConfig,
    TransportConfig, VarInt,
};
use sha2::Sha256;

use super::{Wire, crypto};
use crate::certs::{ALPN, Resolver};
use crate::config::Config;

/// Handshakes that quinn may hold before we look at them, and their bytes.
const MAX_INCOMING: usize = 1024;
const INCOMING_BYTES: u64 = 64 << 10;
const INCOMING_BYTES_TOTAL: u64 = 16 << 20;
/// What the kernel is asked to buffer for all connections; it may grant less.
const SOCKET_BUFFER: usize = 4 << 20;

/// One connection.
pub(crate) struct Quic {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Quic {
    pub(crate) fn new(connection: Connection, send: SendStream, receive: RecvStream) -> Self {
        Self { connection, send, receive, closing: None }
    }
}

impl Wire for Quic {
    const NAME: &'static str = "quic";

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.receive.poll_read(cx, buffer).map_err(io::Error::from)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match Pin::new(&mut self.send).poll_write(cx, slice) {
                Poll::Ready(Ok(count)) => {
                    written += count;
                    if count < slice.len() {
                        break;
                    }
                }
                Poll::Ready(Err(error)) if written == 0 => return Poll::Ready(Err(error.into())),
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closing = self.closing.get_or_insert_with(|| {
            // What fails here has been closed by the client already.
            let _ = self.send.finish();
            let stopped = self.send.stopped();
            Box::pin(async move { drop(stopped.await) })
        });
        // Ready once the client's stack has acknowledged every byte.
        ready!(closing.as_mut().poll(cx));
        self.connection.close(VarInt::from_u32(0), b"");
        Poll::Ready(())
    }
}

/// Listens.
///
/// # Errors
/// If the address cannot be listened on, or the cryptography library does not speak TLS 1.3.
pub(crate) fn listen(
    address: SocketAddr,
    config: &Config,
    resolver: Arc<Resolver>,
    reset_key: [u8; 32],
) -> io::Result<Endpoint> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // A kernel that grants less still works; it drops more under a burst.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    let server = server_config(config, resolver).map_err(io::Error::other)?;
    let mut endpoint = EndpointConfig::new(Arc::new(ResetKey(reset_key)));
    endpoint.cid_generator(|| Box::new(RandomIds));
    Endpoint::new(endpoint, Some(server), socket.into(), Arc::new(quinn::TokioRuntime))
}

/// Signs the packet that tells a client that its connection is not known here.
///
/// The key outlives the process, so that clients of the run before are told at once. They would otherwise learn of a restart
/// only by hearing nothing for a while.
struct ResetKey([u8; 32]);

impl ResetKey {
    fn mac(&self, data: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(data);
        mac
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(&self.mac(data).finalize().into_bytes());
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.mac(data).verify_slice(signature).map_err(|_| CryptoError)
    }
}

/// Connection ids without structure: those of an earlier run look like any other, and are answered with a reset.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; 8]>())
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

fn server_config(config: &Config, resolver: Arc<Resolver>) -> Result<ServerConfig, rustls::Error> {
    let mut tls = rustls::ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.ignore_client_order = true;
    tls.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    tls.send_tls13_tickets = super::TICKETS;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    // No early data: it can be replayed.
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| rustls::Error::General(error.to_string()))?;

    let mut transport = TransportConfig::default();
    let receive = VarInt::from_u64(config.quic.receive_window.0).unwrap_or(VarInt::MAX);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(receive)
        .receive_window(receive)
        .send_window(config.quic.send_window.0)
        .datagram_receive_buffer_size(None)
        // Probing for larger packets costs every connection memory and packets, and chat frames are small.
        .mtu_discovery_config(None)
        .keep_alive_interval(None)
        .max_idle_timeout(idle_timeout(config));
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport))
        .migration(true)
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    Ok(server)
}

/// A little past the session's own limit, so that the session can say why it ends.
fn idle_timeout(config: &Config) -> Option<quinn::IdleTimeout> {
    (2 * config.heartbeat + config.linger + Duration::from_secs(5)).try_into().ok()
}
