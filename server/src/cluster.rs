//! The Redis Cluster that many processes share: looked at before it is used, and opened.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::Clock;
use storage::{Bus, RedisCheck, Store};

use crate::config::Config;

/// How long the store and the bus may take to get ready once the cluster was found to be well.
const READY: Duration = Duration::from_secs(10);

/// Opens the store and the bus in the cluster.
///
/// # Errors
/// If the cluster does not answer, or cannot keep what an ack promises, unless that is accepted by name.
pub(crate) async fn open(config: &Config, clock: &Clock) -> Result<(Store, Bus)> {
    let settings = &config.store.redis;
    let check = RedisCheck::run(settings, clock).await;
    let refusals: Vec<String> = check.refusals(&settings.accept).map(|finding| format!("\n  {finding}")).collect();
    if !refusals.is_empty() {
        bail!(
            "the Redis Cluster at {:?} will not do:{}\nWhat you accept nevertheless, name in `store.redis.accept`; `linnet doctor` shows \
             everything that was found",
            settings.url,
            refusals.concat()
        );
    }
    for finding in &check.findings {
        tracing::warn!(%finding, "the Redis Cluster could be better");
    }
    let store = Store::redis(settings, clock.clone())?;
    let bus = Bus::redis(&config.bus.redis).map_err(anyhow::Error::msg)?;
    let ready = async {
        while !(store.is_ready() && bus.is_ready()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(READY, ready).await.context("the Redis Cluster does not answer in time")?;
    Ok((store, bus))
}
