//! What is known of the cluster, and whoever keeps it up to date.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::config::RedisConfig;
use super::functions;
use super::layout::{ChunkPlace, Names};
use super::node::{Command, Connect, Lost, Node};
use super::seal::Request;
use super::slots::Slots;
use super::url::Host;
use crate::{Clock, metrics};

/// How many servers are asked side by side for the slots, so that one that is silent costs nothing.
const ASKED: usize = 3;

/// What all that work for one store share.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) config: RedisConfig,
    pub(super) names: Names,
    pub(super) clock: Clock,
    connect: Box<dyn Connect>,
    sealing: Option<mpsc::Sender<Request>>,
    view: Mutex<View>,
    stale: Notify,
}

#[derive(Debug, Default)]
struct View {
    slots: Arc<Slots>,
    /// The cluster's epoch when they were told; what is older is not believed.
    epoch: i64,
    /// Where to begin to ask next time.
    turn: usize,
}

impl Cluster {
    /// `sealing` is whoever brings sealed chunks back, if somebody does.
    pub(super) fn new(
        config: RedisConfig,
        clock: Clock,
        connect: Box<dyn Connect>,
        sealing: Option<mpsc::Sender<Request>>,
    ) -> Self {
        let names = Names::new(&config.namespace);
        Self { config, names, clock, connect, sealing, view: Mutex::default(), stale: Notify::new() }
    }

    pub(super) fn slots(&self) -> Arc<Slots> {
        Arc::clone(&self.view.lock().slots)
    }

    /// A connection to a server that has the functions.
    pub(super) async fn open(&self, host: &Host) -> Result<Box<dyn Node>, Lost> {
        let node = self.connect.connect(host).await?;
        functions::load(node.as_ref(), self.config.connect_timeout)
            .await
            .map_err(|Lost(why)| Lost(format!("{host}: {why}")))?;
        Ok(node)
    }

    /// Has a sealed chunk brought back. False if nobody can.
    pub(super) fn unseal(&self, chunk: ChunkPlace) -> bool {
        let Some(sealing) = &self.sealing else { return false };
        // Whoever wants it asks again until it is there, so one request may be lost.
        let _ = sealing.try_send(Request::Unseal(chunk));
        true
    }

    /// Whoever is to hear that a log has begun a new chunk.
    pub(super) fn sealing(&self) -> Option<&mpsc::Sender<Request>> {
        self.sealing.as_ref()
    }

    /// Says that what is known has turned out wrong.
    pub(super) fn suspect(&self) {
        self.stale.notify_one();
    }

    /// Notes a redirection, and asks for the rest.
    pub(super) fn moved(&self, slot: u16, host: Host) {
        let mut view = self.view.lock();
        if view.slots.owner(slot).is_none_or(|owner| **owner != host) {
            let mut slots = (*view.slots).clone();
            slots.set(slot, host);
            view.slots = Arc::new(slots);
        }
        drop(view);
        self.suspect();
    }

    /// Completes when the slots are to be asked for again.
    pub(super) async fn due(&self) {
        let _ = tokio::time::timeout(self.config.refresh, self.stale.notified()).await;
    }

    /// Asks the cluster who serves what.
    pub(super) async fn refresh(&self) -> Result<(), Lost> {
        let hosts = self.to_ask();
        let mut answers: FuturesUnordered<_> = hosts.iter().map(|host| self.ask(host)).collect();
        let mut outcome = Err(Lost("no server is known".into()));
        while let Some(answer) = answers.next().await {
            match answer {
                Ok((epoch, slots)) => {
                    let mut view = self.view.lock();
                    if epoch >= view.epoch {
                        view.epoch = epoch;
                        if *view.slots != slots {
                            view.slots = Arc::new(slots);
                        }
                        return Ok(());
                    }
                    outcome = Err(Lost("what the cluster told is older than what is known".into()));
                }
                Err(lost) => outcome = Err(lost),
            }
        }
        outcome
    }

    /// Some servers, others each time: those that serve, then those of the settings.
    fn to_ask(&self) -> Vec<Host> {
        let mut view = self.view.lock();
        let mut all: Vec<Host> = view.slots.hosts().iter().map(|host| (**host).clone()).collect();
        for seed in &self.config.url.hosts {
            if !all.contains(seed) {
                all.push(seed.clone());
            }
        }
        view.turn = view.turn.wrapping_add(ASKED);
        let start = view.turn % all.len().max(1);
        all.rotate_left(start);
        all.truncate(ASKED);
        all
    }

    async fn ask(&self, host: &Host) -> Result<(i64, Slots), Lost> {
        let node = self.connect.connect(host).await?;
        let commands = vec![Command::new("CLUSTER").arg("INFO"), Command::new("CLUSTER").arg("SLOTS")];
        let answers = node.run(commands, self.config.connect_timeout).await?;
        let mut answers =
            answers.into_iter().map(|answer| answer.map_err(|refusal| Lost(format!("{host}: {refusal}"))));
        let odd = || Lost(format!("{host} does not answer as a cluster does"));
        let mut next = || answers.next().unwrap_or_else(|| Err(odd()));
        let info = next()?.into_text().ok_or_else(odd)?;
        let epoch = field(&info, "cluster_current_epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        // A server that has lost the others keeps telling what was.
        if field(&info, "cluster_state") != Some("ok") && self.slots().is_whole() {
            return Err(Lost(format!("{host} is cut off from the cluster")));
        }
        Ok((epoch, Slots::read(next()?, host).ok_or_else(odd)?))
    }
}

/// Whoever has to know who serves what.
pub(super) trait Watch: Send {
    fn route(&mut self, slots: &Arc<Slots>);
    /// Whether nobody has to know any more.
    fn is_done(&self) -> bool;
}

/// Keeps asking the cluster, and tells.
pub(super) async fn watch(cluster: Arc<Cluster>, mut watch: impl Watch) {
    const PAUSE: Duration = Duration::from_millis(100);
    let mut failing = false;
    while !watch.is_done() {
        match cluster.refresh().await {
            Ok(()) if failing => {
                tracing::info!("the cluster answers again");
                failing = false;
            }
            Ok(()) => {}
            Err(lost) if failing => tracing::debug!(%lost, "the cluster does not tell who serves what"),
            Err(lost) => {
                tracing::warn!(%lost, "the cluster does not tell who serves what");
                failing = true;
            }
        }
        let slots = cluster.slots();
        metrics::cluster_whole(slots.is_whole());
        watch.route(&slots);
        // Suspicions come in crowds.
        tokio::time::sleep(PAUSE).await;
        cluster.due().await;
    }
}

/// The value of a line `name:value` of an answer to `INFO` or `CLUSTER INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
