//! Scenario `rooms`: chat rooms, in which whoever is there hears what is said, and nothing is kept.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use linnet_sdk::{Client, ConversationId, Event, GroupKind};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::group;
use super::reading::{Reader, Timed};
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::run::context::Context;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Rooms {
    /// Chat rooms.
    #[arg(long, default_value_t = Self::default().rooms)]
    pub rooms: usize,
    /// Users in a room.
    #[arg(long, default_value_t = Self::default().members)]
    pub members: usize,
    /// Users of a room who talk. They do not listen.
    #[arg(long, default_value_t = Self::default().senders)]
    pub senders: usize,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { rooms: 1, members: 1000, senders: 10, payload: 100 }
    }
}

impl Rooms {
    pub(super) fn users(&self) -> usize {
        self.rooms * self.members
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self { rooms: plan::share(self.rooms, index, processes), ..self.clone() }
    }
}

pub(super) async fn run(context: Arc<Context>, rooms: Rooms) -> anyhow::Result<()> {
    let senders = rooms.senders.clamp(1, rooms.members.max(1));
    let dialer = context.dialer(writing::limits(&context))?;
    let clients = context.connect_all(&context.users, dialer).await?;
    let (mut writers, mut readers, mut entering) = (Vec::new(), Vec::new(), JoinSet::new());
    for members in clients.chunks_exact(rooms.members.max(1)) {
        let (talking, listening) = members.split_at(senders);
        let room = group::make(&talking[0], GroupKind::Room, &[]).await.context("a room cannot be made")?;
        let mut pens = Vec::with_capacity(senders);
        for client in talking {
            client.ignore_events().await?;
            enter(client, room).await.context("somebody who talks cannot enter a room")?;
            pens.push(Arc::new(Writer::new(&context, client.clone(), room, rooms.payload, Promise::OnlineOnly)));
        }
        for client in listening {
            let book = context.books.reader(pens.iter().map(|pen| &pen.stream));
            let reader = Reader::timed(&context, client.clone(), book, Timed { room: true, ..Timed::default() });
            tokio::spawn(listen(Arc::clone(&context), Arc::clone(&reader), room));
            let client = client.clone();
            entering.spawn(async move { enter(&client, room).await });
            readers.push(reader);
        }
        writers.extend(pens);
    }
    while let Some(entered) = entering.join_next().await {
        entered?.context("somebody cannot enter a room")?;
    }
    writing::conduct(&context, &writers, &readers).await
}

async fn enter(client: &Client, room: ConversationId) -> linnet_sdk::Result<()> {
    let ConversationId::Group(id) = room else { return Ok(()) };
    client.join_group(id).await
}

/// Reads, and comes into the room anew with every new session, as an app must.
async fn listen(context: Arc<Context>, reader: Arc<Reader>, room: ConversationId) {
    let mut events = reader.client().events();
    while let Some(event) = events.next().await {
        if matches!(event, Event::Connected { .. }) {
            let (context, client) = (Arc::clone(&context), reader.client());
            tokio::spawn(async move {
                if let Err(error) = enter(&client, room).await {
                    context.meters.error(&error);
                }
            });
        }
        reader.handle(event);
    }
}
