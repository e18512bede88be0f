//! The parts of a running process, and how they are put together and taken apart.

mod backend;
mod background;
mod rest;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use domain::{Clock, Domain};
use gateway::{Certs, Gateway, Hub};
use metrics_exporter_prometheus::PrometheusHandle;
use outbound::Http;
use storage::Store;

use crate::config::Config;
use crate::probes::Probes;
use crate::running::{GatewayAddresses, Running};
use crate::shutdown::{Request, Signals};
use crate::start::Role;
use crate::tls::{self, Identity};
use backend::Backend;
use background::Background;
use rest::Rest;

/// Everything that runs.
pub(crate) struct Process {
    domain: Domain,
    store: Store,
    background: Background,
    gateway: Option<Gateway>,
    rest: Option<Rest>,
    probes: Option<Probes>,
}

impl Process {
    /// Starts the parts of a role. When this returns, all of them listen.
    ///
    /// # Errors
    /// Names what could not be started.
    pub(crate) async fn start(role: Role, config: &Config, metrics: PrometheusHandle) -> Result<Self> {
        let clock = Clock::system();
        let backend = Backend::open(role, config, &clock).await?;
        let hub = (role != Role::Rest).then(|| Hub::new(config.gateway.clone()));
        let domain = backend.domain(config, &clock, hub.as_ref()).await?;
        domain.webhooks.install(Arc::new(outbound::Webhooks::new(Http::new(&config.outbound), clock.clone())));
        // Before anybody can say anything: what a message leaves to be done, this process takes upon itself.
        let background = Background::start(config, &clock, &backend, &domain, hub.is_some())?;
        let gateway = match hub {
            Some(hub) => Some(start_gateway(config, &clock, &domain, hub).await?),
            None => None,
        };
        let rest = match role {
            Role::Serve | Role::Rest => Some(Rest::start(config, &domain, &clock, metrics.clone()).await?),
            Role::Gateway => None,
        };
        let probes = match config.metrics.listen.as_str() {
            "" => None,
            listen => Some(Probes::start(listen, metrics, domain.clone()).await?),
        };
        Ok(Self { domain, store: backend.store, background, gateway, rest, probes })
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
            metrics: self.probes.as_ref().map(Probes::address),
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
        if let Some(probes) = &self.probes {
            probes.announce_drain();
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
        let Self { domain, store, background, gateway, rest, probes } = self;
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
        background.stop().await;
        drop((domain, store, probes));
    }
}

async fn start_gateway(config: &Config, clock: &Clock, domain: &Domain, hub: Arc<Hub>) -> Result<Gateway> {
    let identity = tls::load(config).context("certificate")?;
    if identity.self_signed {
        tracing::warn!(
            folder = %config.tls_dir().display(),
            "the certificate is self-signed, which phones refuse: set tls.certificate and tls.key"
        );
    }
    let certs = Certs::new(identity.chain, identity.key).context("certificate")?;
    Gateway::start(domain.clone(), hub, clock.clone(), Some(certs)).await.context("gateway")
}
