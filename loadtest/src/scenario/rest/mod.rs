//! Scenario `rest`: app servers call the REST service in five dialects, and phones at the gateway receive what they send.
//!
//! One user of each pair is spoken for by an app server, the other is connected. A message that was sent by REST carries a mark like
//! any other, so the books show whether it arrived, once and in order. Beside it, some pairs may talk over the gateway alone.

mod access;
mod calls;
mod desk;
mod http;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use linnet_sdk::{ConversationId, Limits};
use serde::{Deserialize, Serialize};

use self::access::{Access, Secret};
use self::calls::Dialect;
use self::desk::{Desk, Pair};
use super::reading::Reader;
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::plan::credentials::User;
use crate::plan::schedule::Load;
use crate::run::context::Context;
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
        pairs.push(Pair::new(&users[0], &users[1], stream));
    }
    dialer = context.dialer(limits)?;
    let clients = context.connect_all(talking, dialer).await?;
    let mut writers = Vec::with_capacity(rest.gateway_pairs);
    for (pair, users) in clients.chunks_exact(2).zip(talking.chunks_exact(2)) {
        pair[0].ignore_events().await?;
        let conversation = ConversationId::between(users[0].id, users[1].id);
        let writer = Writer::new(&context, pair[0].clone(), conversation, rest.payload, Promise::Durable);
        readers.push(Reader::new(&context, pair[1].clone(), context.books.reader([&writer.stream])));
        writers.push(Arc::new(writer));
    }
    for reader in &readers {
        reader.listen().await?;
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
    let (called, talked) = tokio::join!(desk::call(&context, &desk), talk);
    called.and(talked)?;
    context.reach(Milestone::Loaded).await;
    writing::settle(&context, &readers).await;
    Ok(())
}
