//! Scenario `group`: some members of each group write, and everybody in it who is connected reads.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use linnet_sdk::{Client, ConversationId, GroupKind, NewGroup};
use serde::{Deserialize, Serialize};

use super::reading::{Reader, Timed};
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::plan::credentials::User;
use crate::run::context::Context;

/// Users that one request adds to a group.
const MEMBERS_PER_REQUEST: usize = 100;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// Groups, each of users of its own.
    #[arg(long, default_value_t = Self::default().groups)]
    pub groups: usize,
    /// Members of a group.
    #[arg(long, default_value_t = Self::default().members)]
    pub members: usize,
    /// Members who are connected, in percent. Those who write are connected in any case.
    #[arg(long, default_value_t = Self::default().online)]
    pub online: f64,
    /// Members of a group who write. They do not read.
    #[arg(long, default_value_t = Self::default().senders)]
    pub senders: usize,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self { groups: 1, members: 1000, online: 100.0, senders: 1, payload: 200 }
    }
}

impl Group {
    pub(super) fn users(&self) -> usize {
        self.groups * self.members
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self { groups: plan::share(self.groups, index, processes), ..self.clone() }
    }

    pub(super) fn connections(&self) -> usize {
        self.groups.saturating_mul(self.connected().1)
    }

    /// Members who write, and members who are connected, those included.
    fn connected(&self) -> (usize, usize) {
        let senders = self.senders.clamp(1, self.members.max(1));
        let online = (self.members as f64 * self.online / 100.0).round() as usize;
        (senders, online.clamp(senders, self.members.max(1)))
    }
}

pub(super) async fn run(context: Arc<Context>, group: Group) -> anyhow::Result<()> {
    let (senders, online) = group.connected();
    let circles: Vec<&[User]> = context.users.chunks_exact(group.members.max(1)).collect();
    let owners: Vec<User> = circles.iter().filter_map(|circle| circle.first()).cloned().collect();
    let dialer = context.dialer(writing::limits(&context))?;
    // The others come when the groups are there, so that no one is told of their making.
    let owners = context.connect_all(&owners, dialer).await?;
    let mut conversations = Vec::with_capacity(circles.len());
    for (owner, circle) in owners.iter().zip(&circles) {
        owner.ignore_events().await?;
        let group = make(owner, GroupKind::default(), &circle[1..]).await.context("a group cannot be made")?;
        conversations.push(group);
    }
    let others: Vec<User> = circles.iter().flat_map(|circle| &circle[1..online]).cloned().collect();
    let mut others = context.connect_all(&others, context.dialer(writing::limits(&context))?).await?.into_iter();
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for (owner, conversation) in owners.into_iter().zip(conversations) {
        let mut pens = vec![Arc::new(Writer::new(&context, owner, conversation, group.payload, Promise::Durable))];
        for client in others.by_ref().take(senders - 1) {
            client.ignore_events().await?;
            pens.push(Arc::new(Writer::new(&context, client, conversation, group.payload, Promise::Durable)));
        }
        for client in others.by_ref().take(online - senders) {
            let book = context.books.reader(pens.iter().map(|pen| &pen.stream));
            let reader = Reader::timed(&context, client, book, Timed { room: true, ..Timed::default() });
            reader.listen().await?;
            readers.push(reader);
        }
        writers.extend(pens);
    }
    writing::conduct(&context, &writers, &readers).await
}

/// Makes a group of its owner and these users, as large as it has to be.
pub(super) async fn make(owner: &Client, kind: GroupKind, others: &[User]) -> linnet_sdk::Result<ConversationId> {
    let ids: Vec<u64> = others.iter().map(|user| user.id).collect();
    let (first, rest) = ids.split_at(ids.len().min(MEMBERS_PER_REQUEST));
    let new = NewGroup { name: "load".into(), members: first.to_vec(), kind, ..NewGroup::default() };
    let group = owner.create_group(new).await?;
    if ids.len() >= group.capacity as usize {
        owner.upgrade_group(group.id).await?;
    }
    for members in rest.chunks(MEMBERS_PER_REQUEST) {
        owner.add_members(group.id, members).await?;
    }
    Ok(group.conversation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_write_are_connected() {
        for (online, senders, connected) in [(50.0, 1, (1, 5)), (0.0, 3, (3, 3)), (100.0, 30, (10, 10))] {
            let group = Group { groups: 3, members: 10, online, senders, ..Group::default() };
            assert_eq!((group.connected(), group.connections()), (connected, 3 * connected.1));
        }
    }
}
