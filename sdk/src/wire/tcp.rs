//! Plain TCP, and TLS over it.

use std::io;
use std::net::SocketAddr;

use rustls_pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::Wire;
use crate::network::Network;

/// Connects in the clear.
pub(super) async fn tcp(network: &Network, address: &str) -> io::Result<Wire> {
    let (reader, writer) = dial(network, address).await?.into_split();
    Ok(Wire { reader: Box::new(reader), writer: Box::new(writer) })
}

/// Connects and shakes hands.
pub(super) async fn tls(network: &Network, address: &str, name: ServerName<'static>) -> io::Result<Wire> {
    let stream = dial(network, address).await?;
    let stream = TlsConnector::from(network.tls_config()).connect(name, stream).await?;
    let (reader, writer) = tokio::io::split(stream);
    Ok(Wire { reader: Box::new(reader), writer: Box::new(writer) })
}

/// Tries a name's addresses in turn.
pub(crate) async fn dial(network: &Network, address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        match dial_one(network, address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn dial_one(network: &Network, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = network.source().filter(|source| source.is_ipv4() == address.is_ipv4()) else {
        return TcpStream::connect(address).await;
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    choose_port_late(&socket);
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// Has the system choose the port when it knows where the connection leads. At once, it would look for one that no connection of this address
/// has, to anywhere, and with a hundred thousand of those it looks for milliseconds.
fn choose_port_late(socket: &TcpSocket) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true) {
        // It only takes longer then.
        tracing::debug!(%error, "the port is chosen early");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = socket;
}
