//! The gateway as a whole: what listens, what runs beside the connections, and how all of it stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use domain::{Clock, Domain};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept;
use crate::certs::{Certs, Resolver};
use crate::config::Config;
use crate::limit::Addresses;
use crate::metrics;
use crate::presence;
use crate::registry::Hub;
use crate::session::Now;
use crate::wire::{quic, tcp, tls};

/// A round in which deadlines are looked at; shorter where one is shorter than a few of these. One that comes nearer is noticed up to eight
/// rounds late: see `registry/sweep.rs`.
const TICK: Duration = Duration::from_secs(1);
/// How long the end of a QUIC endpoint may take.
const QUIC_GOODBYE: Duration = Duration::from_secs(1);

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    addresses: LocalAddresses,
    resolver: Option<Arc<Resolver>>,
    endpoint: Option<quinn::Endpoint>,
    /// What runs beside connections and must end after them.
    background: TaskTracker,
    stop_background: CancellationToken,
}

/// Where the gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalAddresses {
    pub tcp: Option<SocketAddr>,
    pub tls: Option<SocketAddr>,
    /// UDP.
    pub quic: Option<SocketAddr>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is no address, or cannot be listened on.
    #[error("cannot listen on {address} ({transport}): {source}")]
    Listen {
        /// Which transport.
        transport: &'static str,
        /// The configured address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// TLS or QUIC is on, and there is no certificate.
    #[error("TLS and QUIC need a certificate")]
    NoCertificate,
    /// The cryptography library refuses.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) domain: Domain,
    pub(crate) hub: Arc<Hub>,
    /// Connections, handshakes and listeners.
    pub(crate) tasks: TaskTracker,
    /// No new connections from here on.
    pub(crate) stop_accepting: CancellationToken,
    pub(crate) handshakes: AtomicUsize,
    clock: Clock,
    addresses: Addresses,
    open: AtomicUsize,
}

/// A connection's place among the others; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Gateway {
    /// Listens, and serves the domain's users from now on. The hub must be the one that the domain delivers to.
    ///
    /// # Errors
    /// [`StartError`], and nothing is left listening.
    pub async fn start(domain: Domain, hub: Arc<Hub>, clock: Clock, certs: Option<Certs>) -> Result<Self, StartError> {
        let config = Arc::clone(&hub.config);
        let shared = Arc::new(Shared::new(domain, hub, clock));
        let reset_key = certs.as_ref().map(Certs::reset_key).unwrap_or_default();
        let resolver = certs.map(|certs| Arc::new(Resolver::new(certs)));
        let mut addresses = LocalAddresses::default();
        let tcp = match config.tcp.enabled {
            true => Some(bind("tcp", &config.tcp.listen, tcp::listen).await?),
            false => None,
        };
        let tls = match config.tls.enabled {
            true => {
                let resolver = resolver.clone().ok_or(StartError::NoCertificate)?;
                Some((bind("tls", &config.tls.listen, tcp::listen).await?, tls::config(resolver)?))
            }
            false => None,
        };
        let endpoint = match config.quic.enabled {
            true => {
                let resolver = resolver.clone().ok_or(StartError::NoCertificate)?;
                let listen = |address| quic::listen(address, &config, Arc::clone(&resolver), reset_key);
                Some(bind("quic", &config.quic.listen, listen).await?)
            }
            false => None,
        };
        if let Some(listener) = tcp {
            addresses.tcp = listener.local_addr().ok();
            shared.tasks.spawn(accept::tcp(Arc::clone(&shared), listener));
        }
        if let Some((listener, config)) = tls {
            addresses.tls = listener.local_addr().ok();
            shared.tasks.spawn(accept::tls(Arc::clone(&shared), listener, config));
        }
        if let Some(endpoint) = &endpoint {
            addresses.quic = endpoint.local_addr().ok();
            shared.tasks.spawn(accept::quic(Arc::clone(&shared), endpoint.clone()));
        }
        let (background, stop_background) = (TaskTracker::new(), CancellationToken::new());
        run_beside(&shared, &background, &stop_background);
        tracing::info!(?addresses, "the gateway listens");
        Ok(Self { shared, addresses, resolver, endpoint, background, stop_background })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> LocalAddresses {
        self.addresses
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Shows new connections another certificate. Open ones keep theirs.
    pub fn reload(&self, certs: Certs) {
        if let Some(resolver) = &self.resolver {
            resolver.replace(certs);
        }
    }

    /// Puts these limits in force: `frames` (on connections that open from now on), `sends`, `connects`, `connections_per_address`
    /// and `max_connections`. Nothing else of the configuration changes while the gateway runs.
    pub fn set_limits(&self, config: &Config) {
        self.shared.hub.set_limits(config);
    }

    /// Stops in good order: takes no new connections, tells every client to come back after a delay of its own, finishes what is
    /// under way, and closes. What is still open after `deadline` is cut. Nothing that was acknowledged is lost either way.
    pub async fn drain(self, deadline: Duration) {
        self.shared.stop_accepting.cancel();
        if let Some(endpoint) = &self.endpoint {
            endpoint.set_server_config(None);
        }
        let open = self.shared.hub.count();
        tracing::info!(sessions = open, "the gateway drains");
        self.shared.hub.drain(Instant::now());
        self.shared.tasks.close();
        if tokio::time::timeout(deadline, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.connections(), "some connections did not end in time and are cut");
        }
        self.stop().await;
    }

    /// Stops at once: every connection is cut.
    pub async fn stop(self) {
        self.shared.stop_accepting.cancel();
        self.shared.hub.cut(Instant::now());
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Some(endpoint) = &self.endpoint {
            endpoint.close(quinn::VarInt::from_u32(0), b"");
            // Clients that do not hear of it find out by themselves.
            let _ = tokio::time::timeout(QUIC_GOODBYE, endpoint.wait_idle()).await;
        }
        self.stop_background.cancel();
        self.background.close();
        self.background.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop_accepting.cancel();
        self.stop_background.cancel();
        self.shared.hub.cut(Instant::now());
    }
}

impl Shared {
    pub(crate) fn new(domain: Domain, hub: Arc<Hub>, clock: Clock) -> Self {
        Self {
            addresses: Addresses::new(&hub.config),
            domain,
            hub,
            tasks: TaskTracker::new(),
            stop_accepting: CancellationToken::new(),
            handshakes: AtomicUsize::new(0),
            clock,
            open: AtomicUsize::new(0),
        }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Now {
        Now { at: Instant::now(), unix_ms: self.clock.now().0 }
    }

    /// A place for a connection from an address; `None` if there is none.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Place> {
        let limits = self.hub.live.load();
        let most = limits.max_connections;
        if most > 0 && self.open.load(Ordering::Relaxed) >= most {
            metrics::refused("full");
            return None;
        }
        if let Err(refusal) = self.addresses.enter(address, now, &limits) {
            metrics::refused(refusal.name());
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Place { shared: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.addresses.leave(self.address);
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts what runs beside connections: deadlines, leases, the numbers of chat rooms.
fn run_beside(shared: &Arc<Shared>, tasks: &TaskTracker, stop: &CancellationToken) {
    let (sweeping, swept_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move { sweeping.hub.sweep(tick(&sweeping.hub.config), swept_until).await });
    let (forgetting, forgotten_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(tick(&forgetting.hub.config));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while forgotten_until.run_until_cancelled(ticks.tick()).await.is_some() {
            forgetting.addresses.sweep(Instant::now());
        }
    });
    let (reporting, reported_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move { reporting.hub.report_rooms(&reporting.domain, reported_until).await });
    let (telling, told_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move { telling.hub.resync_when_lost(told_until).await });
    let (waking, woken_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move { waking.hub.wake_crowds(woken_until).await });
    let (watching, watched_until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move {
        presence::watch_runs(&watching.domain, &watching.hub, &watching.clock, watched_until).await;
    });
    let (reconciling, until) = (Arc::clone(shared), stop.clone());
    tasks.spawn(async move {
        // The run is ended only after the last lease of it was written, so that none comes back to life.
        let stop_renewing = CancellationToken::new();
        let reconcile = async {
            reconciling.hub.presence.run(&reconciling.domain, &reconciling.hub, until).await;
            stop_renewing.cancel();
        };
        tokio::join!(reconcile, presence::renew(&reconciling.domain, &reconciling.hub, stop_renewing.clone()));
    });
}

/// A second, or a quarter of the shortest deadline.
fn tick(config: &Config) -> Duration {
    [config.login_deadline, config.heartbeat, config.write_deadline, config.linger, config.resume_window]
        .into_iter()
        .filter(|deadline| !deadline.is_zero())
        .map(|deadline| deadline / 4)
        .fold(TICK, Duration::min)
        .max(Duration::from_millis(5))
}

async fn bind<T>(
    transport: &'static str,
    address: &str,
    listen: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<T, StartError> {
    let failed = |source| StartError::Listen { transport, address: address.to_owned(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host(address).await.map_err(failed)? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}
