//! One master, and the connection to it, which is opened again whenever it breaks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Failure;
use super::slots::View;
use crate::redis::node::{Command, Connect, Lost, Node, Reply};
use crate::redis::url::Host;

/// How long to wait before connecting once more.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a node is asked whether it is still there.
const PING: Duration = Duration::from_secs(2);

/// A master.
#[derive(Debug)]
pub(super) struct Master {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    host: Arc<Host>,
    connect: Arc<dyn Connect>,
    timeout: Duration,
    line: watch::Sender<Line>,
}

#[derive(Clone)]
enum Line {
    /// Not tried yet.
    New,
    Up(Arc<dyn Node>),
    Down,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::New => "New",
            Self::Up(_) => "Up",
            Self::Down => "Down",
        })
    }
}

impl Master {
    /// Connects in the background. `returned` is called whenever it has connected again.
    pub(super) fn new(
        host: Arc<Host>,
        connect: Arc<dyn Connect>,
        timeout: Duration,
        returned: impl Fn() + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared { host, connect, timeout, line: watch::Sender::new(Line::New) });
        let keeper = tokio::spawn(Arc::clone(&shared).keep_up(returned)).abort_handle();
        Self { shared, keeper }
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.shared.host
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(*self.shared.line.borrow(), Line::Up(_))
    }

    /// Sends commands together. Fails at once while the node does not answer.
    pub(super) async fn send(&self, commands: Vec<Command>, deadline: Instant) -> Vec<Result<Reply, Failure>> {
        let count = commands.len();
        match self.shared.send(commands, deadline).await {
            Ok(answers) => answers,
            Err(Lost(why)) => vec![Err(Failure::Lost(format!("{}: {why}", self.shared.host))); count],
        }
    }

    pub(super) async fn view(&self, deadline: Instant) -> Option<View> {
        read_view(self.send(view_commands(), deadline).await, &self.shared.host)
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    async fn send(&self, commands: Vec<Command>, deadline: Instant) -> Result<Vec<Result<Reply, Failure>>, Lost> {
        let node = self.node(deadline).await?;
        if !node.is_open() {
            self.give_up(&node);
            return Err(Lost("the connection has broken".into()));
        }
        match node.run(commands, deadline.saturating_duration_since(Instant::now())).await {
            Ok(answers) => Ok(answers.into_iter().map(|answer| answer.map_err(Failure::Refused)).collect()),
            Err(lost) => {
                self.give_up(&node);
                Err(lost)
            }
        }
    }

    /// The connection, if there is one. Only the very first is waited for.
    async fn node(&self, deadline: Instant) -> Result<Arc<dyn Node>, Lost> {
        let mut line = self.line.subscribe();
        let tried = tokio::time::timeout_at(deadline, line.wait_for(|line| !matches!(line, Line::New))).await;
        match tried.as_ref().map(|line| line.as_deref()) {
            Ok(Ok(Line::Up(node))) => Ok(Arc::clone(node)),
            _ => Err(Lost("away".into())),
        }
    }

    /// The connection does not work, unless there is another by now.
    fn give_up(&self, node: &Arc<dyn Node>) {
        self.line.send_if_modified(|line| {
            let is_current = matches!(line, Line::Up(current) if Arc::ptr_eq(current, node));
            if is_current {
                *line = Line::Down;
            }
            is_current
        });
    }

    async fn keep_up(self: Arc<Self>, returned: impl Fn()) {
        let mut line = self.line.subscribe();
        let mut was_up = false;
        loop {
            match self.open().await {
                Ok(node) => {
                    self.line.send_replace(Line::Up(Arc::clone(&node)));
                    if std::mem::replace(&mut was_up, true) {
                        returned();
                    }
                    let down = line.wait_for(|line| matches!(line, Line::Down));
                    tokio::select! {
                        _ = down => {}
                        () = self.watch(&node) => {}
                    }
                    tracing::warn!(node = %self.host, "bus: lost the connection to a node of the cluster");
                }
                Err(Lost(reason)) => tracing::debug!(reason, "bus: a node of the cluster is away"),
            }
            self.line.send_replace(Line::Down);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Completes once the connection has broken, or the node does not answer any more.
    async fn watch(&self, node: &Arc<dyn Node>) {
        let mut ping = Instant::now() + PING;
        while node.is_open() {
            tokio::time::sleep(PAUSE).await;
            if Instant::now() >= ping {
                ping += PING;
                if node.run(vec![Command::new("PING")], self.timeout).await.is_err() {
                    return;
                }
            }
        }
    }

    /// A connection counts only when it has answered.
    async fn open(&self) -> Result<Arc<dyn Node>, Lost> {
        let node = self.connect.connect(&self.host).await?;
        node.run(vec![Command::new("PING")], self.timeout).await?;
        Ok(node.into())
    }
}

/// Asks a node for its view, over a connection for this alone.
pub(super) async fn view_of(host: &Host, connect: &dyn Connect, timeout: Duration) -> Option<View> {
    let asked = async { connect.connect(host).await?.run(view_commands(), timeout).await };
    match asked.await {
        Ok(answers) => read_view(answers.into_iter().map(|answer| answer.map_err(Failure::Refused)).collect(), host),
        Err(Lost(reason)) => {
            tracing::debug!(reason, "bus: a node that is configured is away");
            None
        }
    }
}

fn view_commands() -> Vec<Command> {
    vec![Command::new("CLUSTER").arg("INFO"), Command::new("CLUSTER").arg("SLOTS")]
}

fn read_view(answers: Vec<Result<Reply, Failure>>, asked: &Host) -> Option<View> {
    let mut answers = answers.into_iter();
    View::read(answers.next()?.ok()?, answers.next()?.ok()?, asked)
}
