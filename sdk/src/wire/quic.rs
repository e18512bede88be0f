//! QUIC: one bidirectional stream carries every frame.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use quinn::{Connection, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Wire;
use crate::network::Network;

/// Connects, shakes hands and opens the stream.
pub(super) async fn quic(network: &Network, address: &str, name: &str) -> io::Result<Wire> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(address).await? {
        let connecting = network.quic_endpoint(address.is_ipv4())?.connect_with(network.quic_config(), address, name);
        match connecting.map_err(io::Error::other)?.await {
            Ok(connection) => {
                let (writer, reader) = connection.open_bi().await?;
                return Ok(Wire {
                    reader: Box::new(Reader { stream: reader, connection: connection.clone() }),
                    writer: Box::new(Writer { stream: writer, connection }),
                });
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// The stream's incoming half. Closing either half closes the connection, as nothing else is on it.
struct Reader {
    stream: RecvStream,
    connection: Connection,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.stream), context, buffer)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.connection.close(0u32.into(), b"bye");
    }
}

/// The stream's outgoing half.
struct Writer {
    stream: SendStream,
    connection: Connection,
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.stream), context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.stream), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.stream), context)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.connection.close(0u32.into(), b"bye");
    }
}
