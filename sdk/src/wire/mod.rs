//! Connections as two byte streams. What the bytes mean is [`proto::frame`]'s and the session's business.

mod quic;
pub(crate) mod race;
mod tcp;

use std::future::pending;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;
use std::time::Duration;

use bytes::BytesMut;
use proto::frame::Decoder;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::race::{Lane, race};
pub(crate) use self::tcp::dial;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::options::{Options, Transport};

/// How long one attempt may take, name resolution and handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the preferred transport runs alone.
const HEAD_START: Duration = Duration::from_millis(200);
/// Bytes read at once. They lie on the stack, and only while bytes are there.
const READ_SIZE: usize = 16 * 1024;

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection.
pub(crate) struct Wire {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// Where to connect, and how.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    transport: Transport,
    address: String,
    quic_address: String,
    tls_name: ServerName<'static>,
    quic_name: String,
}

impl Route {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let quic_address = options.quic_address.as_ref().unwrap_or(&options.address);
        let host = host_of(&options.address)?;
        let tls_name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Options(format!("{host} is neither a name nor an address")))?;
        Ok(Self {
            transport: options.transport,
            address: options.address.clone(),
            quic_address: quic_address.clone(),
            tls_name,
            quic_name: host_of(quic_address)?.to_owned(),
        })
    }
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> Result<&str> {
    let (host, port) =
        address.rsplit_once(':').ok_or_else(|| Error::Options(format!("{address} is not of the form host:port")))?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(Error::Options(format!("{address} is not of the form host:port")));
    }
    Ok(host.trim_start_matches('[').trim_end_matches(']'))
}

/// Makes a connection.
pub(crate) async fn connect(network: &Network, route: &Route) -> std::result::Result<Wire, String> {
    tokio::time::timeout(CONNECT_TIMEOUT, open(network, route))
        .await
        .unwrap_or_else(|_| Err("no connection in time".to_owned()))
}

async fn open(network: &Network, route: &Route) -> std::result::Result<Wire, String> {
    let tls = async || tcp::tls(network, &route.address, route.tls_name.clone()).await.map_err(|e| format!("tls: {e}"));
    let quic =
        async || quic::quic(network, &route.quic_address, &route.quic_name).await.map_err(|e| format!("quic: {e}"));
    match route.transport {
        Transport::Tcp => tcp::tcp(network, &route.address).await.map_err(|error| format!("tcp: {error}")),
        Transport::Tls => tls().await,
        Transport::Quic => quic().await,
        Transport::Auto => {
            let tls_first = network.tls_won_last();
            let result = if tls_first {
                race(Box::pin(tls()), Box::pin(quic()), HEAD_START).await
            } else {
                race(Box::pin(quic()), Box::pin(tls()), HEAD_START).await
            };
            let (lane, wire) = result.map_err(|(first, second)| format!("{first}; {second}"))?;
            network.note_winner((lane == Lane::First) == tls_first);
            Ok(wire)
        }
    }
}

/// Reads what is there into the decoder; 0 at the end of the stream. Pends without a reader. Cancel-safe.
///
/// The buffer lives on the stack of one poll, so a connection that waits holds none.
pub(crate) async fn read(reader: Option<&mut Reader>, decoder: &mut Decoder) -> io::Result<usize> {
    let Some(reader) = reader else { return pending().await };
    std::future::poll_fn(|context| {
        let mut bytes = [MaybeUninit::uninit(); READ_SIZE];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut *reader).poll_read(context, &mut buffer))?;
        decoder.feed(buffer.filled());
        std::task::Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

/// Writes some of `out` and takes it off. Pends while there is nothing to write. Cancel-safe.
pub(crate) async fn write(writer: Option<&mut Writer>, out: &mut BytesMut) -> io::Result<()> {
    let Some(writer) = writer.filter(|_| !out.is_empty()) else { return pending().await };
    let wrote = std::future::poll_fn(|context| Pin::new(&mut *writer).poll_write(context, out)).await?;
    if wrote == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    if wrote == out.len() {
        // Gives the allocation back: a connection that waits holds none.
        *out = BytesMut::new();
    } else {
        bytes::Buf::advance(out, wrote);
    }
    Ok(())
}
