//! Scenario `offline`: users are away while others write to them, then come back, and have to get everything.
//!
//! They have been here before: each logs in once, takes what there is, notes how far it got, and leaves. So what is measured is what
//! a phone does that was switched off for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use linnet_sdk::{Client, ConversationId, Event, GroupKind, Limits, Options};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::group;
use super::reading::{Reader, Timed};
use super::writing::{Promise, Writer};
use crate::measure::ledger::{self, Stream};
use crate::measure::names::{count, timing};
use crate::plan;
use crate::plan::credentials::User;
use crate::plan::schedule::Load;
use crate::plan::span::Span;
use crate::run::context::{self, Context};
use crate::run::message::Milestone;

/// Logins under way at the same time, at most, before the users leave.
const PARALLEL: usize = 64;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Offline {
    /// Users who are away.
    #[arg(long, default_value_t = 1000)]
    pub sleepers: usize,
    /// Users who write to them, with as many messages under way as `--in-flight` says, or `--rate` a second in all.
    #[arg(long, default_value_t = 10)]
    pub senders: usize,
    /// 1:1 messages to each sleeper, all from one sender.
    #[arg(long, default_value_t = 20)]
    pub messages: usize,
    /// Groups; each sleeper is in one of them.
    #[arg(long, default_value_t = 10)]
    pub groups: usize,
    /// Messages in each group.
    #[arg(long, default_value_t = 20)]
    pub group_messages: usize,
    /// Sleepers who wake up a second; 0 means all at once.
    #[arg(long, default_value_t = 0.0)]
    pub wake_rate: f64,
    /// Entries of a conversation that come by themselves; what is missing before them is read back from history.
    #[arg(long, default_value_t = 100)]
    pub sync_entries: u32,
    /// How long getting everything may take, from the last wake-up.
    #[arg(long, default_value = "60s")]
    pub patience: Span,
    /// Bytes of text.
    #[arg(long, default_value_t = 200)]
    pub payload: usize,
}

impl Default for Offline {
    fn default() -> Self {
        Self {
            sleepers: 1000,
            senders: 10,
            messages: 20,
            groups: 10,
            group_messages: 20,
            wake_rate: 0.0,
            sync_entries: 100,
            patience: Span::seconds(60),
            payload: 200,
        }
    }
}

impl Offline {
    pub(super) fn users(&self) -> usize {
        self.sleepers + self.senders
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self {
            sleepers: plan::share(self.sleepers, index, processes),
            senders: plan::share(self.senders, index, processes),
            groups: plan::share(self.groups, index, processes),
            wake_rate: self.wake_rate / processes as f64,
            ..self.clone()
        }
    }
}

/// How much is written, the options say; the load can only say how fast.
pub(super) fn check(load: &Load) -> anyhow::Result<()> {
    if !load.stages.is_empty() {
        bail!("users who are away are written to at a rate, and not in stages");
    }
    if load.rate == Some(0.0) {
        bail!("at a rate of 0, users who are away would be written to for ever");
    }
    Ok(())
}

/// A user who is away.
#[derive(Debug)]
struct Sleeper {
    /// With how far the device has got.
    options: Options,
    /// Who writes to it. What they wrote is owed once it wakes up: a run that is ended before owes it nothing.
    streams: Vec<Arc<Stream>>,
}

/// What a sender writes, and how much of it.
type Task = (Arc<Writer>, usize);

pub(super) async fn run(context: Arc<Context>, offline: Offline) -> anyhow::Result<()> {
    let (senders, sleepers) = context.users.split_at(offline.senders.min(context.users.len()));
    if senders.is_empty() && !sleepers.is_empty() {
        bail!("every process needs a sender: name more --senders");
    }
    let window = context.plan.load.window();
    let limits = Limits { max_in_flight: window, max_pending: 2 * window, ..Limits::default() };
    let pens = context.connect_all(senders, context.dialer(limits)?).await?;
    for pen in &pens {
        pen.ignore_events().await?;
    }
    let mut tasks: Vec<Vec<Task>> = pens.iter().map(|_| Vec::new()).collect();
    let mut streams: Vec<Vec<Arc<Stream>>> = Vec::with_capacity(sleepers.len());
    for (number, user) in sleepers.iter().enumerate() {
        let sender = number % pens.len();
        let conversation = ConversationId::between(senders[sender].id, user.id);
        let writer = Writer::new(&context, pens[sender].clone(), conversation, offline.payload, Promise::Durable);
        streams.push(vec![Arc::clone(&writer.stream)]);
        tasks[sender].push((Arc::new(writer), offline.messages));
    }
    for number in 0..offline.groups.min(sleepers.len()) {
        let sender = number % pens.len();
        let members: Vec<User> = sleepers.iter().skip(number).step_by(offline.groups).cloned().collect();
        let made = group::make(&pens[sender], GroupKind::default(), &members).await;
        let conversation = made.context("a group cannot be made")?;
        let writer = Writer::new(&context, pens[sender].clone(), conversation, offline.payload, Promise::Durable);
        for heard in streams.iter_mut().skip(number).step_by(offline.groups) {
            heard.push(Arc::clone(&writer.stream));
        }
        tasks[sender].push((Arc::new(writer), offline.group_messages));
    }

    let limits = Limits { sync_entries: offline.sync_entries, max_pending: 8, ..Limits::default() };
    let mut dialer = context.dialer(limits)?;
    let visits = sleepers.iter().map(|user| dialer.options(user)).collect();
    let options = visit(&context, visits, sleepers).await?;
    let sleepers = options.into_iter().zip(streams).map(|(options, streams)| Sleeper { options, streams });
    let sleepers: Vec<Sleeper> = sleepers.collect();
    context.reach(Milestone::Connected).await;
    write(&context, tasks).await?;
    context.reach(Milestone::Loaded).await;

    let before = dialer.received();
    let owed: u64 = sleepers.iter().flat_map(|sleeper| &sleeper.streams).map(|stream| stream.acked()).sum();
    wake(&context, &offline, sleepers).await?;
    context.meters.count(count::OWED).fetch_add(owed, Ordering::Relaxed);
    context.meters.count(count::WAKE_BYTES).fetch_add(dialer.received() - before, Ordering::Relaxed);
    context.settle().await;
    context.reach(Milestone::Settled).await;
    Ok(())
}

/// Logs everybody in and out; answers their options for the next time, with how far they got. None of this is measured.
async fn visit(context: &Arc<Context>, visits: Vec<Options>, users: &[User]) -> anyhow::Result<Vec<Options>> {
    let permits = Arc::new(Semaphore::new(PARALLEL));
    let mut logins = JoinSet::new();
    for (number, (options, user)) in visits.into_iter().zip(users).enumerate() {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let id = user.id;
        logins.spawn(async move {
            let client = Client::connect(options.clone()).await.with_context(|| format!("user {id} cannot log in"))?;
            context::synced(&client).await;
            let cursors = client.cursors();
            client.close().await;
            drop(permit);
            anyhow::Ok((number, Options { cursors, ..options }))
        });
        if context.stopped() {
            break;
        }
    }
    let mut options = Vec::with_capacity(users.len());
    while let Some(login) = logins.join_next().await {
        options.push(login??);
    }
    options.sort_by_key(|&(number, _)| number);
    Ok(options.into_iter().map(|(_, options)| options).collect())
}

/// Has each sender write its messages, to everybody in turn, until the last is acknowledged.
async fn write(context: &Arc<Context>, tasks: Vec<Vec<Task>>) -> anyhow::Result<()> {
    let (rate, senders) = (context.plan.load.rate, tasks.len());
    let start = Instant::now();
    let mut all = JoinSet::new();
    for (sender, tasks) in tasks.into_iter().enumerate() {
        let due = move |number: usize| {
            rate.map(|rate| start + Duration::from_secs_f64((number * senders + sender) as f64 / rate))
        };
        all.spawn(write_as(Arc::clone(context), tasks, due));
    }
    while let Some(done) = all.join_next().await {
        done?;
    }
    Ok(())
}

/// Writes one sender's messages, each when it is due, if there is a time for it.
async fn write_as(context: Arc<Context>, tasks: Vec<Task>, due: impl Fn(usize) -> Option<Instant>) {
    let window = context.plan.load.window();
    let rounds = tasks.iter().map(|&(_, messages)| messages).max().unwrap_or(0);
    let (mut under_way, mut number) = (FuturesUnordered::new(), 0);
    for round in 0..rounds {
        for (writer, messages) in &tasks {
            if round >= *messages {
                continue;
            }
            let intended = due(number).unwrap_or_else(Instant::now);
            number += 1;
            let mut wait = std::pin::pin!(context.sleep(intended.saturating_duration_since(Instant::now())));
            loop {
                tokio::select! {
                    biased;
                    Some(()) = under_way.next(), if !under_way.is_empty() => {}
                    () = &mut wait, if under_way.len() < window => break,
                }
            }
            if context.stopped() {
                break;
            }
            under_way.push(writer.send(intended));
        }
    }
    while under_way.next().await.is_some() {}
}

/// Wakes everybody up, and waits until all have everything, or patience is over.
async fn wake(context: &Arc<Context>, offline: &Offline, sleepers: Vec<Sleeper>) -> anyhow::Result<()> {
    let (start, count) = (Instant::now(), sleepers.len());
    let awake = Arc::new(AtomicUsize::new(0));
    for (number, sleeper) in sleepers.into_iter().enumerate() {
        if offline.wake_rate > 0.0 {
            let due = start + Duration::from_secs_f64(number as f64 / offline.wake_rate);
            context.sleep(due.saturating_duration_since(Instant::now())).await;
        }
        if context.stopped() {
            break;
        }
        let book = context.books.reader(&sleeper.streams);
        tokio::spawn(wake_up(Arc::clone(context), sleeper.options, book, Arc::clone(&awake)));
    }
    let until = Instant::now() + offline.patience.0;
    while awake.load(Ordering::Relaxed) < count && Instant::now() < until && !context.stopped() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Whoever ends the run early does not wait for those who are not awake.
    let missing = if context.stopped() { 0 } else { count.saturating_sub(awake.load(Ordering::Relaxed)) };
    context.meters.count(count::NOT_BACK).fetch_add(missing as u64, Ordering::Relaxed);
    Ok(())
}

/// Logs one user in, takes the time until everything is there, and stays.
async fn wake_up(context: Arc<Context>, options: Options, book: Arc<ledger::Reader>, awake: Arc<AtomicUsize>) {
    let begun = Instant::now();
    // A failure is counted there, and fails the run.
    let Ok(client) = context.log_in(options).await else { return };
    let timed = Timed { delivery: timing::AWAY, ..Timed::default() };
    let reader = Reader::timed(&context, client.clone(), Arc::clone(&book), timed);
    let mut events = client.events();
    drop(client);
    let mut synced = false;
    while !(synced && book.settled()) {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => {
                    synced |= event == Event::Synced;
                    reader.handle(event);
                }
                None => return,
            },
            // What is read back comes without an event.
            () = tokio::time::sleep(Duration::from_millis(2)), if synced => {}
        }
    }
    context.meters.timing(timing::SYNC).record(begun.elapsed());
    awake.fetch_add(1, Ordering::Relaxed);
    while let Some(event) = events.next().await {
        reader.handle(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn only_a_rate_says_how_fast_to_write() {
        let checked = |load: &str| {
            let text = format!("[target]\ncredentials = \"x\"\n[scenario.offline]\n[load]\n{load}");
            check(&Plan::parse(&text).unwrap().load)
        };
        assert!(checked("").is_ok() && checked("rate = 5").is_ok());
        assert!(checked("rate = 0").is_err());
        assert!(checked("[[load.stages]]\nduration = \"1s\"\nrate = 5").is_err());
    }
}
