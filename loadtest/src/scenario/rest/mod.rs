//! Scenario `rest`: app servers call the REST service in five dialects, and phones at the gateway receive what they send.
//!
//! One user of each pair is spoken for by an app server, the other is connected. A message that was sent by REST carries a mark like
//! any other, so the books show whether it arrived, once and in order. Beside it, some pairs may talk over the gateway alone.

mod access;
mod calls;
mod http;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use linnet_sdk::{ConversationId, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use self::access::{Access, Secret};
use self::calls::{Call, Dialect};
use self::http::Connection;
use super::reading::Reader;
use super::writing::{self, Writer};
use crate::measure::latency::Recorder;
use crate::measure::ledger::Stream;
use crate::measure::mark::Mark;
use crate::measure::names::{count, timing};
use crate::plan;
use crate::plan::credentials::User;
use crate::plan::schedule::{self, Due, Load};
use crate::run::context::{Context, GRACE};
use crate::run::message::Milestone;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Rest {
    /// The REST service.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Whose calls are made, in turn.
    #[arg(long, value_delimiter = ',', default_values = ["tenured", "tim", "gobelieve", "openim", "maxim"])]
    pub dialects: Vec<Dialect>,
    /// A file with what `linnet app create` (or the server's first start) printed: the app's id, number, secret and administrator.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_file: Option<PathBuf>,
    /// The app's id, as tenured, tim and maxim call it.
    #[arg(long, default_value = "demo")]
    pub app: String,
    /// The app's number, as gobelieve calls it.
    #[arg(long, default_value = "1")]
    pub app_number: String,
    /// The app's secret, for tenured, gobelieve and openim.
    #[arg(long, env = "LINNET_APP_SECRET", hide_env_values = true, default_value = "")]
    pub app_secret: Secret,
    /// The app's administrator, in whose name openim's calls are made.
    #[arg(long, default_value = "admin")]
    pub admin: String,
    /// Connections that are kept alive, each with one call under way.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Pairs of users: one is spoken for by REST, the other is connected to the gateway.
    #[arg(long, default_value_t = 50)]
    pub pairs: usize,
    /// Calls that send a message, percent.
    #[arg(long, default_value_t = 50)]
    pub send_share: usize,
    /// Calls that read a conversation, percent. The rest reads profiles.
    #[arg(long, default_value_t = 10)]
    pub history_share: usize,
    /// Pairs that talk over the gateway meanwhile.
    #[arg(long, default_value_t = 10)]
    pub gateway_pairs: usize,
    /// Messages a second that those send.
    #[arg(long, default_value_t = 100.0)]
    pub gateway_rate: f64,
    /// Bytes of text.
    #[arg(long, default_value_t = 200)]
    pub payload: usize,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            dialects: Dialect::ALL.to_vec(),
            app_file: None,
            app: "demo".to_owned(),
            app_number: "1".to_owned(),
            app_secret: Secret::default(),
            admin: "admin".to_owned(),
            connections: 16,
            pairs: 50,
            send_share: 50,
            history_share: 10,
            gateway_pairs: 10,
            gateway_rate: 100.0,
            payload: 200,
        }
    }
}

impl Rest {
    pub(super) fn users(&self) -> usize {
        2 * (self.pairs + self.gateway_pairs)
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self {
            connections: plan::share(self.connections, index, processes),
            pairs: plan::share(self.pairs, index, processes),
            gateway_pairs: plan::share(self.gateway_pairs, index, processes),
            gateway_rate: self.gateway_rate / processes as f64,
            ..self.clone()
        }
    }

    /// Takes the app's credentials out of the file that names them.
    pub(super) fn complete(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.app_file.take() else { return Ok(()) };
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        access::printed(&text, self).with_context(|| format!("in {}", path.display()))
    }

    /// What may stand in a report.
    pub(super) fn forget_secrets(&mut self) {
        self.app_secret = Secret::default();
    }
}

pub(super) async fn run(context: Arc<Context>, rest: Rest) -> anyhow::Result<()> {
    if rest.dialects.is_empty() || rest.send_share + rest.history_share > 100 {
        bail!("the dialects or the shares of calls leave nothing to do");
    }
    let limits = Limits { event_queue: 1024, max_in_flight: 1000, max_pending: 2000, ..Limits::default() };
    let (spoken_for, talking) = context.users.split_at((2 * rest.pairs).min(context.users.len()));
    // The second of each pair listens; of those who talk over the gateway, the first is connected too.
    let listeners: Vec<User> = spoken_for.iter().skip(1).step_by(2).cloned().collect();
    let mut dialer = context.dialer(limits.clone())?;
    let clients = context.connect_all(&listeners, dialer).await?;
    let mut pairs = Vec::with_capacity(rest.pairs);
    let mut readers = Vec::with_capacity(rest.pairs + rest.gateway_pairs);
    for (client, users) in clients.into_iter().zip(spoken_for.chunks_exact(2)) {
        let stream = context.books.stream(ConversationId::between(users[0].id, users[1].id), true);
        readers.push(Reader::new(&context, client, context.books.reader([&stream])));
        pairs.push(Pair { from: users[0].clone(), to: users[1].clone(), stream, turn: Mutex::new(()) });
    }
    dialer = context.dialer(limits)?;
    let clients = context.connect_all(talking, dialer).await?;
    let mut writers = Vec::with_capacity(rest.gateway_pairs);
    for (pair, users) in clients.chunks_exact(2).zip(talking.chunks_exact(2)) {
        pair[0].ignore_events().await?;
        let conversation = ConversationId::between(users[0].id, users[1].id);
        let writer = Writer::new(&context, pair[0].clone(), conversation, rest.payload, false);
        readers.push(Reader::new(&context, pair[1].clone(), context.books.reader([&writer.stream])));
        writers.push(Arc::new(writer));
    }
    for reader in &readers {
        tokio::spawn(Arc::clone(reader).read());
    }
    let access = Access::obtain(&rest).await.context("the REST service does not let this app in")?;
    let desk = Arc::new(Desk::new(&context, rest.clone(), access, pairs));
    context.reach(Milestone::Connected).await;

    let gateway = Load {
        rate: Some(rest.gateway_rate),
        duration: plan::span::Span(context.plan.load.length()),
        ..Load::default()
    };
    let stop = context.stop.clone();
    let talk = writing::pace(&context, &writers, gateway, move || *stop.borrow());
    let (called, talked) = tokio::join!(call(&context, &desk), talk);
    called.and(talked)?;
    context.reach(Milestone::Loaded).await;
    writing::settle(&context, &readers).await;
    Ok(())
}

/// Makes calls as the plan's load says.
async fn call(context: &Arc<Context>, desk: &Arc<Desk>) -> anyhow::Result<()> {
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
    let _ = tokio::time::timeout(GRACE, all).await;
    Ok(())
}

/// Two users: an app server speaks for one, the other listens.
#[derive(Debug)]
struct Pair {
    from: User,
    to: User,
    stream: Arc<Stream>,
    /// Held while a message is on its way: two at once would have no order to be kept.
    turn: Mutex<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Desk {
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
    fn new(context: &Arc<Context>, rest: Rest, access: Access, pairs: Vec<Pair>) -> Self {
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
