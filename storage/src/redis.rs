//! The engine of many machines: a Redis Cluster, or Valkey, or what speaks as they do.
//!
//! - `config`, `url`: the settings;  `check`: whether a cluster keeps what an ack promises;
//! - `layout`: how addresses and values become keys and bytes;
//! - `functions`, `linnet.lua`: what happens on the server in one step;
//! - `node`, `channel`, `fred`: one connection, to command or to hear with, and the client library behind it;
//! - `slots`, `cluster`: who serves what;
//! - `lanes`, `worker`: from a call to its shard, in flights;  `commits`, `reads`: the two kinds of calls;
//! - `seal`: old chunks of logs in an object store;  `walk`: all rows, for tools.
//!
//! A commit is acked once the master has it, and as many replicas as configured.
//! Each shard has connections of its own, so one that is down or slow holds up nobody else.

pub(crate) mod channel;
mod check;
mod cluster;
mod commits;
mod config;
pub(crate) mod fred;
mod functions;
mod lanes;
pub(crate) mod layout;
pub(crate) mod node;
mod reads;
mod seal;
pub(crate) mod slots;
pub(crate) mod url;
mod walk;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use self::check::{Finding, Point, RedisCheck, Severity};
use self::cluster::Cluster;
use self::commits::Ticket;
pub use self::config::RedisConfig;
use self::fred::Fred;
use self::functions::{Bounds, Page};
use self::lanes::Lanes;
use self::node::{Command, Reply};
use self::reads::Read;
pub use self::seal::SealConfig;
use self::seal::Sealer;
use self::slots::Slots;
use self::url::Host;
pub use self::url::RedisUrl;
use crate::scan::Range;
use crate::{Address, Batch, Clock, Error, Home, Kind, Millis, Result, Table, metrics};

/// Most rows asked for in one command.
const ROWS: usize = 1_024;
/// About how many bytes of rows a page of a scan carries.
const PAGE_BYTES: usize = 1 << 20;

/// The four calls, over a cluster.
#[derive(Debug)]
pub(crate) struct Redis {
    cluster: Arc<Cluster>,
    commits: Arc<Lanes<Ticket>>,
    reads: Arc<Lanes<Read>>,
    sealer: Option<Arc<Sealer>>,
}

impl Redis {
    /// Begins to connect, in the background.
    pub(crate) fn connect(config: &RedisConfig, clock: Clock) -> Result<Self> {
        config.validate().map_err(Error::Unavailable)?;
        let connect = Fred::new(config).map_err(Error::Unavailable)?;
        let (sealing, requests) = mpsc::channel(seal::REQUESTS);
        let sealing = Some(sealing).filter(|_| config.seal.is_on());
        let cluster = Arc::new(Cluster::new(config.clone(), clock, Box::new(connect), sealing));
        let commits = Arc::new(Lanes::new(config.queue_commits, config.queue_bytes.bytes()));
        let reads = Arc::new(Lanes::new(config.queue_reads, usize::MAX));
        tokio::spawn(worker::expire(Arc::clone(&commits)));
        tokio::spawn(worker::expire(Arc::clone(&reads)));
        let crew = Crew {
            cluster: Arc::clone(&cluster),
            commits: Arc::clone(&commits),
            reads: Arc::clone(&reads),
            workers: HashMap::new(),
        };
        tokio::spawn(cluster::watch(Arc::clone(&cluster), crew));
        let sealer = config.seal.is_on().then(|| Arc::new(Sealer::new(Arc::clone(&cluster), Arc::clone(&reads))));
        if let Some(sealer) = &sealer {
            tokio::spawn(seal::run(Arc::clone(sealer), requests));
        }
        Ok(Self { cluster, commits, reads, sealer })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.cluster.slots().is_whole()
    }

    pub(crate) fn commit(&self, batch: Batch) -> Result<oneshot::Receiver<Result<()>>> {
        let queue = || {
            functions::check(&batch)?;
            let (ticket, outcome) = Ticket::new(&self.cluster, batch);
            self.commits.push(ticket)?;
            Ok(outcome)
        };
        queue().inspect_err(|error: &Error| metrics::committed(std::iter::once(&Err(error.clone()))))
    }

    pub(crate) async fn get_many(&self, addresses: &[Address]) -> Result<Vec<Option<Bytes>>> {
        let now = self.cluster.clock.now();
        // Rows of one table in one home are asked for together.
        let mut groups: HashMap<(&Home, Table), Vec<usize>> = HashMap::new();
        for (index, address) in addresses.iter().enumerate() {
            groups.entry((&address.home, address.table)).or_default().push(index);
        }
        let parts = groups.iter().flat_map(|(at, indexes)| indexes.chunks(ROWS).map(move |part| (*at, part)));
        let answers = parts.map(async |((home, table), part)| {
            let rows: Vec<&Address> = part.iter().map(|index| &addresses[*index]).collect();
            Ok::<_, Error>((part, self.get_rows(home, table, &rows, now).await?))
        });
        let mut values = vec![None; addresses.len()];
        for (part, found) in try_join_all(answers).await? {
            for (index, value) in part.iter().zip(found) {
                values[*index] = value;
            }
        }
        Ok(values)
    }

    pub(crate) async fn scan(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        match range.table.kind {
            Kind::Map => self.scan_map(range).await,
            Kind::Sorted | Kind::Log => self.scan_pages(range).await,
        }
    }

    /// Rows of one table in one home.
    async fn get_rows(&self, home: &Home, table: Table, rows: &[&Address], now: Millis) -> Result<Vec<Option<Bytes>>> {
        let names = &self.cluster.names;
        let log = table.kind == Kind::Log;
        let command = if log {
            let keys: Result<Vec<u64>> = rows.iter().map(|address| functions::key_of(address)).collect();
            functions::get_log(names, home, table, &keys?, now)
        } else {
            let rests = rows.iter().map(|address| address.rest.clone());
            Command::new("HMGET").arg(names.values(home, table)).args(rests)
        };
        let found = self.ask(home, command).await?.into_list().ok_or_else(odd)?;
        if found.len() != rows.len() {
            return Err(odd());
        }
        let mut values = Vec::with_capacity(rows.len());
        for (reply, address) in found.into_iter().zip(rows) {
            values.push(match reply {
                Reply::Nil => None,
                Reply::List(name) => {
                    let name = name.into_iter().next().and_then(Reply::into_bytes).ok_or_else(odd)?;
                    let place = layout::offset(functions::key_of(address)?);
                    let found = self.sealed_rows(&name).await?.into_iter().find(|(other, _)| *other == place);
                    found.map_or(Ok(None), |(_, value)| layout::live(table, value, now)).map_err(Error::Corrupt)?
                }
                // The function has judged already.
                reply if log => Some(reply.into_bytes().ok_or_else(odd)?),
                reply => layout::live(table, reply.into_bytes().ok_or_else(odd)?, now).map_err(Error::Corrupt)?,
            });
        }
        Ok(values)
    }

    /// The rows of a chunk that lies in an object store, as they are stored.
    async fn sealed_rows(&self, name: &Bytes) -> Result<Vec<(u8, Bytes)>> {
        let sealer = self.sealer.as_ref().ok_or_else(seal::unconfigured)?;
        let text = sealer.read(name).await?;
        layout::rows_of_chunk(&text).ok_or_else(|| Error::Corrupt("a sealed chunk of a log is none".into()))
    }

    /// A table that keeps no order: all of it is read and sorted here.
    async fn scan_map(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        let now = self.cluster.clock.now();
        let command = Command::new("HGETALL").arg(self.cluster.names.values(&range.home, range.table));
        let mut items = self.ask(&range.home, command).await?.into_list().ok_or_else(odd)?.into_iter();
        let mut rows = Vec::new();
        while let Some(rest) = items.next() {
            let rest = rest.into_bytes().ok_or_else(odd)?;
            let value = items.next().and_then(Reply::into_bytes).ok_or_else(odd)?;
            if rest < range.from || range.to.as_ref().is_some_and(|to| rest >= *to) {
                continue;
            }
            rows.extend(layout::live(range.table, value, now).map_err(Error::Corrupt)?.map(|value| (rest, value)));
        }
        rows.sort_unstable_by(|(one, _), (other, _)| if range.descending { other.cmp(one) } else { one.cmp(other) });
        rows.truncate(range.limit);
        Ok(rows)
    }

    async fn scan_pages(&self, range: &Range) -> Result<Vec<(Bytes, Bytes)>> {
        let mut rows = Vec::new();
        let mut rest = range.clone();
        while rest.limit > 0 {
            let Some(Page { rows: found, reached }) = self.page(&rest).await? else { break };
            let taken = found.len();
            rows.extend(found);
            let Some(reached) = reached else { break };
            rest = rest.after(Some(&reached), taken);
        }
        Ok(rows)
    }

    /// The next page of a range, unless that is empty.
    async fn page(&self, range: &Range) -> Result<Option<Page>> {
        let now = self.cluster.clock.now();
        let names = &self.cluster.names;
        let bounds = Bounds { rows: range.limit, bytes: PAGE_BYTES };
        if range.table.kind == Kind::Sorted {
            let command = functions::scan(names, range, bounds, now);
            return functions::page(self.ask(&range.home, command).await?).map(Some).ok_or_else(odd);
        }
        let Some(first) = layout::first_key(&range.from) else { return Ok(None) };
        let end = range.to.as_ref().map_or(Some(u64::MAX), |to| match layout::first_key(to) {
            Some(end) => end.checked_sub(1),
            None => Some(u64::MAX),
        });
        let Some(last) = end.filter(|last| *last >= first) else { return Ok(None) };
        let command = functions::scan_log(names, range, (first, last), bounds, now);
        let mut page = functions::page(self.ask(&range.home, command).await?).ok_or_else(odd)?;
        if page.rows.last().is_some_and(|(name, _)| name.last() == Some(&layout::SEALED)) {
            self.unfold(&mut page, range, (first, last), now).await?;
        }
        let rest = |name: &Bytes| layout::log_key(name).map(|key| Bytes::copy_from_slice(&key.to_be_bytes()));
        for (name, _) in &mut page.rows {
            *name = rest(name).ok_or_else(odd)?;
        }
        page.reached = page.reached.as_ref().map(|name| rest(name).ok_or_else(odd)).transpose()?;
        Ok(Some(page))
    }

    /// Puts, in the place of a sealed chunk at the end of a page, those of its rows that belong there.
    async fn unfold(&self, page: &mut Page, range: &Range, (first, last): (u64, u64), now: Millis) -> Result<()> {
        let Some((member, name)) = page.rows.pop() else { return Ok(()) };
        let member = member.slice(..member.len() - 1);
        let mut rows = self.sealed_rows(&name).await?;
        if range.descending {
            rows.reverse();
        }
        for (place, stored) in rows {
            let row = Bytes::from([&member[..], &[place]].concat());
            let key = layout::log_key(&row).ok_or_else(odd)?;
            if (first..=last).contains(&key)
                && let Some(value) = layout::live(range.table, stored, now).map_err(Error::Corrupt)?
            {
                page.rows.push((row, value));
            }
        }
        page.rows.truncate(range.limit);
        Ok(())
    }

    async fn ask(&self, home: &Home, command: Command) -> Result<Reply> {
        self.ask_slot(self.cluster.names.slot(home), command).await
    }

    async fn ask_slot(&self, slot: u16, command: Command) -> Result<Reply> {
        reads::ask(&self.cluster, &self.reads, slot, command).await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What was queued is still sent: its callers may be waiting elsewhere.
        self.commits.close();
        self.reads.close();
        self.cluster.suspect();
    }
}

/// Whoever puts workers to new shards.
struct Crew {
    cluster: Arc<Cluster>,
    commits: Arc<Lanes<Ticket>>,
    reads: Arc<Lanes<Read>>,
    workers: HashMap<Arc<Host>, [Option<JoinHandle<()>>; 2]>,
}

impl cluster::Watch for Crew {
    fn route(&mut self, slots: &Arc<Slots>) {
        self.commits.route(slots);
        self.reads.route(slots);
        let at_work = |worker: &Option<JoinHandle<()>>| worker.as_ref().is_some_and(|task| !task.is_finished());
        self.workers.retain(|_, pair| pair.iter().any(at_work));
        for host in slots.hosts() {
            // One that is about to leave, since its shard served nothing for a while, is replaced the next time.
            let [commits, reads] = self.workers.entry(Arc::clone(&host)).or_default();
            if !at_work(commits) {
                let work = worker::run(Arc::clone(&self.cluster), Arc::clone(&self.commits), Arc::clone(&host));
                *commits = Some(tokio::spawn(work));
            }
            if !at_work(reads) {
                let work = worker::run(Arc::clone(&self.cluster), Arc::clone(&self.reads), host);
                *reads = Some(tokio::spawn(work));
            }
        }
    }

    fn is_done(&self) -> bool {
        self.commits.is_done() && self.reads.is_done()
    }
}

fn odd() -> Error {
    Error::Unavailable("a shard answered something else than was asked".into())
}
