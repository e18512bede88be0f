//! An app's rules about what is said: words that do not pass, who is silent everywhere, how fast users may write, whom to ask before.
//!
//! They bind users. The app's own server and its administrators are trusted, also where they act for a user.
//! An app without rules pays for none: one row is read each second, and it is not there.
//!
//! The rules lie in a home of the app's. What others changed is seen within a second.

mod filter;
mod fold;
mod pace;
mod review;
mod words;

use std::sync::Arc;
use std::time::Duration;

use proto::store;
use storage::{Batch, Clock, Home, Key, Rest, Store, Table};

use crate::caller::Caller;
use crate::config::Config;
use crate::error::{Error, Noun, Result};
use crate::fresh::Fresh;
use crate::ids::{AppNumber, UserId};
use crate::retry::Tries;
use crate::tables;
use crate::users::UserKey;
use crate::webhooks::Webhooks;

/// An app's rules.
///
/// home: the app's rules.  rest: empty.  value: `store.Rules`.
pub(crate) struct RulesKey {
    pub(crate) app: AppNumber,
}

impl Key for RulesKey {
    const TABLE: Table = tables::RULES;
    type Record = store::Rules;
    fn home(&self) -> Home {
        tables::rules(self.app)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// A word that does not pass.
///
/// home: the app's rules.  rest: the word, folded.  value: `store.FilterWord`.
pub(crate) struct FilterWordKey<'a> {
    pub(crate) app: AppNumber,
    pub(crate) word: &'a str,
}

impl Key for FilterWordKey<'_> {
    const TABLE: Table = tables::FILTER_WORD;
    type Record = store::FilterWord;
    fn home(&self) -> Home {
        tables::rules(self.app)
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.word.as_bytes());
    }
}

/// Until when a user is silent everywhere.
///
/// home: the user.  rest: empty.  value: `store.Silence`.
pub(crate) struct SilenceKey {
    pub(crate) app: AppNumber,
    pub(crate) user: UserId,
}

impl Key for SilenceKey {
    const TABLE: Table = tables::SILENCE;
    type Record = store::Silence;
    fn home(&self) -> Home {
        tables::user(self.app, self.user)
    }
    fn rest(&self, _out: &mut Rest) {}
}

/// How many messages one user may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimit {
    /// So many messages, at once or spread out.
    pub messages: u32,
    /// In any span of this length.
    pub span: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Rules {
    store: Store,
    clock: Clock,
    webhooks: Arc<Webhooks>,
    /// By app.
    fresh: Fresh<AppNumber, Option<Arc<store::Rules>>>,
    filters: filter::Filters,
    paces: pace::Paces,
    limits: Limits,
}

/// The settings that concern rules.
#[derive(Debug, Clone, Copy)]
struct Limits {
    words: usize,
    words_per_call: usize,
    page: usize,
}

impl Rules {
    pub(crate) fn new(store: Store, clock: Clock, webhooks: Arc<Webhooks>, config: &Config) -> Self {
        let fresh = Fresh::new();
        let limits = Limits {
            words: config.filter_words,
            words_per_call: config.filter_words_per_call,
            page: config.filter_words_per_call,
        };
        let filters = filter::Filters::new(store.clone());
        Self { store, clock, webhooks, fresh, filters, paces: pace::Paces::new(config.paced_users), limits }
    }

    /// Until when a user, or without one the whole app, is silent everywhere.
    ///
    /// # Errors
    /// `NotFound(User)`; `Denied(Credential)` unless the caller is privileged.
    pub async fn silence(&self, caller: &Caller, user: Option<UserId>) -> Result<store::Silence> {
        caller.require_privileged()?;
        let app = caller.app();
        match user {
            Some(user) => {
                self.must_exist(app, user).await?;
                Ok(self.store.get(&SilenceKey { app, user }).await?.unwrap_or_default())
            }
            None => Ok(self.read(app).await?.and_then(|rules| rules.app_silence).unwrap_or_default()),
        }
    }

    /// Silences a user, or without one the whole app, or lets them speak again.
    ///
    /// A user's silence takes two commits: that there are silent users, then who. A crash in between costs each sender one read, and no more.
    ///
    /// # Errors
    /// `Invalid`; `NotFound(User)`; `Denied(Credential)` unless the caller is privileged.
    pub async fn set_silence(&self, caller: &Caller, user: Option<UserId>, silence: store::Silence) -> Result<()> {
        caller.require_privileged()?;
        if silence.direct_until < -1 || silence.group_until < -1 {
            return Err(Error::Invalid { field: "until", message: "must be a time, 0 or -1".to_owned() });
        }
        let app = caller.app();
        let Some(user) = user else {
            return self.change(app, |rules| rules.app_silence = Some(silence)).await;
        };
        self.must_exist(app, user).await?;
        self.change(app, |rules| rules.silences = true).await?;
        let key = SilenceKey { app, user };
        let mut batch = Batch::new(key.home());
        batch.put(&key, &silence);
        Ok(self.store.commit(batch).await?)
    }

    /// How many messages one user may send; `None` for any number.
    ///
    /// # Errors
    /// `Denied(Credential)` unless the caller is privileged.
    pub async fn send_limit(&self, caller: &Caller) -> Result<Option<SendLimit>> {
        caller.require_privileged()?;
        Ok(self.read(caller.app()).await?.and_then(|rules| pace::limit_of(&rules)))
    }

    /// Limits how many messages one user may send, in each process that users are connected to.
    ///
    /// # Errors
    /// `Invalid`; `Denied(Credential)` unless the caller is privileged.
    pub async fn set_send_limit(&self, caller: &Caller, limit: Option<SendLimit>) -> Result<()> {
        caller.require_privileged()?;
        let (sends, span) = match limit {
            None => (0, 0),
            Some(limit) => {
                let span = i64::try_from(limit.span.as_millis()).unwrap_or(i64::MAX);
                if limit.messages == 0 || !(1_000..=86_400_000).contains(&span) {
                    let message = "must be at least one message, in a second to a day".to_owned();
                    return Err(Error::Invalid { field: "limit", message });
                }
                (limit.messages, span)
            }
        };
        self.change(caller.app(), |rules| (rules.sends, rules.sends_span_ms) = (sends, span)).await
    }

    /// The rules as they are, or were a second ago.
    async fn current(&self, app: AppNumber) -> Result<Option<Arc<store::Rules>>> {
        self.fresh.get(app, || async { Ok(self.read(app).await?.map(Arc::new)) }).await
    }

    async fn read(&self, app: AppNumber) -> Result<Option<store::Rules>> {
        Ok(self.store.get(&RulesKey { app }).await?)
    }

    /// Changes the rules, unless they are so already.
    pub(crate) async fn change(&self, app: AppNumber, change: impl Fn(&mut store::Rules)) -> Result<()> {
        let key = RulesKey { app };
        let mut tries = Tries::default();
        loop {
            let before = self.read(app).await?;
            let mut after = before.clone().unwrap_or_default();
            change(&mut after);
            if before.as_ref() == Some(&after) {
                return Ok(());
            }
            let mut batch = Batch::new(key.home());
            batch.expect_unchanged(&key, before.as_ref()).put(&key, &after);
            if tries.settled(self.store.commit(batch).await).await? {
                self.fresh.forget(app);
                return Ok(());
            }
        }
    }

    async fn must_exist(&self, app: AppNumber, user: UserId) -> Result<()> {
        if self.store.get(&UserKey { app, user }).await?.is_some() { Ok(()) } else { Err(Error::NotFound(Noun::User)) }
    }
}
