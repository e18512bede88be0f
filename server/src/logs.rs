//! Logs: for people on a terminal, JSON otherwise, always on standard error.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Log, LogFormat};

/// Changes the filter of a running server.
pub(crate) struct Filter(reload::Handle<EnvFilter, Registry>);

impl Filter {
    /// # Errors
    /// If the filter cannot be read; the old one stays.
    pub(crate) fn set(&self, filter: &str) -> Result<()> {
        self.0.reload(parse(filter)?).context("cannot change the log filter")
    }
}

/// Starts logging.
///
/// # Errors
/// If the filter cannot be read.
pub(crate) fn start(config: &Log) -> Result<Filter> {
    let (filter, handle) = reload::Layer::new(parse(&config.filter)?);
    let human = match config.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let format = if human {
        format.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        format.json().flatten_event(true).boxed()
    };
    tracing_subscriber::registry().with(filter).with(format).try_init().context("cannot start logging")?;
    Ok(Filter(handle))
}

/// Whether a filter can be read.
///
/// # Errors
/// If not.
pub(crate) fn check_filter(filter: &str) -> Result<()> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter> {
    EnvFilter::try_new(filter)
        .with_context(|| format!("`{filter}` is no log filter: write a level, or target=level pairs"))
}
