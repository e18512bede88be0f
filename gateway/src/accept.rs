//! Takes connections: counts them in, shakes hands within a deadline, and lets each run in a task of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use proto::{frame, wire};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};

use crate::drive::Connection;
use crate::error::retry_later;
use crate::gateway::{Place, Shared};
use crate::metrics;
use crate::wire::quic::Quic;
use crate::wire::tcp::Tcp;
use crate::wire::tls;

/// How long to wait when the process may open no more sockets.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Connections that are taken before others get their turn.
const TOGETHER: usize = 8;
/// When a client that connects too often should come back.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes plain TCP connections until the gateway stops.
pub(crate) async fn tcp(shared: Arc<Shared>, listener: TcpListener) {
    let mut taken = 0;
    while let Some((stream, since)) = next(&shared, &listener, &mut taken).await {
        let Some(place) = enter_tcp(&shared, &stream, since) else {
            refuse(&stream);
            continue;
        };
        let connection = Connection::new(Arc::clone(&shared), place, Tcp::new(stream), since);
        shared.tasks.spawn(connection);
    }
}

/// Takes TLS connections until the gateway stops.
pub(crate) async fn tls(shared: Arc<Shared>, listener: TcpListener, config: Arc<ServerConfig>) {
    let mut taken = 0;
    while let Some((stream, since)) = next(&shared, &listener, &mut taken).await {
        // A handshake costs more than a refusal is worth: such a connection is dropped.
        let Some(place) = enter_tcp(&shared, &stream, since) else { continue };
        let Some(handshake) = Handshake::begin(&shared) else { continue };
        let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let accepted = within(&shared, since, tls::accept(config, stream)).await;
            drop(handshake);
            match accepted {
                // A fresh task: the handshake's was large, and would stay so.
                Some(Ok(wire)) => drop(shared.tasks.spawn(Connection::new(Arc::clone(&shared), place, wire, since))),
                Some(Err(error)) => {
                    metrics::refused("handshake");
                    tracing::debug!(%error, "a TLS handshake failed");
                }
                None => metrics::refused("handshake"),
            }
        });
    }
}

/// Takes QUIC connections until the gateway stops.
pub(crate) async fn quic(shared: Arc<Shared>, endpoint: quinn::Endpoint) {
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = shared.stop_accepting.cancelled() => return,
        };
        let Some(incoming) = incoming else { return };
        let since = Instant::now();
        let under_way = shared.handshakes.load(Ordering::Relaxed);
        if under_way >= shared.hub.config.quic.retry_above && incoming.may_retry() {
            // Under pressure, whoever sends from a forged address gets no further than this.
            metrics::quic_retry();
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
            continue;
        }
        let Some(place) = shared.enter(incoming.remote_address().ip(), since) else {
            incoming.refuse();
            continue;
        };
        let Some(handshake) = Handshake::begin(&shared) else {
            incoming.refuse();
            continue;
        };
        let shared = Arc::clone(&shared);
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            let accepted = within(&shared, since, shake_hands(incoming)).await;
            drop(handshake);
            match accepted {
                Some(Ok(wire)) => drop(shared.tasks.spawn(Connection::new(Arc::clone(&shared), place, wire, since))),
                Some(Err(error)) => {
                    metrics::refused("handshake");
                    tracing::debug!(%error, "a QUIC handshake failed");
                }
                None => metrics::refused("handshake"),
            }
        });
    }
}

/// Until the client has opened its stream, which it does by saying something.
async fn shake_hands(incoming: quinn::Incoming) -> Result<Quic, quinn::ConnectionError> {
    let connection = incoming.accept()?.await?;
    let (send, receive) = connection.accept_bi().await?;
    Ok(Quic::new(connection, send, receive))
}

/// The next connection; `None` when the gateway stops. `taken` counts them.
///
/// After a few, those who are connected already get their turn: a wave of arrivals waits in the listener's queue, and not everybody for it.
async fn next(shared: &Shared, listener: &TcpListener, taken: &mut usize) -> Option<(TcpStream, Instant)> {
    *taken += 1;
    if taken.is_multiple_of(TOGETHER) {
        tokio::task::yield_now().await;
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop_accepting.cancelled() => return None,
        };
        match accepted {
            Ok((stream, _)) => return Some((stream, Instant::now())),
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// A place for a TCP connection, set up for small frames that must not wait for each other.
fn enter_tcp(shared: &Arc<Shared>, stream: &TcpStream, since: Instant) -> Option<Place> {
    let address = stream.peer_addr().ok()?.ip();
    stream.set_nodelay(true).ok()?;
    shared.enter(address, since)
}

/// Tells a client of plain TCP to come back later.
fn refuse(stream: &TcpStream) {
    let body = Some(wire::frame::Body::Error(retry_later(RETRY_AFTER)));
    // If the socket does not take it at once, the client does without.
    let _ = stream.try_write(&frame::encode_to_bytes(&wire::Frame { id: 0, body }));
}

/// Does it within the login deadline, and not after the gateway stops.
async fn within<T>(shared: &Shared, since: Instant, work: impl Future<Output = T>) -> Option<T> {
    let deadline = tokio::time::Instant::from_std(since + shared.hub.config.login_deadline);
    tokio::select! {
        done = work => Some(done),
        () = tokio::time::sleep_until(deadline) => None,
        () = shared.stop_accepting.cancelled() => None,
    }
}

/// Whether accepting failed because the client was gone already.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// A handshake under way, counted.
struct Handshake(Arc<Shared>);

impl Handshake {
    /// `None` if too many are under way.
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        if shared.handshakes.fetch_add(1, Ordering::Relaxed) >= shared.hub.config.max_handshakes {
            shared.handshakes.fetch_sub(1, Ordering::Relaxed);
            metrics::refused("handshakes");
            return None;
        }
        Some(Self(Arc::clone(shared)))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}
