//! Sockets: accepts, serves HTTP/1 and HTTP/2, keeps every connection within its limits, and drains.
//!
//! hyper's own defaults wait for ever in several places; each has its deadline here.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::config::Config;
use crate::metrics;
use crate::router::Peer;
use crate::service::Service;
use crate::stall::Stall;

/// How long to wait when a connection cannot be accepted, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Service {
    /// Serves until `stop`, then lets open requests finish for `drain_timeout`, and cuts the rest.
    ///
    /// # Errors
    /// Only if the listener itself is unusable.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        listener.local_addr()?;
        let builder = Arc::new(builder(&self.config));
        let graceful = GracefulShutdown::new();
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        let places = Arc::new(Places::default());
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = Place::take(&places, peer, &self.config) else { continue };
            let connection = Connection {
                builder: Arc::clone(&builder),
                router: self.router(),
                config: Arc::clone(&self.config),
                watcher: graceful.watcher(),
                cut: cut.clone(),
                peer,
                _place: place,
            };
            tasks.spawn(connection.run(stream));
        }
        drop(listener);
        self.draining.cancel();
        tasks.close();
        if tokio::time::timeout(self.config.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests were still open at the end of the drain and are cut");
        }
        cut.cancel();
        tasks.wait().await;
        Ok(())
    }

    /// Makes `/readyz` fail ahead of [`Self::serve`]'s own drain, so that balancers stop sending first.
    pub fn announce_drain(&self) {
        self.draining.cancel();
    }
}

fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_headers(config.max_headers)
        // hyper refuses to work with a smaller buffer.
        .max_buf_size(config.max_head.bytes().max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(config.h2_ping_interval)
        .keep_alive_timeout(config.h2_ping_timeout)
        .max_concurrent_streams(config.h2_max_streams)
        .max_pending_accept_reset_streams(config.h2_max_pending_resets)
        .max_local_error_reset_streams(config.h2_max_local_resets)
        .initial_stream_window_size(as_u32(config.h2_stream_window.0))
        .initial_connection_window_size(as_u32(config.h2_connection_window.0))
        .max_send_buf_size(config.h2_send_buffer.bytes())
        .max_header_list_size(as_u32(config.max_head.0));
    builder
}

fn as_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// One accepted connection.
struct Connection {
    builder: Arc<auto::Builder<TokioExecutor>>,
    router: Router,
    config: Arc<Config>,
    watcher: Watcher,
    cut: CancellationToken,
    peer: IpAddr,
    _place: Place,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Answers are written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a socket is gone already");
            return;
        }
        let asked = Arc::new(AtomicBool::new(false));
        let service = {
            let (router, asked, peer) = (self.router, Arc::clone(&asked), self.peer);
            service_fn(move |mut request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                request.extensions_mut().insert(Peer(peer));
                router.clone().call(request)
            })
        };
        let io = TokioIo::new(Stall::new(stream, self.config.write_timeout));
        let connection = self.watcher.watch(self.builder.serve_connection(io, service).into_owned());
        tokio::select! {
            ended = connection => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %self.peer, %error, "a connection ended badly");
                }
            }
            () = silent(&asked, self.config.first_request_timeout) => {
                tracing::debug!(peer = %self.peer, "a connection asked nothing in time");
            }
            () = self.cut.cancelled() => {}
        }
    }
}

/// Ends if the first request has not come in time. This covers what hyper leaves open: telling the protocols apart has no
/// timeout of its own, and neither has an HTTP/2 connection without streams.
async fn silent(asked: &AtomicBool, limit: Duration) {
    tokio::time::sleep(limit).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// How many connections there are, in all and by address.
#[derive(Debug, Default)]
struct Places(Mutex<(usize, HashMap<IpAddr, usize>)>);

/// One connection's share of the limits, given back when it ends.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    peer: IpAddr,
}

impl Place {
    fn take(places: &Arc<Places>, peer: IpAddr, config: &Config) -> Option<Self> {
        let mut guard = places.0.lock();
        let (total, by_address) = &mut *guard;
        let here = by_address.get(&peer).copied().unwrap_or(0);
        if *total >= config.max_connections {
            metrics::refused("total");
            return None;
        }
        if here >= config.max_connections_per_address {
            metrics::refused("address");
            return None;
        }
        *total += 1;
        by_address.insert(peer, here + 1);
        metrics::opened();
        Some(Self { places: Arc::clone(places), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut guard = self.places.0.lock();
        let (total, by_address) = &mut *guard;
        *total -= 1;
        if let Some(here) = by_address.get_mut(&self.peer) {
            *here -= 1;
            if *here == 0 {
                by_address.remove(&self.peer);
            }
        }
        metrics::closed();
    }
}
