//! Scenario `mixed`: a day in a chat app. Every user does now this and now that, as the shares say; the plan's load says how often.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;
use linnet_sdk::{ConversationId, GroupKind};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::group;
use super::person::{Person, Shares};
use super::reading::Reader;
use super::writing::{self, Promise, Writer};
use crate::plan;
use crate::plan::credentials::User;
use crate::run::context::Context;

/// Its options. What people do is given in shares: of all that the load makes due, so many parts.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Mixed {
    /// Users, each with one device.
    #[arg(long, default_value_t = Self::default().people)]
    pub people: usize,
    /// Others to whom each of them writes.
    #[arg(long, default_value_t = Self::default().friends)]
    pub friends: usize,
    /// Groups.
    #[arg(long, default_value_t = Self::default().groups)]
    pub groups: usize,
    /// Members of a group, all of whom write and read.
    #[arg(long, default_value_t = Self::default().members)]
    pub members: usize,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
    /// What they do.
    #[command(flatten)]
    #[serde(default)]
    pub shares: Shares,
}

impl Default for Mixed {
    fn default() -> Self {
        Self { people: 200, friends: 5, groups: 10, members: 20, payload: 120, shares: Shares::default() }
    }
}

impl Mixed {
    pub(super) fn users(&self) -> usize {
        self.people
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self {
            people: plan::share(self.people, index, processes),
            groups: plan::share(self.groups, index, processes),
            ..self.clone()
        }
    }

    /// The members of a group, by their numbers: neighbours, so that everybody is in about as many groups.
    fn circle(&self, group: usize) -> impl Iterator<Item = usize> + use<> {
        let people = self.people;
        let first = group * people / self.groups.max(1);
        (0..self.members.min(people)).map(move |next| (first + next) % people)
    }
}

pub(super) async fn run(context: Arc<Context>, mixed: Mixed) -> anyhow::Result<()> {
    let mixed = Mixed { people: context.users.len(), ..mixed };
    if mixed.people == 1 {
        bail!("a chat app needs two people in each process");
    }
    let mut dialer = context.dialer(writing::limits(&context))?;
    let logins = context.users.iter().map(|user| dialer.options(user)).collect();
    let clients = context.open_all(logins).await?;
    if clients.len() < mixed.people {
        // The run is stopped.
        return Ok(());
    }
    let mut pens: Vec<Vec<Arc<Writer>>> = vec![Vec::new(); mixed.people];
    let readers: Vec<Arc<Reader>> =
        clients.iter().map(|client| Reader::new(&context, client.clone(), context.books.reader([]))).collect();
    for (from, client) in clients.iter().enumerate() {
        for to in (1..=mixed.friends.min(mixed.people - 1)).map(|next| (from + next) % mixed.people) {
            let conversation = ConversationId::between(context.users[from].id, context.users[to].id);
            let writer = Writer::new(&context, client.clone(), conversation, mixed.payload, Promise::Durable);
            readers[to].book.follow(&writer.stream);
            pens[from].push(Arc::new(writer));
        }
    }
    let direct: Vec<usize> = pens.iter().map(Vec::len).collect();
    for number in 0..mixed.groups {
        let circle: Vec<usize> = mixed.circle(number).collect();
        // A process may have no part in it.
        let Some((&owner, others)) = circle.split_first() else { break };
        let others: Vec<User> = others.iter().map(|&member| context.users[member].clone()).collect();
        let made = group::make(&clients[owner], GroupKind::default(), &others).await;
        let conversation = made.context("a group cannot be made")?;
        for &from in &circle {
            let writer = Writer::new(&context, clients[from].clone(), conversation, mixed.payload, Promise::Durable);
            for &to in circle.iter().filter(|&&to| to != from) {
                readers[to].book.follow(&writer.stream);
            }
            pens[from].push(Arc::new(writer));
        }
    }
    let friends = |of: usize| (1..=mixed.friends.min(mixed.people - 1)).map(move |next| (of + next) % mixed.people);
    let mut people = Vec::with_capacity(mixed.people);
    for (number, (reader, pens)) in readers.iter().zip(pens).enumerate() {
        let known = friends(number).map(|friend| context.users[friend].id).collect();
        let options = dialer.options(&context.users[number]);
        people.push(Arc::new(Person::new(&context, reader, pens, direct[number], known, options, &mixed.shares)?));
    }
    // As an app does when it starts.
    let mut asking = JoinSet::new();
    for person in &people {
        let person = Arc::clone(person);
        asking.spawn(async move { person.subscribe().await });
    }
    asking.join_all().await;
    writing::conduct(&context, &people, &readers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_in_about_as_many_groups() {
        let mixed = Mixed { people: 10, groups: 5, members: 4, ..Mixed::default() };
        let mut memberships = [0; 10];
        for group in 0..mixed.groups {
            for member in mixed.circle(group) {
                memberships[member] += 1;
            }
        }
        assert_eq!(memberships, [2; 10]);
        assert_eq!(Mixed { people: 2, ..mixed }.circle(3).count(), 2);
    }
}
