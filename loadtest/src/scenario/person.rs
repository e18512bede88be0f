//! One user of the scenario `mixed`: does now this and now that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use linnet_sdk::{Client, Options, Range, Result};
use parking_lot::Mutex;
use rand::distr::Distribution as _;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use super::reading::Reader;
use super::writing::{Act, Writer};
use crate::measure::latency::Recorder;
use crate::measure::names::{count, timing};
use crate::run::context::Context;

/// Entries that an app reads at once when somebody scrolls back.
const PAGE: u32 = 50;

/// How often people do what, each in parts of the whole.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Shares {
    /// Writes to somebody.
    #[arg(long = "share-direct", default_value_t = Self::default().direct)]
    pub direct: f64,
    /// Writes to a group.
    #[arg(long = "share-group", default_value_t = Self::default().group)]
    pub group: f64,
    /// Marks what came as read.
    #[arg(long = "share-receipts", default_value_t = Self::default().receipts)]
    pub receipts: f64,
    /// Begins or stops writing.
    #[arg(long = "share-typing", default_value_t = Self::default().typing)]
    pub typing: f64,
    /// Scrolls back.
    #[arg(long = "share-history", default_value_t = Self::default().history)]
    pub history: f64,
    /// Looks who is there.
    #[arg(long = "share-presence", default_value_t = Self::default().presence)]
    pub presence: f64,
    /// Closes the app and opens it again.
    #[arg(long = "share-reconnects", default_value_t = Self::default().reconnects)]
    pub reconnects: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { direct: 40.0, group: 10.0, receipts: 25.0, typing: 15.0, history: 5.0, presence: 4.0, reconnects: 1.0 }
    }
}

/// What a person does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Direct,
    Group,
    Receipt,
    Typing,
    History,
    Presence,
    Reconnect,
}

impl Shares {
    /// What somebody does with so many friends and groups, and how often each. Fails for whoever has neither, or does nothing.
    fn deeds(&self, friends: usize, groups: usize) -> anyhow::Result<([Deed; 7], WeightedIndex<f64>)> {
        let Self { mut direct, mut group, receipts, typing, history, presence, reconnects } = *self;
        match (friends, groups) {
            (0, 0) => bail!("somebody has neither friends nor groups"),
            // Who is in no group writes to friends instead, and the other way round.
            (_, 0) => direct += std::mem::take(&mut group),
            (0, _) => group += std::mem::take(&mut direct),
            _ => {}
        }
        let deeds =
            [Deed::Direct, Deed::Group, Deed::Receipt, Deed::Typing, Deed::History, Deed::Presence, Deed::Reconnect];
        let shares = [direct, group, receipts, typing, history, presence, reconnects];
        Ok((deeds, WeightedIndex::new(shares).context("the shares of what people do")?))
    }
}

/// One user.
#[derive(Debug)]
pub(super) struct Person {
    context: Arc<Context>,
    reader: Arc<Reader>,
    /// Ends when the reader's client is closed.
    reading: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    /// To friends first, then to groups.
    pens: Vec<Arc<Writer>>,
    direct: usize,
    friends: Vec<u64>,
    options: Options,
    deeds: [Deed; 7],
    weights: WeightedIndex<f64>,
    dice: Mutex<StdRng>,
    /// Held for writing while the app is closed: everything else waits.
    open: RwLock<()>,
    calls: Arc<AtomicU64>,
    call_errors: Arc<AtomicU64>,
    notices: Arc<AtomicU64>,
    call: Arc<Recorder>,
}

impl Person {
    /// Starts to read, too. `pens` are the `direct` conversations first, then groups. `options` log the user in again.
    pub(super) fn new(
        context: &Arc<Context>,
        reader: &Arc<Reader>,
        pens: Vec<Arc<Writer>>,
        direct: usize,
        friends: Vec<u64>,
        options: Options,
        shares: &Shares,
    ) -> anyhow::Result<Self> {
        let (deeds, weights) = shares.deeds(direct, pens.len() - direct)?;
        let seed = friends.iter().fold(context.run, |seed, friend| seed.wrapping_mul(31).wrapping_add(*friend));
        let meters = &context.meters;
        Ok(Self {
            reader: Arc::clone(reader),
            reading: tokio::sync::Mutex::new(Some(tokio::spawn(Arc::clone(reader).read()))),
            pens,
            direct,
            friends,
            options,
            deeds,
            weights,
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            open: RwLock::new(()),
            calls: meters.count(count::CALLS),
            call_errors: meters.count(count::CALL_ERRORS),
            notices: meters.count(count::NOTICES),
            call: meters.timing(timing::CALL),
            context: Arc::clone(context),
        })
    }

    /// Asks to be told when friends come and go.
    pub(super) async fn subscribe(&self) {
        let client = self.reader.client();
        self.ask(Instant::now(), client.subscribe_presence(&self.friends)).await;
    }

    /// Waits for an answer, and enters it.
    async fn ask<T>(&self, intended: Instant, answer: impl Future<Output = Result<T>>) {
        match answer.await {
            Ok(_) => {
                self.call.record(intended.elapsed());
                self.calls.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.call_errors.fetch_add(1, Ordering::Relaxed);
                self.context.meters.error(&error);
            }
        }
    }

    /// Closes the app and opens it again, with everything that it had.
    async fn reconnect(&self) {
        let _closed = self.open.write().await;
        let mut reading = self.reading.lock().await;
        let client = self.reader.client();
        client.close().await;
        if let Some(reading) = reading.take() {
            // It ends with the last event, so that the cursors tell of everything that was taken.
            let _ = reading.await;
        }
        let options = Options { cursors: client.cursors(), ..self.options.clone() };
        let mut again = self.context.log_in_again(options.clone()).await;
        while again.as_ref().is_err_and(|error| !error.is_definite()) && !self.context.stopped() {
            again = self.context.log_in_again(options.clone()).await;
        }
        // A failure is counted, and everything else of this user fails from now on.
        let Ok(again) = again else { return };
        self.take(again);
        *reading = Some(tokio::spawn(Arc::clone(&self.reader).read()));
        self.subscribe().await;
    }

    fn take(&self, client: Client) {
        for pen in &self.pens {
            pen.replace(client.clone());
        }
        self.reader.replace(client);
    }
}

impl Act for Person {
    async fn act(&self, intended: Instant) {
        let (deed, pen) = {
            let mut dice = self.dice.lock();
            let deed = self.deeds[self.weights.sample(&mut *dice)];
            let pens = match deed {
                Deed::Direct => 0..self.direct,
                Deed::Group => self.direct..self.pens.len(),
                _ => 0..self.pens.len(),
            };
            (deed, &self.pens[dice.random_range(pens)])
        };
        if matches!(deed, Deed::Reconnect) {
            return self.reconnect().await;
        }
        let _open = self.open.read().await;
        let (client, conversation) = (self.reader.client(), pen.stream.conversation);
        let newest = self.reader.book.newest(conversation);
        match deed {
            Deed::Direct | Deed::Group => pen.send(intended).await,
            // Nothing was said there yet, so there is nothing to open: an app shows its list instead.
            Deed::Receipt | Deed::History if newest == 0 => self.ask(intended, client.conversations(None, 0)).await,
            Deed::Receipt => self.ask(intended, client.mark_read(conversation, newest)).await,
            Deed::Typing => match client.typing(conversation, true).await {
                Ok(()) => drop(self.notices.fetch_add(1, Ordering::Relaxed)),
                Err(error) => self.context.meters.error(&error),
            },
            Deed::History => self.ask(intended, client.history(conversation, Range::Newest, PAGE)).await,
            Deed::Presence => self.ask(intended, client.presence(&self.friends)).await,
            Deed::Reconnect => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_writes_where_there_is_nobody() {
        let shares = Shares::default();
        let first_two = |friends, groups| {
            let (_, weights) = shares.deeds(friends, groups).unwrap();
            weights.weights().take(2).collect::<Vec<f64>>()
        };
        assert_eq!(first_two(3, 2), [40.0, 10.0]);
        assert_eq!(first_two(3, 0), [50.0, 0.0]);
        assert_eq!(first_two(0, 2), [0.0, 50.0]);
        assert!(shares.deeds(0, 0).is_err());
        let nothing = Shares {
            direct: 0.0,
            group: 0.0,
            receipts: 0.0,
            typing: 0.0,
            history: 0.0,
            presence: 0.0,
            reconnects: 0.0,
        };
        assert!(nothing.deeds(1, 1).is_err() && Shares { direct: -1.0, ..nothing }.deeds(1, 1).is_err());
    }
}
