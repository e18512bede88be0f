//! An agent: starts workers on its machine for a coordinator elsewhere, and passes the messages on unread.
//!
//! Whoever may call it can have it connect anywhere. So it listens beyond its own machine only with a secret, serves one run at a time,
//! and ends a run's workers when their coordinator is gone. What is said is not encrypted, though the secret itself is never said:
//! between machines that do not trust their network, call it through a tunnel.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::child::{self, End, Process};
use super::link::{self, LONGEST, SILENCE};
use super::message::{FromWorker, PROTOCOL};
use super::remote::{Answer, Greeting, PATIENCE, Request, TOOL, Welcome, same_version};
use super::secret::{self, Secret, Side};
use crate::measure::process;

/// Longest message of a stranger, bytes.
const STRANGER: usize = 4096;
/// Callers at the same time, workers included.
const CALLERS: usize = 512;
/// How long a caller waits for another run to end.
const ENDING: Duration = Duration::from_secs(2);

/// An agent's options.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where to wait for coordinators. Beyond this machine only with --token-file.
    #[arg(long, default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// File with the secret that coordinators must know (their --agent-token-file); at least 16 characters.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// This machine's addresses to connect from, instead of the plan's: `10.0.0.5,10.0.0.6` or `10.0.0.5-9`.
    #[arg(long, value_delimiter = ',')]
    pub source: Vec<String>,
}

/// An agent that waits for coordinators.
#[derive(Debug)]
pub struct Agent {
    listener: TcpListener,
    office: Arc<Office>,
}

#[derive(Debug)]
struct Office {
    secret: Secret,
    sources: Vec<String>,
    /// Worker threads of each process; 0 means one per core.
    threads: usize,
    /// The run that is served, and how many workers it has here.
    serving: Mutex<Option<(u64, usize)>>,
}

impl Agent {
    /// Listens. Fails when the address is taken, or reaches beyond this machine and there is no secret.
    pub async fn listen(options: Options, threads: usize) -> anyhow::Result<Self> {
        let Options { listen, token_file, source } = options;
        if token_file.is_none() && !listen.ip().is_loopback() {
            bail!("{listen} can be reached from elsewhere, and whoever calls could generate load: give a --token-file");
        }
        let secret = token_file.as_deref().map(Secret::read).transpose()?.unwrap_or_default();
        let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let office = Office { secret, sources: source, threads, serving: Mutex::default() };
        Ok(Self { listener, office: Arc::new(office) })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves coordinators for ever, and logs what became of each.
    pub async fn serve(self) -> anyhow::Result<()> {
        let callers = Arc::new(Semaphore::new(CALLERS));
        loop {
            let permit = Arc::clone(&callers).acquire_owned().await?;
            let (stream, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of files, or a caller that is gone already: neither ends the agent.
                    eprintln!("cannot take a call: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let office = Arc::clone(&self.office);
            tokio::spawn(async move {
                match office.receive(stream).await {
                    Ok(()) => eprintln!("{from}: done"),
                    Err(error) => eprintln!("{from}: {error:#}"),
                }
                drop(permit);
            });
        }
    }
}

impl Office {
    async fn receive(self: Arc<Self>, stream: TcpStream) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let agreed = tokio::time::timeout(PATIENCE, self.agree(read, &mut write));
        let (read, _place) = agreed.await.context("did not come to the point")??;
        let process = Process::start(self.command())?;
        pass_on(read, write, process).await
    }

    fn command(&self) -> Command {
        child::command(self.threads)
    }

    /// Finds out who calls, and whether there is a place for the run.
    async fn agree(
        self: &Arc<Self>,
        read: OwnedReadHalf,
        write: &mut OwnedWriteHalf,
    ) -> anyhow::Result<(OwnedReadHalf, Place)> {
        let (mut read, mut write) = (link::reading(read, STRANGER), link::writing(write));
        let nonce = secret::nonce()?;
        let greeting = Greeting { protocol: PROTOCOL, tool: TOOL.to_owned(), nonce: nonce.clone() };
        link::send(&mut write, &greeting).await?;
        let request: Request = link::receive(&mut read).await?.context("hung up")?;
        let allowed = async {
            same_version(request.protocol, &request.tool)?;
            if !self.secret.proved(Side::Coordinator, &nonce, &request.nonce, &request.proof) {
                bail!("wrong secret");
            }
            Place::wait_for(self, request.run).await
        };
        match allowed.await {
            Ok(place) => {
                let proof = self.secret.prove(Side::Agent, &nonce, &request.nonce);
                let sources = self.sources.clone();
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                let welcome = Welcome { proof, files: process::file_limit(), cores, sources };
                link::send(&mut write, &Answer::Welcome(welcome)).await?;
                Ok((read.into_inner(), place))
            }
            Err(error) => {
                link::send(&mut write, &Answer::Refused(format!("{error:#}"))).await?;
                Err(error)
            }
        }
    }
}

/// A worker's place in the run that is served.
#[derive(Debug)]
struct Place(Arc<Office>);

impl Place {
    /// A place, at once or, where another run is about to end, a little later: a run tells what came of it before its processes have gone.
    async fn wait_for(office: &Arc<Office>, run: u64) -> anyhow::Result<Self> {
        let until = tokio::time::Instant::now() + ENDING;
        loop {
            match Self::take(office, run) {
                Err(_) if tokio::time::Instant::now() < until => tokio::time::sleep(ENDING / 100).await,
                taken => return taken,
            }
        }
    }

    fn take(office: &Arc<Office>, run: u64) -> anyhow::Result<Self> {
        let mut serving = office.serving.lock();
        match &mut *serving {
            Some((served, _)) if *served != run => bail!("busy with another run"),
            Some((_, workers)) => *workers += 1,
            none => *none = Some((run, 1)),
        }
        Ok(Self(Arc::clone(office)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut serving = self.0.serving.lock();
        *serving = serving.take().filter(|(_, workers)| *workers > 1).map(|(run, workers)| (run, workers - 1));
    }
}

/// Passes messages on, there and back, until the worker has ended or the coordinator is gone; then the worker is ended.
async fn pass_on(read: OwnedReadHalf, write: OwnedWriteHalf, process: Process) -> anyhow::Result<()> {
    let (mut from_there, mut to_there) = (link::reading(read, LONGEST), link::writing(write));
    let Process { input, output, life } = process;
    let (mut from_worker, mut to_worker) = (link::reading(output, LONGEST), link::writing(input));
    let commands = async {
        loop {
            match tokio::time::timeout(SILENCE, from_there.next()).await {
                Ok(Some(command)) => {
                    if to_worker.send(command?.freeze()).await.is_err() {
                        // Who cannot be written to is not heard either, and what is heard says more.
                        std::future::pending::<()>().await;
                    }
                }
                Ok(None) => bail!("the coordinator is gone"),
                Err(_) => bail!("the coordinator is silent"),
            }
        }
    };
    let reports = async {
        while let Some(report) = from_worker.next().await {
            to_there.send(report?.freeze()).await?;
        }
        anyhow::Ok(())
    };
    let gone = tokio::select! {
        gone = commands => Some(gone),
        ended = reports => ended.map(|()| None)?,
    };
    drop((from_worker, to_worker));
    match (life.end().await, gone) {
        (End::Well, _) => Ok(()),
        (_, Some(gone)) => gone,
        (how, None) => {
            let reason = if let End::Badly(how) = how { how } else { "stopped speaking".to_owned() };
            let last = FromWorker::Failed(reason.clone());
            to_there.send(Bytes::from(serde_json::to_vec(&last)?)).await?;
            bail!("{reason}")
        }
    }
}

#[cfg(test)]
mod tests;
