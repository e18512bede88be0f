//! TLS records over a socket, without a buffer while nothing is under way.
//!
//! What rustls offers as a stream keeps 4 KiB for reading on every connection, idle or not: more than all else that a connection
//! consists of. Here, records are read into and written from buffers of the thread, and only an unfinished record, or what the
//! socket or the reader did not take, is kept with the connection.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeTlsData, UnbufferedStatus, WriteTraffic};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::wire::tcp;

/// Bytes encrypted at once.
const PLAIN: usize = 64 << 10;
/// Holds them as records.
const SEALED: usize = PLAIN + (2 << 10);
/// Bytes read at once, besides what there is room for: no record is longer.
const RECORD: usize = 5 + (16 << 10) + 2048;

thread_local! {
    /// What every connection of this thread reads and writes through.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        plain: vec![0; PLAIN].into_boxed_slice(),
        sealed: vec![0; SEALED].into_boxed_slice(),
    });
}

struct Scratch {
    plain: Box<[u8]>,
    sealed: Box<[u8]>,
}

/// One connection's encryption, and what of its bytes is neither here nor there.
pub(super) struct Records {
    tls: UnbufferedServerConnection,
    /// Received: the beginning of a record whose end has not come.
    partial: Vec<u8>,
    /// Decrypted and not yet taken.
    plain: BytesMut,
    /// Encrypted and not yet sent.
    sealed: BytesMut,
    /// The client has said that nothing follows.
    ended: bool,
    /// So have we.
    closed: bool,
}

/// What came of going through some records.
struct Processed {
    /// Bytes of them that are done with.
    used: usize,
    /// Bytes that went to the reader's buffer.
    filled: usize,
}

impl Records {
    pub(super) fn new(tls: UnbufferedServerConnection) -> Self {
        let (plain, sealed) = (BytesMut::new(), BytesMut::new());
        Self { tls, partial: Vec::new(), plain, sealed, ended: false, closed: false }
    }

    /// Ready once the client is known to hold the same keys.
    pub(super) fn poll_handshake(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.is_handshaking() {
            ready!(self.poll_send(tcp, cx))?;
            // Words of the app may come with the handshake's last ones: they are kept for the reader.
            if ready!(self.poll_receive(tcp, cx, &mut []))?.is_none() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.poll_send(tcp, cx)
    }

    /// Reads what is there; 0 at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.plain.is_empty() {
            let count = self.plain.len().min(buffer.len());
            self.plain.copy_to_slice(&mut buffer[..count]);
            if self.plain.is_empty() {
                self.plain = BytesMut::new();
            }
            return Poll::Ready(Ok(count));
        }
        if let Poll::Ready(Err(error)) = self.poll_send(tcp, cx) {
            return Poll::Ready(Err(error));
        }
        while !self.ended {
            match ready!(self.poll_receive(tcp, cx, buffer))? {
                Some(0) => {}
                Some(count) => return Poll::Ready(Ok(count)),
                // Cut off, which others than the client can do too.
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Writes as much as is encrypted at once. What the socket does not take of it, [`Self::poll_send`] sends.
    pub(super) fn poll_write(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(tcp, cx))?;
        SCRATCH.with_borrow_mut(|Scratch { plain, sealed }| {
            let mut length = 0;
            for slice in slices {
                let count = slice.len().min(plain.len() - length);
                plain[length..length + count].copy_from_slice(&slice[..count]);
                length += count;
            }
            let count = self
                .seal(sealed, |mut traffic, into| traffic.encrypt(&plain[..length], into).map_err(io::Error::other))?;
            let sealed = &sealed[..count];
            let sent = match self.sealed.is_empty() {
                true => Pin::new(tcp).poll_write(cx, sealed)?,
                false => Poll::Pending,
            };
            match sent {
                Poll::Ready(sent) => self.sealed.extend_from_slice(&sealed[sent..]),
                Poll::Pending => self.sealed.extend_from_slice(sealed),
            }
            Poll::Ready(Ok(length))
        })
    }

    /// Sends what is encrypted.
    pub(super) fn poll_send(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let sent = ready!(Pin::new(&mut *tcp).poll_write(cx, &self.sealed))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sealed.advance(sent);
            if self.sealed.is_empty() {
                self.sealed = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing follows; ready once that is sent.
    pub(super) fn poll_close(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            SCRATCH.with_borrow_mut(|Scratch { sealed, .. }| {
                let count =
                    self.seal(sealed, |mut traffic, into| traffic.queue_close_notify(into).map_err(io::Error::other))?;
                self.sealed.extend_from_slice(&sealed[..count]);
                io::Result::Ok(())
            })?;
        }
        self.poll_send(tcp, cx)
    }

    /// Reads once and goes through the records that are whole. How many bytes went to `buffer`, which may be none; `None` at the end.
    fn poll_receive(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        SCRATCH.with_borrow_mut(|Scratch { plain, sealed }| {
            let begun = self.partial.len();
            // Before the login the room is small, and so is what may be sent.
            let most = sealed.len().min(begun + buffer.len() + RECORD);
            let count = ready!(tcp::poll_read(tcp, cx, &mut sealed[begun..most]))?;
            if count == 0 {
                return Poll::Ready(Ok(None));
            }
            sealed[..begun].copy_from_slice(&self.partial);
            let received = &mut sealed[..begun + count];
            let outcome = self.process(received, plain, buffer);
            // Answers of the protocol's own, and alerts: what the socket does not take now goes with what is written next.
            let sent = self.poll_send(tcp, cx);
            let Processed { used, filled } = outcome?;
            if let Poll::Ready(Err(error)) = sent {
                return Poll::Ready(Err(error));
            }
            // Nothing is allocated for nothing.
            self.partial = received[used..].to_vec();
            Poll::Ready(Ok(Some(filled)))
        })
    }

    /// Goes through records: what they say goes to `buffer`, and to `self.plain` what does not fit there.
    fn process(&mut self, received: &mut [u8], spare: &mut [u8], buffer: &mut [u8]) -> io::Result<Processed> {
        let (mut used, mut filled) = (0, 0);
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut received[used..]);
            let mut is_blocked = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        let count = record.payload.len().min(buffer.len() - filled);
                        let (fits, rest) = record.payload.split_at(count);
                        buffer[filled..filled + count].copy_from_slice(fits);
                        filled += count;
                        self.plain.extend_from_slice(rest);
                        discard += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, spare, &mut self.sealed)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => is_blocked = true,
                Ok(ConnectionState::Closed) => (self.ended, is_blocked) = (true, true),
                // Early data is never offered, and no other state is known.
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) => {
                    self.tell_why(spare);
                    return Err(invalid(error));
                }
            }
            used += discard;
            if is_blocked {
                return Ok(Processed { used, filled });
            }
        }
    }

    /// Writes records into `into`, once nothing else has to be said before.
    fn seal(
        &mut self,
        into: &mut [u8],
        write: impl FnOnce(WriteTraffic<'_, ServerConnectionData>, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            // What was received before is gone through already, and still has to be shown.
            match self.tls.process_tls_records(&mut self.partial).state {
                Ok(ConnectionState::WriteTraffic(traffic)) => return write(traffic, into),
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, into, &mut self.sealed)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                Ok(_) => return Err(io::ErrorKind::NotConnected.into()),
                Err(error) => return Err(invalid(error)),
            }
        }
    }

    /// Bytes that are allocated beside the keys.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.partial.capacity() + self.plain.capacity() + self.sealed.capacity()
    }

    /// Queues the alert that tells the client what it did wrong.
    fn tell_why(&mut self, spare: &mut [u8]) {
        loop {
            match self.tls.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if encode(&mut data, spare, &mut self.sealed).is_err() {
                        return;
                    }
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                _ => return,
            }
        }
    }
}

fn encode(
    data: &mut EncodeTlsData<'_, ServerConnectionData>,
    spare: &mut [u8],
    sealed: &mut BytesMut,
) -> io::Result<()> {
    let count = data.encode(spare).map_err(io::Error::other)?;
    sealed.extend_from_slice(&spare[..count]);
    Ok(())
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
