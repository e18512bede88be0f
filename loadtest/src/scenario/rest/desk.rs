//! Who makes the calls: connections that are kept alive, each with one call under way, and what they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::Rest;
use super::access::Access;
use super::calls::{self, Call, Dialect};
use super::http::Connection;
use crate::measure::latency::Recorder;
use crate::measure::ledger::Stream;
use crate::measure::mark::Mark;
use crate::measure::names::{count, timing};
use crate::plan::credentials::User;
use crate::plan::schedule::{self, Due};
use crate::run::context::Context;

/// Makes calls as the plan's load says.
pub(super) async fn call(context: &Arc<Context>, desk: &Arc<Desk>) -> anyhow::Result<()> {
    if desk.pairs.is_empty() {
        return Ok(());
    }
    let load = context.plan.load.clone();
    let mut clerks = JoinSet::new();
    let clerk = || Clerk { desk: Arc::clone(desk), connection: Connection::new(&desk.rest.url) };
    if load.is_open() {
        let (queue, due) = mpsc::channel(load.window());
        let due = Arc::new(Mutex::new(due));
        for _ in 0..desk.rest.connections.max(1) {
            clerks.spawn(clerk().on_schedule(Arc::clone(&due)));
        }
        let stop = context.stop.clone();
        let start = Instant::now();
        let pacer = tokio::task::spawn_blocking(move || schedule::pace(&[queue], &load, start, || *stop.borrow()));
        let dropped = pacer.await?;
        context.meters.count(count::NOT_SENT).fetch_add(dropped, Ordering::Relaxed);
    } else {
        let until = Instant::now() + load.length();
        for _ in 0..desk.rest.connections.max(1) {
            clerks.spawn(clerk().without_pause(until));
        }
        context.sleep(load.length()).await;
    }
    let all = async { while clerks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(context.plan.load.grace.0, all).await;
    Ok(())
}

/// Two users: an app server speaks for one, the other listens.
#[derive(Debug)]
pub(super) struct Pair {
    from: User,
    to: User,
    stream: Arc<Stream>,
    /// Held while a message is on its way: two at once would have no order to be kept.
    turn: Mutex<()>,
}

impl Pair {
    pub(super) fn new(from: &User, to: &User, stream: Arc<Stream>) -> Self {
        Self { from: from.clone(), to: to.clone(), stream, turn: Mutex::new(()) }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Desk {
    context: Arc<Context>,
    rest: Rest,
    access: Access,
    pairs: Vec<Pair>,
    next_call: AtomicUsize,
    next_pair: AtomicUsize,
    requests: Arc<AtomicU64>,
    failures: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    acked: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    lag: Arc<Recorder>,
    all: Arc<Recorder>,
    /// By route.
    times: HashMap<&'static str, Arc<Recorder>>,
}

impl Desk {
    pub(super) fn new(context: &Arc<Context>, rest: Rest, access: Access, pairs: Vec<Pair>) -> Self {
        let meters = &context.meters;
        let routes = rest.dialects.iter().flat_map(|dialect| dialect.routes());
        let times = routes.map(|&route| (route, meters.timing(&format!("{} {route}", timing::REQUEST)))).collect();
        Self {
            rest,
            access,
            pairs,
            next_call: AtomicUsize::new(0),
            next_pair: AtomicUsize::new(0),
            requests: meters.count(count::REQUESTS),
            failures: meters.count(count::REQUEST_ERRORS),
            sent: meters.count(count::SENT),
            acked: meters.count(count::ACKED),
            refused: meters.count(count::REFUSED),
            lag: meters.timing(timing::LAG),
            all: meters.timing(timing::REQUEST),
            times,
            context: Arc::clone(context),
        }
    }

    fn next_pair(&self) -> &Pair {
        &self.pairs[self.next_pair.fetch_add(1, Ordering::Relaxed) % self.pairs.len()]
    }

    /// Notes a failed call.
    fn fail(&self, route: &str, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.context.meters.error(&format!("{route}: {why}"));
    }
}

/// Someone who makes calls over one connection, one after the other.
struct Clerk {
    desk: Arc<Desk>,
    connection: Connection,
}

impl Clerk {
    async fn on_schedule(mut self, due: Arc<Mutex<mpsc::Receiver<Due>>>) {
        loop {
            let next = due.lock().await.recv().await;
            let Some(Due { intended }) = next else { break };
            self.desk.lag.record(Instant::now().saturating_duration_since(intended));
            self.next(intended).await;
        }
    }

    async fn without_pause(mut self, until: Instant) {
        let mut now = Instant::now();
        while now < until && !self.desk.context.stopped() {
            if !self.next(now).await {
                // A service that is away is not asked as fast as it fails.
                self.desk.context.sleep(Duration::from_millis(10)).await;
            }
            now = Instant::now();
        }
    }

    /// Makes whatever call is next; whether it went well.
    async fn next(&mut self, intended: Instant) -> bool {
        let desk = Arc::clone(&self.desk);
        let number = desk.next_call.fetch_add(1, Ordering::Relaxed);
        let dialect = desk.rest.dialects[number % desk.rest.dialects.len()];
        // A multiple that has no divisor in common with 100 spreads the kinds evenly.
        let slot = number / desk.rest.dialects.len() * 37 % 100;
        if slot < desk.rest.send_share {
            return self.send(&desk, dialect, intended).await;
        }
        let pair = desk.next_pair();
        let call = if slot < desk.rest.send_share + desk.rest.history_share {
            dialect.history(&desk.access, &pair.from, &pair.to)
        } else {
            dialect.profile(&desk.access, &pair.from)
        };
        self.ask(&desk, call, intended).await.is_ok()
    }

    /// Sends a message, and keeps the books.
    async fn send(&mut self, desk: &Desk, dialect: Dialect, intended: Instant) -> bool {
        let free = (0..desk.pairs.len()).find_map(|_| {
            let pair = desk.next_pair();
            Some((pair, pair.turn.try_lock().ok()?))
        });
        let (pair, _turn) = match free {
            Some(free) => free,
            None => {
                let pair = desk.next_pair();
                (pair, pair.turn.lock().await)
            }
        };
        let (context, stream) = (&desk.context, &pair.stream);
        let number = stream.send();
        desk.sent.fetch_add(1, Ordering::Relaxed);
        let mark = Mark { run: context.run, stream: stream.id, number, nanos: context.nanos(intended) };
        let text = mark.text(desk.rest.payload);
        let mut outcome = self.ask(desk, dialect.send(&desk.access, &pair.from, &pair.to, &text), intended).await;
        if dialect == Dialect::Tim
            && let Ok(created) = &outcome
        {
            // tim makes a message first, and sends what was made.
            let second = calls::tim_send(&pair.from, created);
            outcome = self.ask(desk, second, Instant::now()).await;
        }
        match outcome {
            Ok(_) => {
                desk.acked.fetch_add(1, Ordering::Relaxed);
                // Not every dialect's answer tells the place in the conversation.
                stream.ack(number, 0);
                true
            }
            Err(certain) => {
                desk.refused.fetch_add(1, Ordering::Relaxed);
                if certain {
                    stream.refuse(number);
                }
                false
            }
        }
    }

    /// Makes a call: the answer's body, or whether it is certain that nothing was done.
    async fn ask(&mut self, desk: &Desk, call: Call, due: Instant) -> Result<bytes::Bytes, bool> {
        let (route, dialect, begun) = (call.route, call.dialect, Instant::now());
        let answer = match self.connection.call(call).await {
            Ok(answer) => answer,
            Err(error) => {
                desk.fail(route, &format!("{error:#}"));
                return Err(false);
            }
        };
        desk.requests.fetch_add(1, Ordering::Relaxed);
        desk.all.record(due.elapsed());
        if let Some(times) = desk.times.get(route) {
            times.record(begun.elapsed());
        }
        desk.context.meters.count(&format!("status {}", answer.status.as_u16())).fetch_add(1, Ordering::Relaxed);
        match dialect.judge(&answer) {
            Ok(()) => Ok(answer.body),
            Err(why) => {
                desk.fail(route, &why);
                // A message that the store may have taken is not refused for certain, whatever the words.
                let certain = answer.status.is_client_error() && answer.status != hyper::StatusCode::REQUEST_TIMEOUT;
                Err(certain)
            }
        }
    }
}
