//! Calls agents: the coordinator's side of what [`agent`](super::agent) answers, and what the two say before a worker speaks.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::crew::{Machine, Worker};
use super::link::{self, LONGEST};
use super::message::{FromWorker, PROTOCOL};
use super::secret::{self, Secret, Side};

/// How long connecting may take, and then agreeing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The agent speaks first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// [`PROTOCOL`] of the agent.
    pub(crate) protocol: u32,
    /// Its build.
    pub(crate) tool: String,
    /// Never said before.
    pub(crate) nonce: String,
}

/// The coordinator asks for a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) protocol: u32,
    pub(crate) tool: String,
    pub(crate) nonce: String,
    /// That it knows the secret.
    pub(crate) proof: String,
    /// Which run the worker is for: an agent serves one at a time.
    pub(crate) run: u64,
}

/// The agent's answer. A worker's messages follow a welcome.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Welcome(Welcome),
    Refused(String),
}

/// What a worker of an agent can do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// That the agent knows the secret: tokens of users are told to nobody else.
    pub(crate) proof: String,
    /// Files that each worker may open.
    pub(crate) files: Option<u64>,
    /// Cores of its machine.
    pub(crate) cores: usize,
    /// The agent's own addresses to connect from.
    pub(crate) sources: Vec<String>,
}

/// This build.
pub(crate) const TOOL: &str = concat!("linnet-loadtest ", env!("CARGO_PKG_VERSION"));

/// Whether both sides mean the same by their messages. Fails in words that help.
pub(crate) fn same_version(protocol: u32, tool: &str) -> anyhow::Result<()> {
    if protocol != PROTOCOL || tool != TOOL {
        bail!(
            "the other side is {tool} (protocol {protocol}) and this one {TOOL} (protocol {PROTOCOL}): use the same on both"
        );
    }
    Ok(())
}

/// A number that no other run has.
pub(crate) fn run_number() -> anyhow::Result<u64> {
    Ok(getrandom::u64()?)
}

/// Who is called, and as what.
#[derive(Debug)]
pub(crate) struct Agent<'a> {
    pub(crate) address: &'a str,
    pub(crate) secret: &'a Secret,
    pub(crate) run: u64,
}

impl Agent<'_> {
    /// Has the agent start a worker. Fails when it is not there, does not know the secret, or serves another run.
    pub(crate) async fn hire(&self, number: usize) -> anyhow::Result<(Worker, Welcome)> {
        let connect = tokio::time::timeout(PATIENCE, TcpStream::connect(self.address));
        let stream = connect.await.context("does not answer")?.context("cannot be reached")?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (mut read, mut write) = (link::reading(read, LONGEST), link::writing(write));
        let agree = async {
            let greeting: Greeting = link::receive(&mut read).await?.context("said nothing")?;
            same_version(greeting.protocol, &greeting.tool)?;
            let nonce = secret::nonce()?;
            let proof = self.secret.prove(Side::Coordinator, &greeting.nonce, &nonce);
            let request =
                Request { protocol: PROTOCOL, tool: TOOL.to_owned(), nonce: nonce.clone(), proof, run: self.run };
            link::send(&mut write, &request).await?;
            match link::receive(&mut read).await?.context("hung up")? {
                Answer::Refused(reason) => bail!("refused: {reason}"),
                Answer::Welcome(welcome) => {
                    if !self.secret.proved(Side::Agent, &greeting.nonce, &nonce, &welcome.proof) {
                        bail!("does not know the secret itself");
                    }
                    Ok(welcome)
                }
            }
        };
        let mut welcome = tokio::time::timeout(PATIENCE, agree).await.context("does not come to the point")??;
        let name = format!("agent {} process {number}", self.address);
        let mut worker = Worker::elsewhere(name, |commands, reports| async move {
            if let Err(error) = link::lead(read, write, commands, &reports).await {
                // Nobody listens any more when the run has failed already.
                let _ = reports.send(FromWorker::Failed(format!("the connection was lost: {error:#}"))).await;
            }
        });
        worker.sources = std::mem::take(&mut welcome.sources);
        worker.machine = Some(Machine { address: self.address.to_owned(), cores: welcome.cores });
        Ok((worker, welcome))
    }
}
