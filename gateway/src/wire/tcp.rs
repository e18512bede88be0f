//! Plain TCP.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::Wire;

/// Connections that wait to be accepted; as many as the kernel allows.
const BACKLOG: i32 = 4096;

/// One connection.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    finished: bool,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, finished: false }
    }
}

impl Wire for Tcp {
    const NAME: &'static str = "tcp";

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(&mut self.stream, cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices {
            // Most often there is one frame, and one slice costs the kernel less than a list of one.
            [slice] => Pin::new(&mut self.stream).poll_write(cx, slice),
            slices => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_close(&mut self.stream, &mut self.finished, cx)
    }
}

/// Listens, with a backlog that a wave of reconnecting clients fits in.
///
/// # Errors
/// If the address cannot be listened on.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), kind, Some(socket2::Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Reads what is there; 0 at the end of the stream.
pub(super) fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}

/// Ends our side, then reads until the client has ended its own.
pub(super) fn poll_close(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    finished: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if !*finished {
        if ready!(Pin::new(&mut *stream).poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        *finished = true;
    }
    let mut sink = [0; 1024];
    loop {
        match ready!(poll_read(stream, cx, &mut sink)) {
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(_) => {}
        }
    }
}
