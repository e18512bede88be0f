//! The whole configuration: the server's own sections, and one per part that it starts.
//!
//! - `store`: where the bytes are, and how processes hear of each other;  `layers`: where values come from;  `print`: how they are shown.
//!
//! `config.example.toml` holds every key at its default with its explanation, and is what `linnet config print` is made from.

mod layers;
mod print;
mod store;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use storage::units::duration;

use crate::cli::{Command, ConfigArgs};
use layers::Layers;
pub(crate) use store::{Bus, Engine, Store};

/// Read when no file is named.
const DEFAULT_FILE: &str = "linnet.toml";

/// Every setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder of everything that the server keeps. Default `data`. Paths below it follow it unless they are set themselves.
    pub(crate) data_dir: PathBuf,
    /// Logs.
    pub(crate) log: Log,
    /// The certificate of the gateway's TLS and QUIC.
    pub(crate) tls: Tls,
    /// How the server stops.
    pub(crate) shutdown: Shutdown,
    /// Metrics beside those that the REST service shows.
    pub(crate) metrics: Metrics,
    /// Where the bytes are.
    pub(crate) store: Store,
    /// How processes hear of each other.
    pub(crate) bus: Bus,
    /// The product's limits.
    pub(crate) domain: domain::Config,
    /// How clients connect.
    pub(crate) gateway: gateway::Config,
    /// The HTTP service for app servers.
    pub(crate) rest: rest::Config,
    /// Requests that Linnet itself makes: to push providers and to apps' webhooks.
    pub(crate) outbound: outbound::Config,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// What to log: a level, or `target=level` pairs. Default `info`. Reloaded on SIGHUP.
    pub(crate) filter: String,
    /// Default `auto`: for people on a terminal, else JSON.
    pub(crate) format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Auto,
    Human,
    Json,
}

/// The certificate of the gateway's TLS and QUIC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// PEM file with the certificate chain. Default empty: a self-signed one is made in `<data_dir>/tls`. Reloaded on SIGHUP.
    pub(crate) certificate: PathBuf,
    /// PEM file with its private key.
    pub(crate) key: PathBuf,
}

/// How the server stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long `/readyz` fails before connections are refused, for a balancer to notice. Default 0 ms.
    #[serde(with = "duration")]
    pub(crate) notice: Duration,
    /// How long clients and requests get to finish after SIGTERM. Default 20 s; what is still open then is cut.
    #[serde(with = "duration")]
    pub(crate) deadline: Duration,
}

/// Metrics beside those that the REST service shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// Address of a page with metrics and health alone, for `linnet gateway`, which has no REST service. Default empty: none.
    pub(crate) listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            log: Log::default(),
            tls: Tls::default(),
            shutdown: Shutdown::default(),
            metrics: Metrics::default(),
            store: Store::default(),
            bus: Bus::default(),
            domain: domain::Config::default(),
            gateway: gateway::Config::default(),
            rest: rest::Config::default(),
            outbound: outbound::Config::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Auto }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { notice: Duration::ZERO, deadline: Duration::from_secs(20) }
    }
}

impl Config {
    /// The configuration in force for a command.
    ///
    /// # Errors
    /// Names the file, variable or flag at fault, and the key.
    pub(crate) fn load(args: &ConfigArgs, command: &Command) -> Result<Self> {
        let mut layers = Layers::new();
        if let Some((name, text)) = read_file(args.config.as_deref())? {
            layers.file(&name, &text)?;
        }
        layers.environment(std::env::vars())?;
        if let Some(directory) = &args.data_dir {
            layers.flag("--data-dir", &format!("data_dir={}", directory.display()))?;
        }
        for (flag, assignment) in command.assignments() {
            layers.flag(flag, &assignment)?;
        }
        for assignment in &args.set {
            layers.flag("--set", assignment)?;
        }
        let mut config = layers.finish()?;
        if !layers.has(&["store", "server", "socket"]) {
            config.store.server.socket = config.data_dir.join("store.sock");
        }
        if !layers.has(&["store", "remote", "socket"]) {
            config.store.remote.socket = config.store.server.socket.clone();
        }
        if !layers.has(&["store", "rocks", "directory"]) {
            config.store.rocks.directory = config.data_dir.join("store");
        }
        if !layers.has(&["domain", "files", "location"]) {
            config.domain.files.location = config.data_dir.join("files").display().to_string();
        }
        config.follow_the_store(&layers)?;
        config.validate()?;
        Ok(config)
    }

    /// The bus is where the store is, unless it is told otherwise.
    fn follow_the_store(&mut self, layers: &Layers) -> Result<()> {
        if self.store.engine == Engine::Rocks {
            // A configuration that was printed has the defaults in it, which ask for nothing.
            let default = storage::RedisConfig::default().url;
            for (key, url) in [("store.redis.url", &self.store.redis.url), ("bus.redis.url", &self.bus.redis.url)] {
                if *url != default {
                    bail!(
                        "`{key}` is set and `store.engine` is `rocks`: set the engine to `redis`, or take the URL out"
                    );
                }
            }
        }
        let (store, bus) = (&self.store.redis, &mut self.bus.redis);
        if !layers.has(&["bus", "redis", "url"]) {
            bus.url = store.url.clone();
            bus.ca = store.ca.clone();
        }
        if !layers.has(&["bus", "redis", "namespace"]) {
            bus.namespace = format!("{}-bus", store.namespace);
        }
        Ok(())
    }

    /// What no single key can tell.
    fn validate(&self) -> Result<()> {
        if self.tls.certificate.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            bail!("`tls.certificate` and `tls.key` belong together: set both, or neither");
        }
        if !self.metrics.listen.is_empty() {
            self.metrics
                .listen
                .parse::<std::net::SocketAddr>()
                .context("`metrics.listen` is no address like 127.0.0.1:9100")?;
        }
        crate::logs::check_filter(&self.log.filter).context("`log.filter`")?;
        Ok(())
    }

    /// The configuration as a commented file.
    pub(crate) fn print(&self) -> Result<String> {
        print::with_comments(self)
    }

    /// Where a running server tells its addresses.
    pub(crate) fn running_file(&self) -> PathBuf {
        self.data_dir.join("running.json")
    }

    /// Folder of the certificate that is made when none is configured.
    pub(crate) fn tls_dir(&self) -> PathBuf {
        self.data_dir.join("tls")
    }
}

fn read_file(named: Option<&Path>) -> Result<Option<(String, String)>> {
    let path = named.unwrap_or_else(|| Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

impl Command {
    /// Flags that stand for a key.
    fn assignments(&self) -> Vec<(&'static str, String)> {
        let gateway = match self {
            Self::Serve(args) => Some(&args.gateway),
            Self::Gateway(args) => Some(args),
            _ => None,
        };
        let rest = match self {
            Self::Serve(args) => args.rest,
            Self::Rest(args) => args.rest,
            _ => None,
        };
        let addresses = [
            ("--tcp", "gateway.tcp.listen", gateway.and_then(|args| args.tcp)),
            ("--tls", "gateway.tls.listen", gateway.and_then(|args| args.tls)),
            ("--quic", "gateway.quic.listen", gateway.and_then(|args| args.quic)),
            ("--rest", "rest.listen", rest),
        ];
        let given =
            addresses.into_iter().filter_map(|(flag, key, address)| Some((flag, format!("{key}={}", address?))));
        given.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config.example.toml");

    #[test]
    fn the_example_holds_every_key_at_its_default() {
        let example: toml::Table = toml::from_str(EXAMPLE).unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        let (given, known) = (layers::leaves(&example), layers::leaves(&defaults));
        let only_given: Vec<_> = given.iter().filter(|key| !known.contains(key)).collect();
        let only_known: Vec<_> = known.iter().filter(|key| !given.contains(key)).collect();
        assert!(only_given.is_empty(), "config.example.toml has keys that no section has: {only_given:?}");
        assert!(only_known.is_empty(), "config.example.toml lacks keys: {only_known:?}");
        assert_eq!(toml::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
    }

    #[test]
    fn the_example_explains_every_key() {
        let mut explained = false;
        for line in EXAMPLE.lines().map(str::trim) {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(explained, "no comment above `{line}`");
            }
            explained = line.starts_with('#');
        }
    }

    #[test]
    fn printing_and_reading_again_changes_nothing() {
        let mut config = Config::default();
        config.log.filter = "debug".into();
        config.shutdown.deadline = Duration::from_millis(1_500);
        let printed = config.print().unwrap();
        assert_eq!(toml::from_str::<Config>(&printed).unwrap(), config);
        assert!(printed.contains("# "), "the explanations are kept");
    }
}
