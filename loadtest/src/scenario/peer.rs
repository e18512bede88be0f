//! Scenario `peer`: messages from one user of each pair to the other, every one accounted for.

use std::sync::Arc;

use clap::Args;
use linnet_sdk::ConversationId;
use serde::{Deserialize, Serialize};

use super::reading::Reader;
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::run::context::Context;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Peer {
    /// Pairs of users: one sends, the other receives.
    #[arg(long, default_value_t = Self::default().pairs)]
    pub pairs: usize,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
    /// Messages that are not stored: whoever is connected gets them.
    #[arg(long)]
    pub online_only: bool,
    /// The same, without acknowledgements: best effort. As fast as they go, the next is sent when the last has arrived.
    #[arg(long)]
    pub forget: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { pairs: 100, payload: 200, online_only: false, forget: false }
    }
}

impl Peer {
    pub(super) fn users(&self) -> usize {
        2 * self.pairs
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self { pairs: plan::share(self.pairs, index, processes), ..self.clone() }
    }
}

pub(super) async fn run(context: Arc<Context>, peer: Peer) -> anyhow::Result<()> {
    let limits = writing::limits(&context);
    let dialer = context.dialer(limits)?;
    let clients = context.connect_all(&context.users, dialer).await?;
    let (mut writers, mut readers) = (Vec::with_capacity(peer.pairs), Vec::with_capacity(peer.pairs));
    for (pair, users) in clients.chunks_exact(2).zip(context.users.chunks_exact(2)) {
        let conversation = ConversationId::between(users[0].id, users[1].id);
        pair[0].ignore_events().await?;
        let promise = match peer {
            Peer { forget: true, .. } => Promise::BestEffort,
            Peer { online_only: true, .. } => Promise::OnlineOnly,
            Peer { .. } => Promise::Durable,
        };
        let writer = Writer::new(&context, pair[0].clone(), conversation, peer.payload, promise);
        let reader = Reader::new(&context, pair[1].clone(), context.books.reader([&writer.stream]));
        reader.listen().await?;
        writers.push(Arc::new(writer));
        readers.push(reader);
    }
    writing::conduct(&context, &writers, &readers).await
}
