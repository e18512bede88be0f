//! What connections share: trust, sockets, and the memory of which transport works here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::time::Instant;

use crate::error::{Error, Result};

/// The protocol's name in the handshake.
const ALPN: &[u8] = b"linnet/1";
/// How long the transport that won a race keeps its head start. After that QUIC gets another chance.
const WINNER_LASTS: Duration = Duration::from_secs(600);
/// Bytes in flight to the client on its one stream.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes in flight to the server.
const SEND_WINDOW: u64 = 256 * 1024;
/// A peer that is silent this long is gone. The session's own heartbeats notice sooner.
const IDLE_TIMEOUT: VarInt = VarInt::from_u32(15 * 60 * 1000);
/// Kernel buffers of the socket that all QUIC connections share, bytes; the system may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Which servers to trust.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Those that the public certificate authorities vouch for, from a list inside this library (Mozilla's).
    #[default]
    PublicAuthorities,
    /// Those that these authorities vouch for: one or more certificates as PEM.
    Authorities(Vec<u8>),
    /// **Anyone.** The connection is encrypted, but whoever is in between can read and change everything.
    /// Only for a development server's self-signed certificate.
    DangerAcceptAnyCertificate,
}

/// What several clients of one process share: one TLS configuration, one UDP socket.
///
/// Cheap to clone. Give it to each client through [`Options::network`](crate::Options::network).
#[derive(Debug, Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tls: Arc<ClientConfig>,
    quic: quinn::ClientConfig,
    source: Option<IpAddr>,
    /// One socket per address family, opened when first needed.
    endpoints: Mutex<[Option<Endpoint>; 2]>,
    /// When TLS last beat QUIC.
    tls_won: Mutex<Option<Instant>>,
    /// Bytes of frames.
    received: AtomicU64,
}

impl Network {
    /// A network that trusts these servers.
    pub fn new(trust: &Trust) -> Result<Self> {
        Self::from_source(trust, None)
    }

    /// The same, with connections made from this local address. Several sources allow more TCP connections to one server
    /// than one has ports.
    pub fn from_source(trust: &Trust, source: Option<IpAddr>) -> Result<Self> {
        Self::shaking_hands(tls_config(trust)?, source)
    }

    /// The same, with every handshake a whole one, as those of clients that meet the server for the first time. Otherwise a
    /// connection resumes the TLS session of an earlier one of this network where it can, which costs both sides less.
    pub fn without_resumption(&self) -> Result<Self> {
        let mut tls = ClientConfig::clone(&self.inner.tls);
        tls.resumption = Resumption::disabled();
        Self::shaking_hands(tls, self.inner.source)
    }

    fn shaking_hands(tls: ClientConfig, source: Option<IpAddr>) -> Result<Self> {
        let quic = QuicClientConfig::try_from(tls.clone()).map_err(|error| Error::Options(error.to_string()))?;
        let mut quic = quinn::ClientConfig::new(Arc::new(quic));
        quic.transport_config(Arc::new(transport_config()));
        let (endpoints, tls_won, received) = Default::default();
        let inner = Inner { tls: Arc::new(tls), quic, source, endpoints, tls_won, received };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Bytes that all clients of this network have received so far, without what encryption adds.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.inner.received.load(Ordering::Relaxed)
    }

    pub(crate) fn note_received(&self, bytes: usize) {
        self.inner.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn tls_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.inner.tls)
    }

    pub(crate) fn quic_config(&self) -> quinn::ClientConfig {
        self.inner.quic.clone()
    }

    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.inner.source
    }

    /// The endpoint for an address family.
    pub(crate) fn quic_endpoint(&self, ipv4: bool) -> io::Result<Endpoint> {
        let mut endpoints = self.inner.endpoints.lock();
        let slot = &mut endpoints[usize::from(ipv4)];
        if let Some(endpoint) = slot {
            return Ok(endpoint.clone());
        }
        let any = if ipv4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let source = self.inner.source.filter(|source| source.is_ipv4() == ipv4).unwrap_or(any);
        let socket = std::net::UdpSocket::bind(SocketAddr::new(source, 0))?;
        let tuned = socket2::SockRef::from(&socket);
        // As much as the system grants; less only costs throughput.
        let _ = tuned.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = tuned.set_send_buffer_size(SOCKET_BUFFER);
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(quinn::TokioRuntime))?;
        *slot = Some(endpoint.clone());
        Ok(endpoint)
    }

    /// Whether TLS beat QUIC not long ago.
    pub(crate) fn tls_won_last(&self) -> bool {
        self.inner.tls_won.lock().is_some_and(|at| at.elapsed() < WINNER_LASTS)
    }

    /// Remembers who won a race.
    pub(crate) fn note_winner(&self, tls: bool) {
        let mut won = self.inner.tls_won.lock();
        if !tls {
            *won = None;
        } else if won.is_none_or(|at| at.elapsed() >= WINNER_LASTS) {
            *won = Some(Instant::now());
        }
    }
}

fn tls_config(trust: &Trust) -> Result<ClientConfig> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // Its handshake hashes with SHA-256, for which processors have instructions; that of AES-256 with SHA-384, for which most have none.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Options(error.to_string()))?;
    let mut config = match trust {
        Trust::PublicAuthorities => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Authorities(pem) => builder.with_root_certificates(authorities(pem)?).with_no_client_auth(),
        Trust::DangerAcceptAnyCertificate => {
            tracing::warn!("certificates are not checked: anyone in between can read and change everything");
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider))).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| Error::Options(format!("the authorities' PEM: {error}")))?;
        roots.add(certificate).map_err(|error| Error::Options(format!("an authority's certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(Error::Options("the authorities' PEM holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Small windows and no datagrams: one stream of frames needs no more, and they are memory for every connection.
fn transport_config() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(0u32.into())
        .max_concurrent_uni_streams(0u32.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(STREAM_WINDOW.into())
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        // Probes for larger packets are most of what a short connection sends, and chat frames are small.
        .mtu_discovery_config(None)
        .max_idle_timeout(Some(IdleTimeout::from(IDLE_TIMEOUT)));
    transport
}

/// Takes any certificate, as long as the server holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
    use rustls_pki_types::PrivateKeyDer;

    use super::*;

    /// How a client of this network and a server shake hands.
    fn shake_hands(network: &Network, server: &Arc<ServerConfig>) -> HandshakeKind {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(network.tls_config(), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        // Until the tickets have come too, behind the handshake.
        while client.wants_write() || server.wants_write() {
            let (mut said, mut answered) = (Vec::new(), Vec::new());
            while client.wants_write() {
                client.write_tls(&mut said).unwrap();
            }
            while !said.is_empty() {
                let count = server.read_tls(&mut &said[..]).unwrap();
                said.drain(..count);
                server.process_new_packets().unwrap();
            }
            while server.wants_write() {
                server.write_tls(&mut answered).unwrap();
            }
            while !answered.is_empty() {
                let count = client.read_tls(&mut &answered[..]).unwrap();
                answered.drain(..count);
                client.process_new_packets().unwrap();
            }
        }
        client.handshake_kind().unwrap()
    }

    #[test]
    fn a_network_resumes_unless_it_is_told_not_to() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        server.alpn_protocols = vec![ALPN.to_vec()];
        let server = Arc::new(server);
        let network = Network::new(&Trust::Authorities(made.cert.pem().into_bytes())).unwrap();
        assert_eq!(shake_hands(&network, &server), HandshakeKind::Full);
        assert_eq!(shake_hands(&network, &server), HandshakeKind::Resumed);
        let forgetful = network.without_resumption().unwrap();
        for _ in 0..2 {
            assert_eq!(shake_hands(&forgetful, &server), HandshakeKind::Full);
        }
    }
}
