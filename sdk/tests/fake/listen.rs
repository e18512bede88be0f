//! The three ways in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use rcgen::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{State, serve};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(super) fn server_config(certificate: &CertifiedKey<rcgen::KeyPair>) -> rustls::ServerConfig {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"linnet/1".to_vec()];
    config
}

pub(super) async fn tcp(state: Arc<State>) -> SocketAddr {
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, writer) = stream.into_split();
            tokio::spawn(serve(Arc::clone(&state), reader, writer));
        }
    });
    address
}

pub(super) async fn tls(state: Arc<State>, config: rustls::ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"linnet/1"[..]));
                    let (reader, writer) = tokio::io::split(stream);
                    serve(state, reader, writer).await;
                }
            });
        }
    });
    address
}

pub(super) fn quic(state: Arc<State>, config: rustls::ServerConfig) -> SocketAddr {
    let crypto = QuicServerConfig::try_from(config).unwrap();
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let endpoint = quinn::Endpoint::server(config, ANY_PORT).unwrap();
    let address = endpoint.local_addr().unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else { return };
                if let Ok((writer, reader)) = connection.accept_bi().await {
                    serve(state, reader, writer).await;
                    // Lets the last bytes leave before the connection does.
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), connection.closed()).await;
                }
            });
        }
    });
    address
}
