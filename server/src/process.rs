//! The parts of a running process, and how they are put together and taken apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::{Clock, Domain, Outlet, record};
use gateway::{Certs, Gateway, Hub};
use metrics_exporter_prometheus::PrometheusHandle;
use outbound::{Http, Outbound};
use prost::Message;
use storage::{Bus, Store, StoreServer, Subscription};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::probes;
use crate::running::{GatewayAddresses, Running};
use crate::shutdown::{Request, Signals};
use crate::start::Role;
use crate::tls::{self, Identity};

/// Events of other processes that may wait to be passed on.
const BUS_CAPACITY: usize = 65_536;

/// Everything that runs.
pub(crate) struct Process {
    domain: Domain,
    store: Store,
    owner: Option<Owner>,
    gateway: Option<Gateway>,
    rest: Option<Rest>,
    probes: Option<(SocketAddr, CancellationToken)>,
}

/// The parts of a process that owns the store: it answers for it, hears what others did, and does what is left in the outbox.
struct Owner {
    stop: CancellationToken,
    socket: JoinHandle<()>,
    listener: JoinHandle<()>,
    outbound: Outbound,
}

/// The REST service on its socket.
struct Rest {
    service: rest::Service,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Process {
    /// Starts the parts of a role. When this returns, all of them listen.
    ///
    /// # Errors
    /// Names what could not be started.
    pub(crate) async fn start(role: Role, config: &Config, metrics: PrometheusHandle) -> Result<Self> {
        let clock = Clock::system();
        let (domain, store, owner, gateway) = if role == Role::Rest {
            let store = Store::connect(&config.store.remote);
            let bus = Bus::connect(&config.store.remote);
            // The gateway may come later than this process: until then, requests are answered 503.
            let domain = Domain::new(store.clone(), clock.clone(), Outlet::Bus(bus), config.domain.clone());
            install_webhooks(config, &clock, &domain);
            (domain, store, None, None)
        } else {
            let (domain, store, owner, gateway) = start_owner(config, &clock).await?;
            (domain, store, Some(owner), Some(gateway))
        };
        let rest = match role {
            Role::Serve | Role::Rest => Some(Rest::start(config, &domain, &clock, metrics.clone()).await?),
            Role::Gateway => None,
        };
        let probes = if config.metrics.listen.is_empty() {
            None
        } else {
            let stop = CancellationToken::new();
            let address = probes::start(&config.metrics.listen, metrics, domain.clone(), stop.clone()).await?;
            Some((address, stop))
        };
        Ok(Self { domain, store, owner, gateway, rest, probes })
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Where everything listens.
    pub(crate) fn running(&self) -> Running {
        let gateway = self.gateway.as_ref().map(|gateway| {
            let addresses = gateway.addresses();
            GatewayAddresses { tcp: addresses.tcp, tls: addresses.tls, quic: addresses.quic }
        });
        Running {
            gateway,
            rest: self.rest.as_ref().map(|rest| rest.address),
            metrics: self.probes.as_ref().map(|(address, _)| *address),
            pid: std::process::id(),
        }
    }

    /// Completes once the store has failed for good.
    pub(crate) async fn failure(&self) -> String {
        self.store.failure().await
    }

    /// Puts in force what can change while the process runs.
    ///
    /// # Errors
    /// If the certificate cannot be used; the old one stays.
    pub(crate) fn reload(&self, config: &Config, identity: Identity) -> Result<()> {
        if let Some(gateway) = &self.gateway {
            gateway.set_limits(&config.gateway);
            gateway.reload(Certs::new(identity.chain, identity.key)?);
        }
        Ok(())
    }

    /// Stops taking in, lets what is under way finish, and ends. Another signal to stop ends it at once.
    pub(crate) async fn drain(self, config: &Config, signals: &mut Signals) {
        if let Some(rest) = &self.rest {
            rest.service.announce_drain();
        }
        if let Some((_, stop)) = &self.probes {
            stop.cancel();
        }
        let drained = tokio::time::timeout(
            config.shutdown.deadline,
            self.finish(config.shutdown.notice, config.shutdown.deadline),
        );
        let impatient = async {
            loop {
                if let Request::Stop(signal) = signals.next().await {
                    return signal;
                }
            }
        };
        tokio::select! {
            done = drained => if done.is_err() {
                tracing::warn!("what was still under way at the deadline is cut");
            },
            signal = impatient => tracing::warn!(signal, "told to stop again: what is still under way is cut"),
        }
    }

    async fn finish(self, notice: Duration, deadline: Duration) {
        let Self { domain, store, owner, gateway, rest, .. } = self;
        tokio::time::sleep(notice).await;
        let gateway_drained = async {
            if let Some(gateway) = gateway {
                gateway.drain(deadline).await;
            }
        };
        let rest_drained = async {
            if let Some(rest) = rest {
                rest.stop().await;
            }
        };
        tokio::join!(gateway_drained, rest_drained);
        // Last, so that a REST service beside this process can be answered until the end.
        if let Some(owner) = owner {
            owner.stop().await;
        }
        drop((domain, store));
    }
}

/// Lets a process ask apps' servers about messages.
fn install_webhooks(config: &Config, clock: &Clock, domain: &Domain) {
    domain.webhooks.install(Arc::new(outbound::Webhooks::new(Http::new(&config.outbound), clock.clone())));
}

/// The store, its socket, and the gateway over it.
async fn start_owner(config: &Config, clock: &Clock) -> Result<(Domain, Store, Owner, Gateway)> {
    let directory = &config.store.rocks.directory;
    let store = Store::open(&config.store.rocks, domain::TABLES, clock.clone())
        .with_context(|| format!("cannot open the store in {}", directory.display()))?;
    let bus = Bus::local();
    let hub = Hub::new(config.gateway.clone());
    let outlet = Outlet::Here(Arc::clone(&hub) as Arc<dyn domain::Deliver>);
    let domain = Domain::open(store.clone(), clock.clone(), outlet, config.domain.clone()).await?;
    install_webhooks(config, clock, &domain);
    let identity = tls::load(config).context("certificate")?;
    if identity.self_signed {
        tracing::warn!(
            folder = %config.tls_dir().display(),
            "the certificate is self-signed, which phones refuse: set tls.certificate and tls.key"
        );
    }
    let certs = Certs::new(identity.chain, identity.key).context("certificate")?;
    let gateway = Gateway::start(domain.clone(), hub, clock.clone(), Some(certs)).await.context("gateway")?;
    let owner = Owner::start(config, clock, &store, bus, &domain)?;
    Ok((domain, store, owner, gateway))
}

impl Owner {
    fn start(config: &Config, clock: &Clock, store: &Store, bus: Bus, domain: &Domain) -> Result<Self> {
        let path = config.store.server.socket.display();
        let server = StoreServer::bind(&config.store.server)
            .with_context(|| format!("cannot listen on the store socket {path}"))?;
        let stop = CancellationToken::new();
        let heard = bus.subscribe(BUS_CAPACITY);
        let listener = tokio::spawn(pass_on(heard, domain.clone(), stop.clone()));
        let serving = server.serve(store.clone(), bus, domain::TABLES, stop.clone().cancelled_owned());
        let http = Http::new(&config.outbound);
        let outbound = Outbound::start(domain.clone(), clock.clone(), http, &config.outbound);
        Ok(Self { stop, socket: tokio::spawn(serving), listener, outbound })
    }

    async fn stop(self) {
        self.outbound.stop().await;
        self.stop.cancel();
        let _ = tokio::join!(self.socket, self.listener);
    }
}

/// Takes what other processes did to the sessions of this one.
async fn pass_on(mut heard: Subscription, domain: Domain, stop: CancellationToken) {
    loop {
        let event = tokio::select! {
            event = heard.recv() => event,
            () = stop.cancelled() => return,
        };
        match event.map(record::Event::decode) {
            Ok(Ok(event)) => domain.receive(event).await,
            Ok(Err(error)) => tracing::warn!(%error, "another process published what is no event"),
            Err(lagged) => {
                tracing::warn!(missed = lagged.missed, "events of other processes were missed: devices synchronise");
                domain.miss();
            }
        }
    }
}

impl Rest {
    async fn start(config: &Config, domain: &Domain, clock: &Clock, metrics: PrometheusHandle) -> Result<Self> {
        let listen = &config.rest.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("rest: cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let render = Arc::new(move || metrics.render());
        let service =
            rest::Service::new(domain.clone(), clock.clone(), config.rest.clone(), rest::Version::default(), render);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(service.clone().serve(listener, stop.clone()));
        Ok(Self { service, address, stop, serving })
    }

    async fn stop(self) {
        self.stop.cancel();
        match self.serving.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the REST service ended badly"),
            Err(error) => tracing::error!(%error, "the REST service ended badly"),
        }
    }
}
