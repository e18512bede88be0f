//! Scenario `devices`: pairs of users with several devices each. Whatever the first device of one of them sends, all devices of the
//! other and all other devices of the same user are to have.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use linnet_sdk::ConversationId;
use serde::{Deserialize, Serialize};

use super::reading::{Reader, Timed};
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::plan::target::PLATFORMS;
use crate::run::context::Context;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Devices {
    /// Pairs of users: one sends, the other receives.
    #[arg(long, default_value_t = Self::default().pairs)]
    pub pairs: usize,
    /// Devices of each user, at most 8: each of another platform, since of one platform the server lets a user keep one by default.
    #[arg(long, default_value_t = Self::default().devices)]
    pub devices: usize,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
}

impl Default for Devices {
    fn default() -> Self {
        Self { pairs: 100, devices: 3, payload: 200 }
    }
}

impl Devices {
    pub(super) fn users(&self) -> usize {
        2 * self.pairs
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self { pairs: plan::share(self.pairs, index, processes), ..self.clone() }
    }
}

pub(super) async fn run(context: Arc<Context>, devices: Devices) -> anyhow::Result<()> {
    if !(1..=PLATFORMS.len()).contains(&devices.devices) {
        bail!("a user has 1 to {} devices, not {}", PLATFORMS.len(), devices.devices);
    }
    let mut dialer = context.dialer(writing::limits(&context))?;
    let logins = context.users.iter().flat_map(|user| (0..devices.devices).map(move |device| (user, device)));
    let logins = logins.map(|(user, device)| dialer.device(user, device)).collect();
    let clients = context.open_all(logins).await?;
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for (pair, users) in clients.chunks_exact(2 * devices.devices).zip(context.users.chunks_exact(2)) {
        let conversation = ConversationId::between(users[0].id, users[1].id);
        pair[0].ignore_events().await?;
        let writer = Arc::new(Writer::new(&context, pair[0].clone(), conversation, devices.payload, Promise::Durable));
        for client in &pair[1..] {
            let book = context.books.reader([&writer.stream]);
            let reader = Reader::timed(&context, client.clone(), book, Timed { room: true, ..Timed::default() });
            reader.listen().await?;
            readers.push(reader);
        }
        writers.push(writer);
    }
    writing::conduct(&context, &writers, &readers).await
}
