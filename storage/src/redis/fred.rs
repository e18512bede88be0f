//! The client library `fred`, as plain connections.
//!
//! Its own cluster mode is not used: there, one dead server stalls all others while it is connected to again, and what
//! was sent before a `WAIT` need not have gone over the same connection. Nor is its reconnecting, which sends again.

mod channel;

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error as FredError, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ServerConfig, TcpConfig, TlsConfig, TlsConnector, TlsHostMapping,
    UnresponsiveConfig,
};
use fred::types::{ClusterHash, ConnectHandle, CustomCommand, Value};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::RedisConfig;
use super::node::{Answer, Command, Connect, Lost, Node, Refusal, Reply};
use super::url::Host;

/// Most commands that one connection may have waiting. A flight is far smaller.
const BUFFER: usize = 1 << 16;

/// Makes connections with `fred`.
#[derive(Debug)]
pub(crate) struct Fred {
    user: Option<String>,
    password: Secret,
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
    silence: Duration,
}

struct Secret(Option<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

impl Fred {
    /// As the settings say.
    ///
    /// # Errors
    /// A sentence, if the certificates cannot be read.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, String> {
        let tls = config.url.tls.then(|| connector(&config.ca)).transpose()?;
        Ok(Self {
            user: config.url.user.clone(),
            password: Secret(config.url.password.clone()),
            tls,
            connect_timeout: config.connect_timeout,
            // Each call has its own end; this one is for connections that nobody waits on any more.
            silence: config.timeout * 2,
        })
    }

    /// A new connection, which keeps so many messages for whoever listens on it.
    async fn open(&self, host: &Host, messages: usize) -> Result<Connected, Lost> {
        let config = Config {
            fail_fast: true,
            server: ServerConfig::new_centralized(&host.name, host.port),
            username: self.user.clone(),
            password: self.password.0.clone(),
            tls: self.tls.clone().map(|connector| TlsConfig { connector, hostnames: TlsHostMapping::None }),
            ..Config::default()
        };
        let connection = ConnectionConfig {
            connection_timeout: self.connect_timeout,
            internal_command_timeout: self.connect_timeout,
            max_command_attempts: 1,
            max_redirections: 0,
            max_command_buffer_len: BUFFER,
            unresponsive: UnresponsiveConfig { max_timeout: Some(self.silence), interval: self.silence / 4 },
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            ..ConnectionConfig::default()
        };
        let performance = PerformanceConfig { broadcast_channel_capacity: messages, ..PerformanceConfig::default() };
        // No policy: what has broken stays broken.
        let client = Client::new(config, Some(performance), Some(connection), None);
        let task = client.connect();
        let mut connected = Connected { client, task };
        // fred bounds each step of connecting; this bounds all of them.
        match tokio::time::timeout(self.connect_timeout, connected.client.wait_for_connect()).await {
            Ok(Ok(())) => Ok(connected),
            Ok(Err(error)) => Err(connected.reason().await.unwrap_or_else(|| lost(&error))),
            Err(_) => Err(Lost(format!("no connection within {:?}", self.connect_timeout))),
        }
    }
}

impl Connect for Fred {
    fn connect<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Node>, Lost>> {
        async move {
            let connected = self.open(host, 1).await.map_err(|Lost(why)| Lost(format!("{host}: {why}")))?;
            Ok(Box::new(connected) as Box<dyn Node>)
        }
        .boxed()
    }
}

/// A client and the task that works for it.
struct Connected {
    client: Client,
    task: ConnectHandle,
}

impl Connected {
    /// Why the task has ended, or is about to. What it tells others on the way may be lost.
    async fn reason(&mut self) -> Option<Lost> {
        const SOON: Duration = Duration::from_millis(50);
        let ended = tokio::time::timeout(SOON, &mut self.task).await.ok()?.ok()?;
        ended.err().map(|error| lost(&error))
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Answer>, Lost> {
        let sent = commands.len();
        let pipeline = self.client.pipeline();
        for Command { name, arguments } in commands {
            let command = CustomCommand::new_static(name, ClusterHash::Random, false);
            let arguments: Vec<Value> = arguments.into_iter().map(Value::Bytes).collect();
            let _: Value = pipeline.custom(command, arguments).await.map_err(|error| lost(&error))?;
        }
        let answers = pipeline.try_all::<Value>().await;
        // What went wrong on the way comes as a single error, whatever was sent.
        if let [Err(error)] = answers.as_slice()
            && (sent != 1 || !is_servers_own(error))
        {
            return Err(lost(error));
        }
        if answers.len() != sent {
            return Err(Lost(format!("{} answers to {sent} commands", answers.len())));
        }
        let answers = answers.into_iter();
        Ok(answers.map(|answer| answer.map(reply).map_err(|error| Refusal(error.details().to_owned()))).collect())
    }
}

impl Node for Connected {
    fn run(&self, commands: Vec<Command>, within: Duration) -> BoxFuture<'_, Result<Vec<Answer>, Lost>> {
        async move {
            match tokio::time::timeout(within, self.send(commands)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Lost(format!("no answer within {within:?}"))),
            }
        }
        .boxed()
    }

    fn is_open(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // The task holds the socket, and would wait for ever.
        self.task.abort();
    }
}

/// Whether an error is an answer of the server, rather than the absence of one.
fn is_servers_own(error: &FredError) -> bool {
    let on_the_way = [ErrorKind::IO, ErrorKind::Timeout, ErrorKind::Canceled, ErrorKind::Backpressure, ErrorKind::Tls];
    !on_the_way.contains(error.kind())
}

fn lost(error: &FredError) -> Lost {
    Lost(error.to_string())
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Number(number),
        Value::Boolean(yes) => Reply::Number(i64::from(yes)),
        Value::Double(number) => Reply::Text(number.to_string().into()),
        Value::String(text) => Reply::Text(text.into_inner()),
        Value::Bytes(bytes) => Reply::Text(bytes),
        Value::Queued => Reply::Text("QUEUED".into()),
        Value::Array(items) => Reply::List(items.into_iter().map(reply).collect()),
        Value::Map(entries) => {
            let entries = entries.inner().into_iter();
            Reply::List(entries.flat_map(|(key, value)| [Reply::Text(key.into_bytes()), reply(value)]).collect())
        }
    }
}

fn connector(ca: &Path) -> Result<TlsConnector, String> {
    // fred takes the process's. If there is one already, it stays.
    let _ = aws_lc_rs::default_provider().install_default();
    if ca.as_os_str().is_empty() {
        return TlsConnector::default_rustls().map_err(|error| format!("the system's certificates: {error}"));
    }
    let wrong = |why: &dyn fmt::Display| format!("{}: {why}", ca.display());
    let pem = fs::read(ca).map_err(|error| wrong(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(config.into())
}
