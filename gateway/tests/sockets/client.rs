//! A client that speaks frames and nothing more, over any transport.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use domain::ConversationId;
use proto::frame::{self, Decoder};
use proto::{entry, wire};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::frame::Body;

use crate::world::User;

/// No answer takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    next_id: u64,
    /// Frames that came while another was waited for.
    aside: VecDeque<wire::Frame>,
    /// QUIC's, kept open as long as the client.
    endpoint: Option<quinn::Endpoint>,
}

impl Client {
    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            decoder: Decoder::new(1 << 21),
            next_id: 1,
            aside: VecDeque::new(),
            endpoint: None,
        }
    }

    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn tls(address: SocketAddr) -> Self {
        Self::tls_with(Arc::new(client_config()), address).await.0
    }

    /// With a configuration that remembers earlier handshakes; also, what kind of handshake this one was.
    pub(crate) async fn tls_with(
        config: Arc<rustls::ClientConfig>,
        address: SocketAddr,
    ) -> (Self, rustls::HandshakeKind) {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        (Self::over(stream), kind)
    }

    pub(crate) async fn quic(address: SocketAddr) -> Self {
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(client_config()).unwrap();
        let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        let connection = endpoint.connect(address, "localhost").unwrap().await.unwrap();
        let (send, receive) = connection.open_bi().await.unwrap();
        let mut client = Self::over(tokio::io::join(receive, send));
        client.endpoint = Some(endpoint);
        client
    }

    /// Goes on from another port, as a phone does that moves to another network; answers which.
    pub(crate) fn rebind(&self) -> SocketAddr {
        let endpoint = self.endpoint.as_ref().unwrap();
        endpoint.rebind(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        endpoint.local_addr().unwrap()
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await.unwrap().unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends a frame under a new id, which is returned.
    pub(crate) async fn send(&mut self, body: Body) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let mut bytes = BytesMut::new();
        frame::encode(&wire::Frame { id, body: Some(body) }, &mut bytes);
        self.send_raw(&bytes).await;
        id
    }

    /// The next frame, notices left out; `None` when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<wire::Frame> {
        if let Some(frame) = self.aside.pop_front() {
            return Some(frame);
        }
        tokio::time::timeout(PATIENCE, self.read_frame()).await.expect("the gateway says nothing")
    }

    async fn read_frame(&mut self) -> Option<wire::Frame> {
        loop {
            match self.decoder.next_message().unwrap() {
                Some(frame) if is_notice(&frame) => continue,
                Some(frame) => return Some(frame),
                None => {}
            }
            let mut buffer = vec![0; 16 << 10];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.decoder.feed(&buffer[..count]),
            }
        }
    }

    /// How many frames came before the last answer and were kept for [`Self::next`].
    pub(crate) fn set_aside(&self) -> usize {
        self.aside.len()
    }

    /// The answer to the request with this id; what else comes is kept for [`Self::next`].
    pub(crate) async fn answer(&mut self, id: u64) -> Body {
        let mut others = VecDeque::new();
        loop {
            let frame = self.next().await.expect("the connection ended");
            if frame.id == id {
                others.append(&mut self.aside);
                self.aside = others;
                return frame.body.unwrap();
            }
            others.push_back(frame);
        }
    }

    pub(crate) async fn ask(&mut self, body: Body) -> Body {
        let id = self.send(body).await;
        self.answer(id).await
    }

    /// What comes next must be an error, with this code.
    pub(crate) async fn expect_error(&mut self, code: wire::error::Code) -> wire::Error {
        match self.next().await.expect("the connection ended without a reason").body {
            Some(Body::Error(error)) if error.code() == code => error,
            other => panic!("not {code:?} but {other:?}"),
        }
    }

    pub(crate) async fn expect_end(&mut self) {
        let frame = self.next().await;
        assert!(frame.is_none(), "{frame:?}");
    }

    pub(crate) async fn log_in(&mut self, user: &User, device: &str) -> wire::Welcome {
        match self.ask(hello(&user.token, device, wire::Platform::Linux)).await {
            Body::Welcome(welcome) => welcome,
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub(crate) async fn resume(&mut self, welcome: &wire::Welcome, received: u64) -> Body {
        self.ask(Body::Resume(wire::Resume { ticket: welcome.ticket.clone(), received })).await
    }

    pub(crate) async fn say(&mut self, conversation: ConversationId, id: &str, text: &str) -> wire::SendAck {
        match self.ask(said(conversation, id, text)).await {
            Body::SendAck(ack) => ack,
            other => panic!("no ack but {other:?}"),
        }
    }

    /// The next push, as (seq, text). A bus that has only just begun to hear may have asked for a synchronisation before it.
    pub(crate) async fn heard(&mut self) -> (u64, String) {
        loop {
            match self.next().await.expect("the connection ended").body {
                Some(Body::Push(push)) => break seq_and_text(push.deliveries[0].entry.as_ref().unwrap()),
                Some(Body::Resync(_)) => {}
                other => panic!("no push but {other:?}"),
            }
        }
    }
}

pub(crate) fn hello(token: &str, device: &str, platform: wire::Platform) -> Body {
    Body::Hello(wire::Hello {
        token: token.to_owned(),
        device_id: device.to_owned(),
        platform: platform.into(),
        client: "test/1".to_owned(),
        capabilities: Vec::new(),
    })
}

pub(crate) fn said(conversation: ConversationId, id: &str, text: &str) -> Body {
    Body::Send(wire::Send {
        conversation: Some(conversation.to_wire()),
        client_msg_id: id.to_owned(),
        content: Some(content(text)),
        online_only: false,
    })
}

/// The same, for the domain.
pub(crate) fn outgoing(conversation: ConversationId, id: &str, text: &str) -> domain::messages::Outgoing {
    let client_msg_id = id.to_owned();
    domain::messages::Outgoing { conversation, client_msg_id, content: content(text), online_only: false }
}

pub(crate) fn content(text: &str) -> entry::Content {
    let kind = entry::content::Kind::Text(entry::Text { text: text.to_owned() });
    entry::Content { kind: Some(kind), ..entry::Content::default() }
}

/// Whether it tells of other devices' logins and the like, which come at times of their own.
fn is_notice(frame: &wire::Frame) -> bool {
    let Some(Body::Push(push)) = &frame.body else { return false };
    let conversation = push.deliveries[0].conversation.as_ref();
    matches!(conversation.and_then(ConversationId::from_wire), Some(ConversationId::Notices(_)))
}

pub(crate) fn seq_and_text(entry: &entry::Entry) -> (u64, String) {
    let text = match &entry.body {
        Some(entry::entry::Body::Message(content)) => match &content.kind {
            Some(entry::content::Kind::Text(text)) => text.text.clone(),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    };
    (entry.seq, text)
}

pub(crate) fn client_config() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    config.alpn_protocols = vec![gateway::ALPN.to_vec()];
    config
}

/// Believes any server: the tests are about what comes after.
#[derive(Debug)]
struct AnyServer;

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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
