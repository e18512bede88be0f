//! Against rustls's own client, over real sockets.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::certs::Certs;

/// More than any buffer on the way holds.
const MUCH: usize = 3 << 20;

struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    /// Echoes what one client says until it ends, and then ends too; gives the connection back.
    echo: JoinHandle<io::Result<Tls>>,
}

impl Server {
    async fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certs = Certs::from_pem(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes()).unwrap();
        let config = config(Arc::new(Resolver::new(certs))).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            let mut wire = accept(config, listener.accept().await?.0).await?;
            let mut buffer = vec![0; 5000];
            loop {
                let count = poll_fn(|cx| wire.poll_read(cx, &mut buffer)).await?;
                if count == 0 {
                    poll_fn(|cx| wire.poll_close(cx)).await;
                    return Ok(wire);
                }
                let (mut first, mut second) = buffer[..count].split_at(count / 2);
                while !(first.is_empty() && second.is_empty()) {
                    let slices = [IoSlice::new(first), IoSlice::new(second)];
                    let written = poll_fn(|cx| wire.poll_write(cx, &slices)).await?;
                    let of_first = written.min(first.len());
                    (first, second) = (&first[of_first..], &second[written - of_first..]);
                }
                poll_fn(|cx| wire.poll_flush(cx)).await?;
            }
        });
        Self { address, certificate: made.cert.der().clone(), echo }
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(crypto::provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }

    async fn connect(&self, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// Says this much and hears all of it, at the same time.
async fn exchange(stream: TlsStream<TcpStream>, length: usize) -> TlsStream<TcpStream> {
    let said: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    let expected = said.clone();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let saying = async move {
        writer.write_all(&said).await.unwrap();
        writer.flush().await.unwrap();
        writer
    };
    let hearing = async move {
        let mut heard = vec![0; length];
        reader.read_exact(&mut heard).await.unwrap();
        assert!(heard == expected);
        reader
    };
    let (writer, reader) = tokio::join!(saying, hearing);
    reader.unsplit(writer)
}

#[tokio::test]
async fn much_goes_both_ways_and_nothing_is_kept() {
    for version in [&TLS12, &TLS13] {
        let server = Server::new().await;
        let mut stream = exchange(server.connect(server.client(&[version])).await.unwrap(), MUCH).await;
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "the end is said, not guessed");
        drop(stream);
        let wire = server.echo.await.unwrap().unwrap();
        assert_eq!(wire.0.records.kept(), 0);
    }
}

#[tokio::test]
async fn records_may_come_byte_by_byte() {
    let server = Server::new().await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(Arc::new(server.client(&[&TLS13])), name).unwrap();
    io::Write::write_all(&mut tls.writer(), b"slowly").unwrap();
    let mut heard = Vec::new();
    while heard != b"slowly" {
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes).unwrap();
        }
        for byte in bytes {
            tcp.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut bytes = [0; 4096];
        let count = tcp.read(&mut bytes).await.unwrap();
        assert!(count > 0);
        tls.read_tls(&mut &bytes[..count]).unwrap();
        tls.process_new_packets().unwrap();
        let _ = io::Read::read_to_end(&mut tls.reader(), &mut heard);
    }
}

#[tokio::test]
async fn keys_may_change_on_the_way() {
    let server = Server::new().await;
    let mut stream = server.connect(server.client(&[&TLS13])).await.unwrap();
    for _ in 0..3 {
        stream = exchange(stream, 10_000).await;
        stream.get_mut().1.refresh_traffic_keys().unwrap();
    }
    exchange(stream, MUCH).await;
}

#[tokio::test]
async fn who_speaks_another_protocol_is_told_so() {
    let server = Server::new().await;
    let mut config = server.client(&[&TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let error = server.connect(config).await.unwrap_err();
    let why = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
    assert_eq!(why, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    assert!(server.echo.await.unwrap().is_err());
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_not_one_that_has_ended() {
    let server = Server::new().await;
    let stream = exchange(server.connect(server.client(&[&TLS13])).await.unwrap(), 100).await;
    drop(stream);
    let error = server.echo.await.unwrap().err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
