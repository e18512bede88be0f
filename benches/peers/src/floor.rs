//! The least that a connection can cost a server: accepts, reads 64 bytes at a time, and keeps what was accepted.
//!
//! `floor tcp|tls ADDRESS`. The suite of `make bench` measures it first, and everything else against it.

use std::sync::Arc;

use anyhow::{Result, bail};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, address] = &arguments[..] else { bail!("usage: floor tcp|tls ADDRESS") };
    let listener = TcpListener::bind(address).await?;
    match what.as_str() {
        "tcp" => accept(listener, None).await,
        "tls" => accept(listener, Some(acceptor()?)).await,
        _ => bail!("neither tcp nor tls"),
    }
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

async fn swallow(mut stream: impl AsyncRead + Unpin) {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

fn acceptor() -> Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
