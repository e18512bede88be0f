//! One connection: a socket, and a protocol over it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::BytesMut;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Server;
use crate::protocol::{Event, Protocol};

/// No login takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection.
pub(crate) struct Link {
    stream: Box<dyn Stream>,
    protocol: Box<dyn Protocol>,
    arrived: BytesMut,
    out: BytesMut,
}

/// Makes connections to one server.
#[derive(Clone)]
pub(crate) struct Dialer {
    server: Server,
    tls: Option<TlsConnector>,
    quic: Option<quinn::Endpoint>,
}

impl Dialer {
    pub(crate) fn new(server: &Server) -> Result<Self> {
        let tls = if server.tls { Some(TlsConnector::from(Arc::new(client_config()?))) } else { None };
        let quic = if server.quic { Some(client_endpoint()?) } else { None };
        Ok(Self { server: server.clone(), tls, quic })
    }

    async fn open(&self) -> Result<Box<dyn Stream>> {
        if let Some(endpoint) = &self.quic {
            let connection = endpoint.connect(self.server.address.parse()?, "localhost")?.await?;
            let (mut send, receive) = connection.open_bi().await?;
            // The other side hears of the stream only once something comes over it.
            send.write_all(&[0]).await?;
            return Ok(Box::new(tokio::io::join(receive, send)));
        }
        let socket = TcpStream::connect(&self.server.address).await?;
        socket.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(socket),
            Some(connector) => Box::new(connector.connect(ServerName::try_from("localhost")?, socket).await?),
        })
    }

    /// Connects and logs in.
    pub(crate) async fn connect(&self, name: &str) -> Result<Link> {
        let logging_in = async {
            let (stream, protocol) = (self.open().await?, self.server.protocol());
            let mut link = Link { stream, protocol, arrived: BytesMut::new(), out: BytesMut::new() };
            link.protocol.log_in(name, &mut link.out);
            link.ready().await?;
            Ok(link)
        };
        tokio::time::timeout(PATIENCE, logging_in).await.context("no login within 30 s")?
    }
}

impl Link {
    /// Says something, which is sent with the next wait for an event.
    pub(crate) fn say<T>(&mut self, what: impl FnOnce(&mut dyn Protocol, &mut BytesMut) -> T) -> T {
        what(self.protocol.as_mut(), &mut self.out)
    }

    /// Waits until what was said is done.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        match tokio::time::timeout(PATIENCE, self.event()).await.context("no answer within 30 s")?? {
            Event::Ready => Ok(()),
            other => bail!("not ready but {other:?}"),
        }
    }

    /// Prepares the server for messages, where that takes anything.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        if self.say(|protocol, out| protocol.prepare(out)) { self.ready().await } else { Ok(()) }
    }

    /// Listens to a topic from now on.
    pub(crate) async fn subscribe(&mut self, topic: &str) -> Result<()> {
        self.say(|protocol, out| protocol.subscribe(topic, out));
        self.ready().await
    }

    /// Sends what was said. May be given up and begun again.
    async fn flush(&mut self) -> Result<()> {
        while !self.out.is_empty() {
            self.stream.write_buf(&mut self.out).await?;
        }
        Ok(self.stream.flush().await?)
    }

    /// An event that has arrived already.
    pub(crate) fn arrived(&mut self) -> Result<Option<Event>> {
        let event = self.protocol.next(&mut self.arrived, &mut self.out)?;
        if let Some(Event::Refused(why)) = event {
            bail!("refused: {why}");
        }
        Ok(event)
    }

    /// Waits for the next event; what was said is sent first. May be given up and begun again.
    pub(crate) async fn event(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.arrived()? {
                return Ok(event);
            }
            if !self.out.is_empty() {
                self.flush().await?;
            }
            self.arrived.reserve(4096);
            if self.stream.read_buf(&mut self.arrived).await? == 0 {
                bail!("the server ended the connection");
            }
        }
    }
}

fn client_endpoint() -> Result<quinn::Endpoint> {
    let mut crypto = client_config()?;
    crypto.alpn_protocols = vec![b"bench".to_vec()];
    let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(crypto)?)));
    Ok(endpoint)
}

fn client_config() -> Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyServer(provider.clone()));
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Believes any server, as the load tester does with `--insecure`.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
