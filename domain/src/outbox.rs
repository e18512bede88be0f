//! The outbox: what must happen outside of the store after an entry, at least once. What it is (a push, a webhook) is others' business.
//!
//! An entry's own commit leaves a row beside it, in the conversation's home, for apps that push or have webhooks, and for no others.
//! Whoever does the work then removes the row; a crash in between has it done again, so whoever is told needs an id to recognise it by.
//!
//! The rows lie where their entries do, so something must tell where to look. At once, that is a hint from delivery. For what hints miss,
//! there is the app's *journal*: a line for each conversation and `PERIOD` in which it left a row, written before the first of them.
//! A crash between line and row leaves a line that leads nowhere, which a sweep removes. Lines of a period that is long over are removed
//! once the conversation's outbox is empty: no commit takes so long that it could still come.
//!
//! The workers are the machine's own, so the calls take no caller. Which process works is its [`Duty`].

mod duty;
mod keys;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use proto::entry::entry::Body;
use proto::{entry, store};
use storage::{Batch, Clock, Key, Millis, Scan, Store};
use tokio::sync::Notify;

use crate::apps::AppKey;
use crate::error::Result;
use crate::ids::{AppNumber, ConversationId, Seq};
use crate::log::EntryKey;
use crate::messages::is_recalled;
use crate::retry::Tries;
use crate::tables;

use duty::Holder;
#[cfg(test)]
pub(crate) use duty::WorkLeaseKey;
pub use duty::{Duty, at_work_until};
pub(crate) use keys::{OutboxKey, OutboxLineKey};

/// How long one line of the journal stands for its conversation.
const PERIOD: Duration = Duration::from_secs(600);
/// Lines that are read at a time.
const LINES_PER_READ: usize = 500;
/// Most conversations that hints wait for; what comes beyond is found by the next sweep.
const MOST_HINTS: usize = 65_536;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Notify phones that are not connected.
    Push = 1,
    /// Tell the app's server.
    Webhook = 2,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Push, Self::Webhook];
}

/// What an entry leaves to be done; usually nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Purposes(u8);

impl Purposes {
    /// What an entry of an app with these settings leaves.
    pub(crate) fn of(settings: &store::AppSettings, body: &Body) -> Self {
        let mut all = Self::default();
        // What was brought here from elsewhere is no news.
        if let Body::Message(content) = body
            && content.said_at == 0
        {
            if settings.push && !matches!(content.kind, None | Some(entry::content::Kind::Command(_))) {
                all.add(Purpose::Push);
            }
            if settings.webhook_after {
                all.add(Purpose::Webhook);
            }
        }
        all
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, purpose: Purpose) {
        self.0 |= purpose as u8;
    }

    fn each(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL.into_iter().filter(move |purpose| self.0 & *purpose as u8 != 0)
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Whose.
    pub app: AppNumber,
    /// Where the entry is.
    pub conversation: ConversationId,
    /// The entry.
    pub seq: Seq,
    /// What to do about it.
    pub purpose: Purpose,
    /// How it stands.
    pub state: store::Outbox,
}

impl Task {
    fn key(&self) -> OutboxKey {
        let Self { app, conversation, seq, purpose, .. } = *self;
        OutboxKey { app, conversation, seq, purpose }
    }
}

/// What there is to do in one conversation.
#[derive(Debug, Default)]
pub struct Work {
    /// What is due, in the order of the entries.
    pub due: Vec<Task>,
    /// When the next of the others will be, if there are others.
    pub next: Option<Millis>,
}

impl Work {
    fn again_at(&mut self, time: Millis) {
        self.next = Some(self.next.map_or(time, |next| next.min(time)));
    }
}

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    store: Store,
    clock: Clock,
    duty: RwLock<Duty>,
    hints: Mutex<HashSet<(AppNumber, ConversationId)>>,
    hinted: Notify,
}

impl Outbox {
    pub(crate) fn new(store: Store, clock: Clock) -> Arc<Self> {
        let (duty, hints) = (RwLock::default(), Mutex::default());
        Arc::new(Self { store, clock, duty, hints, hinted: Notify::new() })
    }

    /// Sees to it that the journal has a line for a conversation that is about to leave rows. `line` is the period of the last one.
    pub(crate) async fn announce(&self, app: AppNumber, conversation: ConversationId, line: &AtomicI64) -> Result<()> {
        let period = self.period();
        if line.load(Ordering::Acquire) >= period {
            return Ok(());
        }
        let key = OutboxLineKey { app, period, conversation };
        let mut batch = Batch::new(key.home());
        batch.put(&key, &store::OutboxLine { conversation: Some(conversation.to_wire()) });
        self.store.commit(batch).await?;
        line.fetch_max(period, Ordering::AcqRel);
        Ok(())
    }

    /// Adds to an entry's commit the rows that it leaves.
    pub(crate) fn leave(
        &self,
        purposes: Purposes,
        batch: &mut Batch,
        (app, conversation): (AppNumber, ConversationId),
        (seq, time): (Seq, Millis),
    ) {
        if purposes.is_empty() {
            return;
        }
        // Due at once: an entry's time may be a little ahead of the clock.
        let mut row = store::Outbox { left: time.0, ..store::Outbox::default() };
        self.duty().take(&mut row, self.clock.now());
        for purpose in purposes.each() {
            batch.put(&OutboxKey { app, conversation, seq, purpose }, &row);
        }
    }

    /// Notes that a conversation has something to do.
    pub(crate) fn hint(&self, app: AppNumber, conversation: ConversationId) {
        let mut hints = self.hints.lock();
        if hints.len() < MOST_HINTS {
            hints.insert((app, conversation));
            self.hinted.notify_one();
        }
    }

    /// The conversations that have something to do, once there are some. Safe to drop and call again.
    pub async fn hinted(&self) -> Vec<(AppNumber, ConversationId)> {
        loop {
            let hints = std::mem::take(&mut *self.hints.lock());
            if !hints.is_empty() {
                return hints.into_iter().collect();
            }
            self.hinted.notified().await;
        }
    }

    /// Looks through all journals, as long as this process [leads](Self::leads): hints at what was left undone, and removes lines that have served.
    ///
    /// # Errors
    /// What the store says; what was not looked at is with the next sweep.
    pub async fn sweep(&self) -> Result<()> {
        let apps = self.store.scan(Scan::<AppKey<'_>>::new(tables::root(), usize::MAX)).await?;
        for app in apps {
            if !self.leads().await? {
                return Ok(());
            }
            self.sweep_app(AppNumber(app.record.number)).await?;
        }
        Ok(())
    }

    async fn sweep_app(&self, app: AppNumber) -> Result<()> {
        let home = tables::outbound(app, tables::Outbound::Journal, &[]);
        // A sender who was about to write in the period before this one may still do so.
        let closed = self.period() - 1;
        let mut from = Vec::new();
        loop {
            let scan = Scan::<OutboxLineKey>::new(home.clone(), LINES_PER_READ).from(|rest| {
                rest.bytes(&from);
            });
            let lines = self.store.scan(scan).await?;
            let mut served = Batch::new(home.clone());
            for line in &lines {
                let found = line.record.conversation.as_ref().and_then(ConversationId::from_wire);
                let Some(conversation) = found else { continue };
                let period = keys::period_of(&line.rest);
                let rows = Scan::<OutboxKey>::new(tables::conversation(app, conversation), 1);
                if !self.store.scan(rows).await?.is_empty() {
                    self.hint(app, conversation);
                } else if period < closed {
                    served.delete(&OutboxLineKey { app, period, conversation });
                }
            }
            if !served.is_empty() {
                self.store.commit(served).await?;
            }
            match lines.last() {
                Some(last) if lines.len() == LINES_PER_READ => from = [&last.rest[..], &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }

    /// What there is for this process to do in a conversation, at most `limit` of it. Takes what is nobody's.
    ///
    /// # Errors
    /// What the store says; `Limited` if other processes were faster again and again.
    pub async fn work(&self, app: AppNumber, conversation: ConversationId, limit: usize) -> Result<Work> {
        let home = tables::conversation(app, conversation);
        let duty = self.duty();
        let mut tries = Tries::default();
        loop {
            let rows = self.store.scan(Scan::<OutboxKey>::new(home.clone(), limit)).await?;
            let now = self.clock.now();
            let mut work = Work::default();
            let mut taken = Batch::new(home.clone());
            for row in rows {
                let Some((seq, purpose)) = keys::place_of(&row.rest) else { continue };
                let mut task = Task { app, conversation, seq, purpose, state: row.record };
                if Millis(task.state.due) > now {
                    work.again_at(Millis(task.state.due));
                    continue;
                }
                match duty.holder(&task.state, now) {
                    Holder::Us => {}
                    Holder::Other(until) => {
                        work.again_at(until);
                        continue;
                    }
                    Holder::Nobody => {
                        let key = task.key();
                        taken.expect_unchanged(&key, Some(&task.state));
                        duty.take(&mut task.state, now);
                        taken.put(&key, &task.state);
                    }
                }
                work.due.push(task);
            }
            if taken.is_empty() || tries.settled(self.store.commit(taken).await).await? {
                return Ok(work);
            }
        }
    }

    /// The entry that a task is about; `None` if retention has taken it, or its author withdrew it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn entry(&self, task: &Task) -> Result<Option<entry::Entry>> {
        let key = EntryKey { app: task.app, conversation: task.conversation, seq: task.seq };
        Ok(self.store.get(&key).await?.filter(|entry| !is_recalled(entry)))
    }

    /// Notes that a task is done, or never will be.
    ///
    /// # Errors
    /// What the store says; it is then done once more.
    pub async fn done(&self, task: &Task) -> Result<()> {
        let key = task.key();
        let mut batch = Batch::new(key.home());
        batch.delete(&key);
        Ok(self.store.commit(batch).await?)
    }

    /// Notes that a task failed and is to be tried again at `due`.
    ///
    /// # Errors
    /// What the store says; it is then tried again as if for the first time.
    pub async fn failed(&self, task: &Task, due: Millis) -> Result<()> {
        let attempts = task.state.attempts + 1;
        self.keep(task, store::Outbox { attempts, due: due.0, ..task.state.clone() }).await
    }

    /// Notes how a task stands now; it is nobody's then.
    pub(crate) async fn keep(&self, task: &Task, state: store::Outbox) -> Result<()> {
        let key = task.key();
        let mut batch = Batch::new(key.home());
        if self.is_shared() {
            batch.expect_unchanged(&key, Some(&task.state));
        }
        batch.put(&key, &store::Outbox { claimed_by: 0, claimed_until: 0, ..state });
        match self.store.commit(batch).await {
            // Another process has taken it up since, or is done with it.
            Ok(()) | Err(storage::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The period that now is in; from 1, since 0 stands for none.
    fn period(&self) -> i64 {
        let millis = i64::try_from(PERIOD.as_millis()).unwrap_or(i64::MAX);
        (self.clock.now().0 / millis).max(1)
    }
}
