//! Leads the workers through a run, and adds up what they see.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::clock::{self, Offset};
use super::crew::Member;
pub use super::crew::Worker;
use super::link::SILENCE;
use super::message::{Assignment, FromWorker, Milestone, Part, ToWorker};
use super::timeline::Timeline;
use super::{fleet, wall, worker};
use crate::measure::kernel;
use crate::measure::process::{self, Sample};
use crate::measure::server::Watch;
use crate::outcome::{Outcome, Snapshot};
use crate::plan::{Plan, credentials};
use crate::show::Show;

/// How often workers elsewhere are spoken to, so that they know that somebody is there.
const GREETING: Duration = Duration::from_secs(5);
/// What a message may take beyond its way before a worker acts on it.
const SLACK: Duration = Duration::from_millis(20);

/// Runs a plan with these workers. Every tick and milestone is shown on the way; when `stop` resolves, the run ends early and reports all the same.
///
/// Fails when the credentials do not suffice, or a worker cannot go on; then the others are ended.
pub async fn run(
    plan: Plan,
    workers: Vec<Worker>,
    show: &mut dyn Show,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let mut lead = Lead::start(plan, workers).await?;
    tokio::pin!(stop);
    let mut stopping = false;
    let mut greeting = tokio::time::interval(GREETING);
    while !lead.finished() {
        tokio::select! {
            message = lead.reports.recv() => {
                let (index, message) = message.context("every worker is gone")?;
                let name = &lead.workers[index].member.name;
                let message = message.ok_or_else(|| anyhow!("{name}: ended without a word"))?;
                lead.handle(index, message, show)?;
            }
            _ = greeting.tick() => lead.greet()?,
            () = &mut stop, if !stopping => {
                stopping = true;
                show.stopping();
                lead.tell_all(|_| ToWorker::Stop)?;
            }
        }
    }
    Ok(lead.outcome(stopping))
}

/// A worker under way.
struct Led {
    member: Member,
    inbox: mpsc::Sender<ToWorker>,
    here: bool,
    heard: Instant,
    reached: Milestone,
    /// What its process cost, as last heard.
    generator: Sample,
    done: bool,
    /// Passes on what it tells, and what carries that here.
    _carriers: [AbortOnDropHandle<()>; 2],
}

struct Lead {
    plan: Plan,
    started: Instant,
    started_at_ms: u64,
    workers: Vec<Led>,
    /// What each worker tells; none at the end.
    reports: mpsc::Receiver<(usize, Option<FromWorker>)>,
    timeline: Timeline,
    reached: Milestone,
    snapshots: Vec<Snapshot>,
    parts: Vec<Part>,
    server: Watch,
    /// How long a message to all may be on its way.
    notice: Duration,
}

impl Lead {
    async fn start(mut plan: Plan, mut workers: Vec<Worker>) -> anyhow::Result<Self> {
        if workers.is_empty() {
            bail!("no worker to run the plan");
        }
        plan.scenario.complete(&mut plan.load)?;
        let users = credentials::read(&plan.target.credentials, plan.scenario.users())?;
        let authorities = plan.target.authorities()?;
        let clocks = clocks(&mut workers).await?;
        let slowest = clocks.iter().map(|clock| 2 * clock.error_us).max().unwrap_or_default();
        let alone = workers.iter().all(|worker| worker.here);
        let notice = if alone { Duration::ZERO } else { Duration::from_micros(2 * slowest) + SLACK };

        let begin_us = wall::now_us() + u64::try_from(notice.as_micros())?;
        let started = Instant::now() + notice;
        let (merged, reports) = mpsc::channel(worker::QUEUE);
        let mut users = users.into_iter();
        let mut led = Vec::with_capacity(workers.len());
        let parts = fleet::parts(&plan, &workers)?;
        for (index, ((worker, part), clock)) in workers.into_iter().zip(parts).zip(clocks).enumerate() {
            let Worker { name, inbox, mut outbox, here, machine, carrier, .. } = worker;
            let users = users.by_ref().take(part.scenario.users()).collect();
            let run = begin_us / 1000;
            let begin_us = clock.there(begin_us);
            let assignment = Assignment { plan: part, users, authorities: authorities.clone(), begin_us, run };
            let start = ToWorker::Start(Box::new(assignment));
            inbox.send(start).await.with_context(|| format!("{name}: did not start"))?;
            let merged = merged.clone();
            let passing_on = tokio::spawn(async move {
                loop {
                    let message = outbox.recv().await;
                    let last = message.as_ref().is_none_or(FromWorker::is_last);
                    if merged.send((index, message)).await.is_err() || last {
                        break;
                    }
                }
            });
            led.push(Led {
                member: Member { name, clock, machine },
                inbox,
                here,
                heard: Instant::now(),
                reached: Milestone::Start,
                generator: Sample::default(),
                done: false,
                _carriers: [carrier, AbortOnDropHandle::new(passing_on)],
            });
        }
        let mut lead = Self {
            server: Watch::start(&plan.target),
            plan,
            started,
            started_at_ms: begin_us / 1000,
            timeline: Timeline::new(led.len()),
            workers: led,
            reports,
            reached: Milestone::Start,
            snapshots: Vec::new(),
            parts: Vec::new(),
            notice,
        };
        lead.snapshot(Milestone::Start, started);
        Ok(lead)
    }

    fn finished(&self) -> bool {
        self.workers.iter().all(|worker| worker.done)
    }

    fn handle(&mut self, index: usize, message: FromWorker, show: &mut dyn Show) -> anyhow::Result<()> {
        let worker = &mut self.workers[index];
        worker.heard = Instant::now();
        match message {
            FromWorker::Reached { milestone, generator } => {
                worker.generator = generator;
                worker.reached = worker.reached.max(milestone);
                self.go_on(show)?;
            }
            FromWorker::Tick(mut tick) => {
                worker.generator = tick.generator;
                if worker.here {
                    // Its costs are this process's, which are added below.
                    tick.generator = Sample::default();
                }
                self.timeline.tell(index, *tick);
                self.show_ticks(show);
            }
            FromWorker::Pong { .. } => {}
            FromWorker::Done(part) => {
                worker.done = true;
                // Who was stopped may have left milestones out, and nobody is to wait there.
                worker.reached = Milestone::Settled;
                self.parts.push(*part);
                self.timeline.end(index);
                self.show_ticks(show);
                self.go_on(show)?;
            }
            FromWorker::Failed(reason) if worker.here => bail!("{reason}"),
            FromWorker::Failed(reason) => bail!("{}: {reason}", worker.member.name),
        }
        Ok(())
    }

    /// Lets everybody go on from the milestones that the last one has reached.
    fn go_on(&mut self, show: &mut dyn Show) -> anyhow::Result<()> {
        let all = self.workers.iter().map(|worker| worker.reached).min().unwrap_or(Milestone::Settled);
        let before = std::mem::replace(&mut self.reached, all);
        // Only one that is waited at begins something, and most runs have nothing to begin there.
        let is_met = |next: Milestone| next > before && next <= all && (next != Milestone::Strike || next == all);
        for milestone in Milestone::ALL.into_iter().filter(|&next| is_met(next)) {
            // What comes next begins a little later, when all can have heard of it.
            self.snapshot(milestone, Instant::now() + self.notice);
            show.milestone(milestone, self.started.elapsed());
            let at_us = wall::now_us() + u64::try_from(self.notice.as_micros())?;
            self.tell_all(|worker| ToWorker::Go { milestone, at_us: worker.member.clock.there(at_us) })?;
            if milestone == Milestone::Strike {
                self.plan.scenario.strike(self.notice)?;
            }
        }
        Ok(())
    }

    /// Shows and keeps every second that all have told.
    fn show_ticks(&mut self, show: &mut dyn Show) {
        while let Some(mut tick) = self.timeline.next() {
            tick.generator.add(process::own());
            tick.servers = self.server.processes();
            tick.metrics = self.server.metrics();
            show.tick(&tick);
            self.timeline.enter(tick);
        }
    }

    /// Tells those elsewhere that the coordinator is there, and looks whether they are.
    fn greet(&mut self) -> anyhow::Result<()> {
        for worker in self.workers.iter().filter(|worker| !worker.here && !worker.done) {
            if worker.heard.elapsed() > SILENCE {
                bail!("{}: nothing was heard of it for {} s", worker.member.name, SILENCE.as_secs());
            }
            worker.tell(ToWorker::Ping)?;
        }
        Ok(())
    }

    /// Notes what all cost so far, and since when what follows goes on.
    fn snapshot(&mut self, milestone: Milestone, at: Instant) {
        let servers = self.server.processes();
        let elsewhere = self.workers.iter().filter(|worker| !worker.here).map(|worker| worker.generator);
        let generator = elsewhere.chain([process::own()]).sum();
        let seconds = at.saturating_duration_since(self.started).as_secs_f64();
        self.snapshots.push(Snapshot { milestone, seconds, servers, generator, kernel: kernel::memory() });
    }

    fn tell_all(&self, message: impl Fn(&Led) -> ToWorker) -> anyhow::Result<()> {
        self.workers.iter().filter(|worker| !worker.done).try_for_each(|worker| worker.tell(message(worker)))
    }

    fn outcome(self, stopped: bool) -> Outcome {
        let fleet = self.workers.into_iter().map(|worker| worker.member).collect();
        let (started, rows) = (self.started_at_ms, self.timeline.into_rows());
        let mut outcome = Outcome::new(self.plan, fleet, started, self.snapshots, rows, self.parts, stopped);
        outcome.warnings.extend(self.server.warnings());
        outcome
    }
}

impl Led {
    /// Never waits: a worker that does not listen must not keep the others from it.
    fn tell(&self, message: ToWorker) -> anyhow::Result<()> {
        match self.inbox.try_send(message) {
            // One that is gone hears nothing, and its end comes as a report.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => bail!("{}: does not listen", self.member.name),
        }
    }
}

/// Compares everybody's clock with this one, at the same time.
async fn clocks(workers: &mut [Worker]) -> anyhow::Result<Vec<Offset>> {
    let asked = workers.iter_mut().map(|worker| async {
        if worker.here {
            return Ok(Offset::default());
        }
        let name = worker.name.clone();
        clock::estimate(worker).await.context(name)
    });
    futures_util::future::try_join_all(asked).await
}

#[cfg(test)]
mod tests;
