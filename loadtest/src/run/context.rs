//! What a scenario has at hand in one worker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use linnet_sdk::{Client, Event, Limits};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::message::{FromWorker, Milestone};
use crate::measure::ledger::Books;
use crate::measure::meters::Meters;
use crate::measure::names::{count, gauge, timing};
use crate::measure::process;
use crate::plan::Plan;
use crate::plan::credentials::User;
use crate::plan::target::Dialer;

/// Logins under way at the same time, at most, where a scenario does not say.
const PARALLEL_LOGINS: usize = 64;
/// How long what was acknowledged may take to arrive, where a plan does not say: enough to notice a dead connection and make a new one.
pub(crate) const GRACE: Duration = Duration::from_secs(40);
/// How long the server gets to put away what logging in left behind, before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// What all workers wait for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    /// Everybody has reached it.
    pub(crate) milestone: Milestone,
    /// When everybody goes on.
    pub(crate) at: Instant,
}

/// One worker's run.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Plan,
    pub(crate) users: Vec<User>,
    /// What the plan's file of authorities holds.
    pub(crate) authorities: Option<Vec<u8>>,
    /// Tells this run's messages from those of earlier ones.
    pub(crate) run: u64,
    /// Marks count from here.
    pub(crate) start: Instant,
    pub(crate) meters: Meters,
    pub(crate) books: Books,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) go: watch::Receiver<Signal>,
    pub(crate) outbox: mpsc::Sender<FromWorker>,
}

impl Context {
    /// Tells that this worker is so far, and waits until all are; or until the run is stopped.
    pub(crate) async fn reach(&self, milestone: Milestone) {
        if milestone == Milestone::Connected {
            self.sleep(REST).await;
        }
        let (mut go, mut stop) = (self.go.clone(), self.stop.clone());
        // Both end with the coordinator, and then there is nobody to wait for.
        let _ = self.outbox.send(FromWorker::Reached { milestone, generator: process::own() }).await;
        let all = async {
            if let Ok(at) = go.wait_for(|signal| signal.milestone >= milestone).await.map(|signal| signal.at) {
                tokio::time::sleep_until(at.into()).await;
            }
        };
        tokio::select! {
            () = all => {}
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Whether the run is to end early.
    pub(crate) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Sleeps, or less when the run is stopped.
    pub(crate) async fn sleep(&self, time: Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Nanoseconds from the start.
    pub(crate) fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn dialer(&self, limits: Limits) -> anyhow::Result<Dialer> {
        self.plan.target.dialer(limits, self.authorities.as_deref())
    }

    /// Logs these users in, some at a time, and waits until each has what it missed. Fails with the first that cannot.
    pub(crate) async fn connect_all(
        self: &Arc<Self>,
        users: &[User],
        mut dialer: Dialer,
    ) -> anyhow::Result<Vec<Client>> {
        self.open_all(users.iter().map(|user| dialer.options(user)).collect()).await
    }

    /// Logs in with each of these options, some at a time, and waits until each has what it missed. Fails with the first that cannot.
    /// When the run is stopped meanwhile, answers those that were begun, in order.
    pub(crate) async fn open_all(self: &Arc<Self>, logins: Vec<linnet_sdk::Options>) -> anyhow::Result<Vec<Client>> {
        let permits = Arc::new(Semaphore::new(PARALLEL_LOGINS));
        let mut clients = Vec::with_capacity(logins.len());
        let mut under_way = JoinSet::new();
        for (number, options) in logins.into_iter().enumerate() {
            let permit = Arc::clone(&permits).acquire_owned().await?;
            let context = Arc::clone(self);
            under_way.spawn(async move {
                let device = options.device_id.clone();
                let client = context.log_in(options).await.with_context(|| format!("device {device} cannot log in"))?;
                synced(&client).await;
                drop(permit);
                anyhow::Ok((number, client))
            });
            // As they come, so that a server that nobody can log in to is not tried for everybody in turn.
            while let Some(login) = under_way.try_join_next() {
                clients.push(login??);
            }
            if self.stopped() {
                break;
            }
        }
        while let Some(login) = under_way.join_next().await {
            clients.push(login??);
        }
        clients.sort_by_key(|&(number, _)| number);
        Ok(clients.into_iter().map(|(_, client)| client).collect())
    }

    /// Logs one user in, and counts and times it.
    pub(crate) async fn log_in(&self, options: linnet_sdk::Options) -> linnet_sdk::Result<Client> {
        self.log_in_as(options, count::CONNECTED).await
    }

    /// Logs a user in whose session was closed on purpose: not counted among the connections that the run set out to make.
    pub(crate) async fn log_in_again(&self, options: linnet_sdk::Options) -> linnet_sdk::Result<Client> {
        self.log_in_as(options, count::RECONNECTED).await
    }

    async fn log_in_as(&self, options: linnet_sdk::Options, counted: &str) -> linnet_sdk::Result<Client> {
        let begun = Instant::now();
        match Client::connect(options).await {
            Ok(client) => {
                self.meters.timing(timing::LOGIN).record(begun.elapsed());
                self.meters.count(counted).fetch_add(1, Ordering::Relaxed);
                self.meters.gauge(gauge::CONNECTIONS).fetch_add(1, Ordering::Relaxed);
                Ok(client)
            }
            Err(error) => {
                self.meters.count(count::CONNECT_FAILED).fetch_add(1, Ordering::Relaxed);
                self.meters.error(&error);
                Err(error)
            }
        }
    }

    /// Waits until everything acknowledged has arrived, or the grace is over.
    pub(crate) async fn settle(&self) {
        let until = Instant::now() + self.plan.load.grace.0;
        while Instant::now() < until && !self.books.settled() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // A repeat would come right behind.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until a client has what it missed.
pub(crate) async fn synced(client: &Client) {
    let mut events = client.events();
    while let Some(event) = events.next().await {
        if event == Event::Synced {
            break;
        }
    }
}
