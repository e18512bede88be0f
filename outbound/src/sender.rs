//! Sends deliveries, whichever provider they are for, and acts on what providers say about them.

use std::collections::HashMap;
use std::sync::Arc;

use domain::push::Delivery;
use domain::record::PushChannel;
use domain::{AppNumber, Clock, Domain, Millis};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::http::Http;
use crate::metrics::DELIVERIES;
use crate::provider::{self, Provider, Tools, Verdict};

/// A channel as it was when its provider was made; another one needs another.
type Made = (Arc<PushChannel>, Arc<dyn Provider>);

/// See the module.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) domain: Domain,
    pub(crate) config: Config,
    tools: Tools,
    /// By app and channel; as many as operators have configured.
    providers: Mutex<HashMap<(AppNumber, String), Made>>,
    requests: Semaphore,
}

impl Sender {
    pub(crate) fn new(domain: Domain, clock: Clock, http: Http, config: Config) -> Self {
        let requests = Semaphore::new(config.requests.max(1));
        Self { domain, config, tools: Tools { http, clock }, providers: Mutex::default(), requests }
    }

    pub(crate) fn now(&self) -> Millis {
        self.tools.clock.now()
    }

    /// When to try again what has failed so many times before.
    pub(crate) fn retry_at(&self, attempts: u32) -> Millis {
        self.now().plus(self.config.pause(attempts))
    }

    /// Sends deliveries; what became of each, in their order. Tokens that are no longer good are forgotten.
    pub(crate) async fn send_all(&self, app: AppNumber, deliveries: &[Delivery]) -> Vec<Verdict> {
        let sent: Vec<_> = deliveries.iter().map(|delivery| self.send(app, delivery)).collect();
        stream::iter(sent).buffered(self.config.requests.max(1)).collect().await
    }

    async fn send(&self, app: AppNumber, delivery: &Delivery) -> Verdict {
        let provider = match self.provider(app, &delivery.channel) {
            Ok(provider) => provider,
            Err(why) => return self.judged(app, delivery, Verdict::Refused(why)).await,
        };
        let _permit = self.requests.acquire().await;
        let verdict = provider.send(&self.tools, delivery).await;
        self.judged(app, delivery, verdict).await
    }

    /// Counts a verdict, and acts on it.
    async fn judged(&self, app: AppNumber, delivery: &Delivery, verdict: Verdict) -> Verdict {
        let name = provider::name_of(delivery.channel.provider());
        let channel = delivery.channel.name.as_str();
        let outcome = match &verdict {
            Verdict::Accepted => "accepted",
            Verdict::Gone => {
                if let Err(error) = self.domain.push.expired(app, delivery).await {
                    tracing::warn!(app = app.0, channel, %error, "a token that is no longer good was not forgotten");
                }
                "gone"
            }
            Verdict::Refused(why) => {
                tracing::warn!(app = app.0, channel, why, "a push was refused by its provider");
                "refused"
            }
            Verdict::Later { why, .. } => {
                tracing::info!(app = app.0, channel, why, "a push did not work, and is tried again");
                "later"
            }
        };
        metrics::counter!(DELIVERIES, "provider" => name, "outcome" => outcome).increment(1);
        verdict
    }

    fn provider(&self, app: AppNumber, channel: &Arc<PushChannel>) -> Result<Arc<dyn Provider>, String> {
        let mut providers = self.providers.lock();
        let key = (app, channel.name.clone());
        if let Some((made_of, provider)) = providers.get(&key)
            && made_of == channel
        {
            return Ok(Arc::clone(provider));
        }
        let provider = provider::of(channel)?;
        providers.insert(key, (Arc::clone(channel), Arc::clone(&provider)));
        Ok(provider)
    }
}
