//! The least that a connection can cost a server: accepts, reads 64 bytes at a time, and keeps what was accepted.
//!
//! `floor tcp|tls|quic ADDRESS`. The suite of `make bench` measures it first, and everything else against it.

use std::sync::Arc;

use anyhow::{Result, bail};
use quinn::crypto::rustls::QuicServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the generator asks for over QUIC.
const ALPN: &[u8] = b"bench";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, address] = &arguments[..] else { bail!("usage: floor tcp|tls|quic ADDRESS") };
    match what.as_str() {
        "tcp" => accept(listen(address).await?, None).await,
        "tls" => accept(listen(address).await?, Some(TlsAcceptor::from(Arc::new(server_config()?)))).await,
        "quic" => accept_quic(address).await,
        _ => bail!("none of tcp, tls, quic"),
    }
}

async fn listen(address: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    println!("ready");
    Ok(listener)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        match tls.clone() {
            None => drop(tokio::spawn(swallow(socket))),
            Some(tls) => drop(tokio::spawn(async move {
                // In a task of its own, so that what the handshake needed does not stay with the connection.
                if let Ok(stream) = tls.accept(socket).await {
                    tokio::spawn(swallow(Box::new(stream)));
                }
            })),
        }
    }
}

/// With small windows and without what an idle connection does not need: the library's defaults cost 10 kB more.
async fn accept_quic(address: &str) -> Result<()> {
    let mut crypto = server_config()?;
    crypto.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(crypto)?));
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(1u8.into())
        .max_concurrent_uni_streams(0u8.into())
        .receive_window((64u32 << 10).into())
        .stream_receive_window((64u32 << 10).into())
        .send_window(256 << 10)
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(None);
    config.transport_config(Arc::new(transport));
    let endpoint = quinn::Endpoint::server(config, address.parse()?)?;
    println!("ready");
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            if let Ok((send, receive)) = connection.accept_bi().await {
                tokio::spawn(swallow(tokio::io::join(receive, send)));
            }
        });
    }
    Ok(())
}

async fn swallow(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

fn server_config() -> Result<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.send_tls13_tickets = 0;
    Ok(config)
}
