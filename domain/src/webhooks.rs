//! Asking an app's server before a message is sent, and telling it after.
//!
//! This says what is asked and what an answer means. Who carries it over HTTP is installed from outside, since the domain knows no HTTP;
//! while nobody is, a webhook is one that does not answer. An app's server is told through the outbox, at least once.

mod body;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use proto::entry::content::Kind;
use proto::entry::{Content, Entry, Text};
use proto::store;
use serde::Deserialize;
use storage::{Millis, Store};
use tracing::warn;

use crate::config::Config;
use crate::error::{Denial, Error, Result};
use crate::ids::{AppNumber, ConversationId, UserId};
use crate::metrics::WEBHOOKS_SILENT;
use crate::rules::RulesKey;
use crate::{Domain, apps};

/// Carries a request to an app's server.
pub trait Carry: std::fmt::Debug + Send + Sync {
    /// Posts a body to a webhook, signed with its secret, and gives the body of the answer.
    ///
    /// # Errors
    /// Why there is no answer, for the log.
    fn post<'a>(&'a self, hook: &'a store::Webhook, body: Bytes) -> BoxFuture<'a, std::result::Result<Bytes, String>>;
}

/// What an app's server is asked about, besides the content.
pub(crate) struct Question<'a> {
    pub(crate) app: &'a store::App,
    pub(crate) sender: UserId,
    pub(crate) conversation: ConversationId,
    pub(crate) time: Millis,
}

/// What an app's server says before a message is sent.
#[derive(Debug, Deserialize)]
struct Answer {
    /// Whether the message passes.
    pass: bool,
    /// What the message is to say instead, where it is a text.
    #[serde(default)]
    text: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Webhooks {
    store: Store,
    directory: apps::Directory,
    carrier: OnceLock<Arc<dyn Carry>>,
    timeout: Duration,
    silent: metrics::Counter,
}

impl Webhooks {
    pub(crate) fn new(store: Store, directory: apps::Directory, config: &Config) -> Arc<Self> {
        let (timeout, silent) = (config.webhook_timeout, metrics::counter!(WEBHOOKS_SILENT));
        Arc::new(Self { store, directory, carrier: OnceLock::new(), timeout, silent })
    }

    /// Installs who carries requests, once. Later ones are ignored.
    pub fn install(&self, carrier: Arc<dyn Carry>) {
        let _ = self.carrier.set(carrier);
    }

    /// Where to tell, and what, after a message was sent; `None` where nobody wants to know any more.
    ///
    /// # Errors
    /// What the store says.
    pub async fn after(
        &self,
        app: AppNumber,
        conversation: ConversationId,
        entry: &Entry,
    ) -> Result<Option<(store::Webhook, Bytes)>> {
        let rules = self.store.get(&RulesKey { app }).await?;
        let (Some(hook), Some(record)) = (rules.and_then(|rules| rules.after), self.directory.by_number(app).await?)
        else {
            return Ok(None);
        };
        let body = body::after(&self.store, &record, conversation, entry).await?;
        Ok(body.map(|body| (hook, body)))
    }

    /// Posts what [`Self::after`] gave.
    ///
    /// # Errors
    /// Why it did not arrive, for the log; then it is to be posted again.
    pub async fn tell(&self, hook: &store::Webhook, body: Bytes) -> std::result::Result<(), String> {
        self.post(hook, body).await.map(|_| ())
    }

    /// Asks whether a content may be sent; gives it as it may be.
    ///
    /// # Errors
    /// `Denied(Censored)` if the app's server says no; `Limited` if it says nothing and the webhook fails closed.
    pub(crate) async fn ask(
        &self,
        hook: &store::Webhook,
        question: &Question<'_>,
        content: Content,
    ) -> Result<Content> {
        let body = body::before(&self.store, question, &content).await?;
        let answered = self.post(hook, body).await;
        let answer = answered.and_then(|answer| serde_json::from_slice(&answer).map_err(|error| error.to_string()));
        match answer {
            Ok(Answer { pass: false, .. }) => Err(Error::Denied(Denial::Censored)),
            Ok(Answer { text: Some(text), .. }) if matches!(content.kind, Some(Kind::Text(_))) => {
                Ok(Content { kind: Some(Kind::Text(Text { text })), raw: String::new(), ..content })
            }
            Ok(_) => Ok(content),
            Err(problem) => {
                self.silent.increment(1);
                warn!(app = question.app.number, %problem, closed = hook.fail_closed, "a webhook did not answer");
                match hook.fail_closed {
                    true => Err(Error::Limited { retry_after: Duration::from_secs(1) }),
                    false => Ok(content),
                }
            }
        }
    }

    async fn post(&self, hook: &store::Webhook, body: Bytes) -> std::result::Result<Bytes, String> {
        let carrier = self.carrier.get().ok_or("this process makes no requests")?;
        let timeout = match hook.timeout_ms {
            0 => self.timeout,
            millis => Duration::from_millis(millis.into()),
        };
        let answered = tokio::time::timeout(timeout, carrier.post(hook, body)).await;
        answered.unwrap_or_else(|_| Err(format!("no answer within {} ms", timeout.as_millis())))
    }
}

impl Domain {
    /// Sets an app's webhooks, or removes those that are `None`. For the machine's operator only, so it takes no caller.
    ///
    /// Two commits: where to tell, then that messages are to leave outbox rows for it. A crash in between leaves a webhook that is not told
    /// of messages until this is called again.
    ///
    /// # Errors
    /// `NotFound(App)`, `Invalid`.
    pub async fn set_webhooks(
        &self,
        app: &str,
        before: Option<store::Webhook>,
        after: Option<store::Webhook>,
    ) -> Result<()> {
        for hook in before.iter().chain(&after) {
            check(hook)?;
        }
        let number = AppNumber(self.apps.find(app).await?.number);
        self.rules.change(number, |rules| (rules.before, rules.after) = (before.clone(), after.clone())).await?;
        self.apps.set(app, |settings| settings.webhook_after = after.is_some()).await?;
        Ok(())
    }

    /// An app's webhooks, before and after.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn webhooks_of(&self, app: &str) -> Result<(Option<store::Webhook>, Option<store::Webhook>)> {
        let app = AppNumber(self.apps.find(app).await?.number);
        let rules = self.store.get(&RulesKey { app }).await?.unwrap_or_default();
        Ok((rules.before, rules.after))
    }
}

fn check(hook: &store::Webhook) -> Result<()> {
    let invalid = |message: &str| Err(Error::Invalid { field: "webhook", message: message.to_owned() });
    let address = hook.url.strip_prefix("https://").or_else(|| hook.url.strip_prefix("http://"));
    if hook.url.len() > 2_048 || address.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
        return invalid("needs a URL that begins with http:// or https://, of at most 2048 bytes");
    }
    if !(16..=256).contains(&hook.secret.len()) {
        return invalid("needs a secret of 16 to 256 bytes, which signs the requests");
    }
    if hook.timeout_ms > 10_000 {
        return invalid("may take 10 seconds at most: whoever sends is waiting");
    }
    Ok(())
}
