//! Old chunks of long logs in an object store instead of in memory.
//!
//! A chunk is *sealed* in two steps: its bytes, compressed, become an object under a name that nobody used before, and the name takes the chunk's
//! place if the chunk is still what was read. Readers that find a name get the object. Whoever wants to change a row of it, has it *unsealed* first:
//! the bytes take the name's place again, and the object goes after a while, so that words which were withdrawn are gone from there too.
//! A crash between any two steps leaves a chunk that can be read, and perhaps an object that nothing names; those are looked for now and then,
//! by what the object store lists, and removed. A chunk that was changed is sealed anew by whoever unsealed it; if that process dies before,
//! it stays in the cluster.
//!
//! Which logs have something to seal is told by the commits that begin a new chunk, and never looked for: that many chunks behind it, and
//! what was missed further back, are sealed then.

mod archive;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use tokio::sync::{Semaphore, mpsc};

use self::archive::Archive;
use super::cluster::Cluster;
use super::functions;
use super::lanes::Lanes;
use super::layout::{self, ChunkPlace};
use super::node::{Command, Reply};
use super::reads::{self, Read};
use crate::units::{ByteSize, duration};
use crate::{Clock, Error, Home, Result, Table};

/// Requests that wait; those beyond are made again by the next commit.
pub(super) const REQUESTS: usize = 1_024;
/// Chunks of one log that are looked at when it begins a new one: several, so that what was missed is caught up with.
const AT_ONCE: u64 = 8;
/// Logs that are sealed at once.
const LOGS: usize = 16;
/// More bytes than a name has.
const LONGEST_NAME: u64 = 2_048;
/// How long a name may take to get into its place. Later, the object may be taken for one that nothing names.
const HURRY: Duration = Duration::from_secs(60);

/// What is sealed, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SealConfig {
    /// Where old parts of conversations go: `s3://bucket/path`, `gs://`, `az://` with the credentials of the environment, or a folder that all
    /// processes share. Default empty: everything stays in the cluster. Once something was sealed, it must stay set.
    pub location: String,
    /// How many chunks of 64 messages stay in the cluster behind a conversation's newest one. Default 16.
    pub keep_chunks: u64,
    /// Memory for sealed chunks that were read. Default 64 MiB.
    pub cache: ByteSize,
    /// How long an object stays that nothing names any more. Default 10m; more than a minute, except in tests.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// How often it is looked for objects that nothing names. Default 1d.
    #[serde(with = "duration")]
    pub sweep: Duration,
    /// How long the object store may take for one object. Default 10s.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for SealConfig {
    fn default() -> Self {
        Self {
            location: String::new(),
            keep_chunks: 16,
            cache: ByteSize::mib(64),
            grace: Duration::from_secs(600),
            sweep: Duration::from_secs(86_400),
            timeout: Duration::from_secs(10),
        }
    }
}

impl SealConfig {
    pub(super) fn is_on(&self) -> bool {
        !self.location.is_empty()
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Request {
    /// The log has a new chunk.
    SealBehind(Home, Table),
    /// Somebody wants to change a row of it.
    Unseal(ChunkPlace),
}

/// What became of an attempt to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealed {
    Now,
    Before,
    /// It changed meanwhile, or is gone.
    Not,
}

/// The answer to whoever meets a name and has no object store.
pub(super) fn unconfigured() -> Error {
    Error::Unavailable(
        "a part of a log is in an object store, and `store.redis.seal.location` does not say where".into(),
    )
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sealer {
    cluster: Arc<Cluster>,
    reads: Arc<Lanes<Read>>,
    archive: Archive,
    unsealing: Mutex<HashSet<ChunkPlace>>,
    places: Arc<Semaphore>,
}

/// Does what is asked for, and looks for objects that nothing names, until the store is closed.
pub(super) async fn run(sealer: Arc<Sealer>, mut requests: mpsc::Receiver<Request>) {
    let every = sealer.config().sweep.max(Duration::from_millis(10));
    // Processes that start together do not look together.
    let mut next = tokio::time::Instant::now() + every.mul_f64(rand::random_range(0.5..1.0));
    while !sealer.reads.is_done() {
        tokio::select! {
            request = requests.recv() => match request {
                Some(Request::SealBehind(home, table)) => {
                    // One that finds no place is made up for when the log begins its next chunk.
                    if let Ok(place) = Arc::clone(&sealer.places).try_acquire_owned() {
                        let sealer = Arc::clone(&sealer);
                        tokio::spawn(async move {
                            sealer.seal_behind(&home, table.code).await;
                            drop(place);
                        });
                    }
                }
                Some(Request::Unseal(chunk)) => {
                    if sealer.unsealing.lock().insert(chunk.clone()) {
                        tokio::spawn(Arc::clone(&sealer).bring_back(chunk));
                    }
                }
                None => return,
            },
            () = tokio::time::sleep_until(next) => {
                if let Err(error) = sealer.sweep().await {
                    tracing::warn!(%error, "sealed objects could not be looked through");
                }
                next = tokio::time::Instant::now() + every;
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

impl Sealer {
    pub(super) fn new(cluster: Arc<Cluster>, reads: Arc<Lanes<Read>>) -> Self {
        let archive = Archive::new(&cluster.config.seal, &cluster.config.namespace);
        Self { cluster, reads, archive, unsealing: Mutex::default(), places: Arc::new(Semaphore::new(LOGS)) }
    }

    /// The bytes of the chunk that an object holds.
    pub(super) async fn read(&self, name: &Bytes) -> Result<Bytes> {
        self.archive.get(name).await
    }

    fn config(&self) -> &SealConfig {
        &self.cluster.config.seal
    }

    async fn ask(&self, home: &Home, command: Command) -> Result<Reply> {
        reads::ask(&self.cluster, &self.reads, self.cluster.names.slot(home), command).await
    }

    /// Seals what is old in a log, from the newest of it back to what was sealed before.
    async fn seal_behind(self: &Arc<Self>, home: &Home, code: u8) {
        let outcome = async {
            for number in self.numbers(home, code, self.config().keep_chunks + 1, AT_ONCE).await? {
                let chunk = ChunkPlace { home: home.clone(), code, number };
                if self.seal(&chunk).await? == Sealed::Before {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "an old part of a log could not be sealed, and stays where it is");
        }
    }

    /// The numbers of a log's chunks, newest first, after so many of them.
    async fn numbers(&self, home: &Home, code: u8, after: u64, most: u64) -> Result<Vec<u64>> {
        let index = self.cluster.names.index_of(home, code);
        let command = Command::new("ZRANGE").arg(index).arg("+").arg("-").arg("BYLEX").arg("REV");
        let found = self.ask(home, command.arg("LIMIT").number(after).number(most)).await?;
        let numbers = found.into_list().unwrap_or_default().into_iter();
        let number = |member: Reply| Some(u64::from_be_bytes(member.into_bytes()?.as_ref().try_into().ok()?));
        numbers.map(number).collect::<Option<_>>().ok_or_else(super::odd)
    }

    async fn text(&self, chunk: &ChunkPlace) -> Result<Bytes> {
        let text = self.ask(&chunk.home, Command::new("GET").arg(self.cluster.names.chunk_of(chunk))).await?;
        Ok(text.into_bytes().unwrap_or_default())
    }

    async fn seal(self: &Arc<Self>, chunk: &ChunkPlace) -> Result<Sealed> {
        let text = self.text(chunk).await?;
        if text.is_empty() {
            return Ok(Sealed::Not);
        }
        if layout::sealed(&text).is_some() {
            return Ok(Sealed::Before);
        }
        // The server's own clock will judge.
        let until = Clock::system().now().plus(HURRY);
        let name = self.archive.put(chunk, &text).await?;
        let sha1 = hex(&Sha1::digest(&text));
        let command = functions::seal(&self.cluster.names, chunk, sha1, &name, until);
        if self.ask(&chunk.home, command).await?.number() == Some(1) {
            return Ok(Sealed::Now);
        }
        // Not at once: an earlier attempt to put the name there may still be under way, until it is too late for that.
        let (sealer, chunk) = (Arc::clone(self), chunk.clone());
        tokio::spawn(async move {
            tokio::time::sleep(sealer.config().grace).await;
            if let Err(error) = sealer.discard(&chunk, &name).await {
                tracing::warn!(%error, "a sealed object that nothing names is left for later");
            }
        });
        Ok(Sealed::Not)
    }

    /// Unseals a chunk, so that it can be changed; removes the object later, and then seals the chunk as it is.
    async fn bring_back(self: Arc<Self>, chunk: ChunkPlace) {
        let outcome = self.unseal(&chunk).await;
        self.unsealing.lock().remove(&chunk);
        let name = match outcome {
            Ok(Some(name)) => name,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "an old part of a log could not be brought back to be changed");
                return;
            }
        };
        // By then, the change has reached the replicas that an ack wants, and this before it.
        tokio::time::sleep(self.config().grace).await;
        if let Err(error) = self.settle(&chunk, &name).await {
            tracing::warn!(%error, "an old part of a log that was changed could not be sealed again");
        }
    }

    /// Puts a chunk's bytes back into their place; the name that was there, if there was one.
    async fn unseal(&self, chunk: &ChunkPlace) -> Result<Option<Bytes>> {
        let Some(name) = layout::sealed(&self.text(chunk).await?) else { return Ok(None) };
        let text = self.archive.get(&name).await?;
        let command = functions::unseal(&self.cluster.names, chunk, &name, text);
        Ok((self.ask(&chunk.home, command).await?.number() == Some(1)).then_some(name))
    }

    async fn settle(self: &Arc<Self>, chunk: &ChunkPlace, name: &Bytes) -> Result<()> {
        self.discard(chunk, name).await?;
        let newest = self.numbers(&chunk.home, chunk.code, 0, self.config().keep_chunks + 1).await?;
        if !newest.contains(&chunk.number) {
            self.seal(chunk).await?;
        }
        Ok(())
    }

    /// Removes an object, if its chunk does not name it.
    async fn discard(&self, chunk: &ChunkPlace, name: &Bytes) -> Result<()> {
        let key = self.cluster.names.chunk_of(chunk);
        let command = Command::new("GETRANGE").arg(key).number(0).number(LONGEST_NAME);
        let text = self.ask(&chunk.home, command).await?.into_bytes().unwrap_or_default();
        if layout::sealed(&text).as_ref() != Some(name) {
            self.archive.discard(name).await;
        }
        Ok(())
    }

    /// Removes objects that nothing names.
    async fn sweep(&self) -> Result<()> {
        let mut objects = std::pin::pin!(self.archive.older_than(self.config().grace).await?);
        while let Some((name, chunk)) = objects.try_next().await? {
            self.discard(&chunk, &name).await?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
