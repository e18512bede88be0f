//! Leads the workers through a run, and adds up what they see.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use anyhow::{Context as _, bail};
use tokio::sync::mpsc;

use super::message::{Assignment, FromWorker, Milestone, Part, ToWorker};
use super::{wall, worker};
use crate::measure::kernel;
use crate::measure::process::{self, Sample};
use crate::measure::server::Watch;
use crate::measure::tick::Tick;
use crate::outcome::{Outcome, Snapshot};
use crate::plan::{Plan, credentials};
use crate::show::Show;

/// Messages between the coordinator and one worker that may wait.
const QUEUE: usize = 64;

/// The coordinator's end of a worker, wherever that is.
#[derive(Debug)]
pub struct Worker {
    /// What it is told.
    pub inbox: mpsc::Sender<ToWorker>,
    /// What it tells.
    pub outbox: mpsc::Receiver<FromWorker>,
}

impl Worker {
    /// A task of this process.
    #[must_use]
    pub fn local() -> Self {
        let (inbox, commands) = mpsc::channel(QUEUE);
        let (reports, outbox) = mpsc::channel(QUEUE);
        tokio::spawn(worker::work(commands, reports));
        Self { inbox, outbox }
    }
}

/// Runs a plan with these workers. Every tick and milestone is shown on the way; when `stop` resolves, the run ends early and reports all the same.
///
/// Fails when the credentials do not suffice, or a worker cannot go on.
pub async fn run(
    plan: Plan,
    workers: Vec<Worker>,
    show: &mut dyn Show,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let mut lead = Lead::start(plan, workers).await?;
    tokio::pin!(stop);
    let mut stopping = false;
    while !lead.finished() {
        tokio::select! {
            message = lead.reports.recv() => {
                let (index, message) = message.context("every worker is gone")?;
                lead.handle(index, message, show).await?;
            }
            () = &mut stop, if !stopping => {
                stopping = true;
                show.stopping();
                lead.tell_all(&ToWorker::Stop).await;
            }
        }
    }
    Ok(lead.outcome(stopping))
}

struct Lead {
    plan: Plan,
    started: Instant,
    started_at_ms: u64,
    inboxes: Vec<mpsc::Sender<ToWorker>>,
    reports: mpsc::Receiver<(usize, FromWorker)>,
    /// Ticks of a second that not all workers have told yet.
    ticks: BTreeMap<u32, (usize, Tick)>,
    timeline: Vec<Tick>,
    reached: HashMap<Milestone, usize>,
    snapshots: Vec<Snapshot>,
    parts: Vec<Part>,
    /// The generator's processes, each as last heard.
    generators: Vec<Sample>,
    server: Watch,
}

impl Lead {
    async fn start(plan: Plan, workers: Vec<Worker>) -> anyhow::Result<Self> {
        if workers.is_empty() {
            bail!("no worker to run the plan");
        }
        let users = credentials::read(&plan.target.credentials, plan.scenario.users())?;
        let started_at_ms = wall::now_us() / 1000;
        let (merged, reports) = mpsc::channel(QUEUE);
        let mut users = users.into_iter();
        let mut inboxes = Vec::with_capacity(workers.len());
        for (index, (part, worker)) in plan.split(workers.len()).into_iter().zip(workers).enumerate() {
            let users = users.by_ref().take(part.scenario.users()).collect();
            let assignment = Assignment { plan: part, users, run: started_at_ms };
            let Worker { inbox, mut outbox } = worker;
            inbox.send(ToWorker::Start(Box::new(assignment))).await.context("a worker did not start")?;
            inboxes.push(inbox);
            let merged = merged.clone();
            tokio::spawn(async move {
                while let Some(message) = outbox.recv().await {
                    if merged.send((index, message)).await.is_err() {
                        break;
                    }
                }
            });
        }
        let generators = vec![Sample::default(); inboxes.len()];
        let mut lead = Self {
            server: Watch::start(&plan.target),
            plan,
            started: Instant::now(),
            started_at_ms,
            inboxes,
            reports,
            ticks: BTreeMap::new(),
            timeline: Vec::new(),
            reached: HashMap::new(),
            snapshots: Vec::new(),
            parts: Vec::new(),
            generators,
        };
        lead.snapshot(Milestone::Start);
        Ok(lead)
    }

    fn finished(&self) -> bool {
        self.parts.len() == self.inboxes.len()
    }

    async fn handle(&mut self, index: usize, message: FromWorker, show: &mut dyn Show) -> anyhow::Result<()> {
        match message {
            FromWorker::Reached(milestone) => {
                let reached = self.reached.entry(milestone).or_default();
                *reached += 1;
                if *reached == self.inboxes.len() {
                    self.snapshot(milestone);
                    show.milestone(milestone, self.started.elapsed());
                    self.tell_all(&ToWorker::Go(milestone)).await;
                }
            }
            FromWorker::Tick(tick) => self.enter(index, *tick, show),
            FromWorker::Pong { .. } => {}
            FromWorker::Done(part) => self.parts.push(*part),
            FromWorker::Failed(reason) => bail!("{reason}"),
        }
        Ok(())
    }

    /// Adds a worker's tick to the others' of that second, and shows the second once all have told it.
    fn enter(&mut self, index: usize, tick: Tick, show: &mut dyn Show) {
        self.generators[index] = tick.generator;
        let (told, sum) = self.ticks.entry(tick.second).or_default();
        *told += 1;
        sum.second = tick.second;
        sum.add(tick);
        // Workers that are done tell no more.
        let talking = self.inboxes.len() - self.parts.len();
        while let Some(first) = self.ticks.first_entry() {
            if first.get().0 < talking {
                break;
            }
            let (_, mut tick) = first.remove();
            tick.servers = self.server.processes();
            tick.metrics = self.server.metrics();
            show.tick(&tick);
            self.timeline.push(tick);
        }
    }

    fn snapshot(&mut self, milestone: Milestone) {
        let servers = self.server.processes();
        // Workers in other processes are as they told last; this process is asked.
        let generator = if self.generators.len() == 1 {
            process::sample(std::process::id()).unwrap_or_default()
        } else {
            self.generators.iter().copied().sum()
        };
        let (seconds, kernel) = (self.started.elapsed().as_secs_f64(), kernel::memory());
        self.snapshots.push(Snapshot { milestone, seconds, servers, generator, kernel });
    }

    async fn tell_all(&self, message: &ToWorker) {
        for inbox in &self.inboxes {
            // A worker that is done hears nothing.
            let _ = inbox.send(message.clone()).await;
        }
    }

    fn outcome(mut self, stopped: bool) -> Outcome {
        let rest: Vec<Tick> = self.ticks.into_values().map(|(_, tick)| tick).collect();
        self.timeline.extend(rest);
        let mut outcome =
            Outcome::new(self.plan, self.started_at_ms, self.snapshots, self.timeline, self.parts, stopped);
        outcome.warnings.extend(self.server.warnings());
        outcome
    }
}
