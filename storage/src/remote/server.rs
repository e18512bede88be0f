//! The owner's end of the store's socket.
//!
//! One task per connection. Commits are queued in the order in which they arrive, and answered in the order in which they finish.
//! A client that does not read its answers is not read from either, once a page of them waits.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use proto::frame::{self, Decoder};
use proto::store as pb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{ADDRESSES, StoreServerConfig, wire};
use crate::{Bus, Error, Result, Store, Subscription, Table};

/// Most rows read for one answer.
const PAGE_ROWS: usize = 4_096;
const IN_BYTES: usize = 64 << 10;

/// A bound socket, ready to serve.
#[derive(Debug)]
pub struct StoreServer {
    listener: UnixListener,
    socket: SocketFile,
    config: StoreServerConfig,
}

/// The socket's file, which goes when the server does, unless another process has put its own there.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

impl StoreServer {
    /// Binds the socket. What a dead process left behind is replaced; what a living one listens on is not.
    ///
    /// # Errors
    /// `AddrInUse` if someone listens there, `AlreadyExists` if the file is not a socket, or the file system's own.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(config: &StoreServerConfig) -> io::Result<Self> {
        let path = config.socket.clone();
        match fs::symlink_metadata(&path) {
            Ok(file) if !file.file_type().is_socket() => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("{} is not a socket", path.display()),
                ));
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(&path).is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("someone listens on {}", path.display())));
            }
            _ => {}
        }
        // Bound under another name and renamed, so that the socket is never there with wider permissions.
        let mut unready = path.clone().into_os_string();
        unready.push(format!(".{}", std::process::id()));
        let unready = PathBuf::from(unready);
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        let _ = fs::remove_file(&unready);
        let listener = UnixListener::bind(&unready)?;
        fs::set_permissions(&unready, fs::Permissions::from_mode(0o600))?;
        fs::rename(&unready, &path)?;
        let socket = SocketFile { identity: identity(&path)?, path };
        Ok(Self { listener, socket, config: config.clone() })
    }

    /// Answers until `shutdown` completes, and then finishes what is under way.
    pub async fn serve(self, store: Store, bus: Bus, tables: &'static [Table], shutdown: impl Future<Output = ()>) {
        let Self { listener, socket, config } = self;
        let (stop, stopping) = watch::channel(false);
        let places = Arc::new(Semaphore::new(config.connections));
        let owner = Arc::new(Owner { store, bus, tables, config });
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = listener.accept() => match (accepted, Arc::clone(&places).try_acquire_owned()) {
                    (Ok((stream, _)), Ok(place)) => {
                        let connection = Connection::new(Arc::clone(&owner), stopping.clone());
                        connections.spawn(async move {
                            connection.run(stream).await;
                            drop(place);
                        });
                    }
                    (Ok(_), Err(_)) => tracing::warn!("store socket: too many connections"),
                    (Err(error), _) => {
                        // Out of descriptors, most likely: give the others a moment to end.
                        tracing::warn!(%error, "store socket: accept failed");
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = &mut shutdown => break,
            }
        }
        drop((listener, socket));
        let _ = stop.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(owner.config.drain, drained).await.is_err() {
            tracing::warn!("store socket: calls under way were cut off");
        }
    }
}

/// What every connection answers from.
struct Owner {
    store: Store,
    bus: Bus,
    tables: &'static [Table],
    config: StoreServerConfig,
}

struct Connection {
    owner: Arc<Owner>,
    stopping: watch::Receiver<bool>,
    subscription: Option<Subscription>,
    under_way: FuturesUnordered<BoxFuture<'static, pb::Response>>,
    out: BytesMut,
}

impl Connection {
    fn new(owner: Arc<Owner>, stopping: watch::Receiver<bool>) -> Self {
        Self { owner, stopping, subscription: None, under_way: FuturesUnordered::new(), out: BytesMut::new() }
    }

    async fn run(mut self, stream: UnixStream) {
        if let Err(reason) = self.talk(stream).await {
            tracing::debug!(reason, "store socket: connection ended");
        }
    }

    async fn talk(&mut self, stream: UnixStream) -> std::result::Result<(), String> {
        let (mut reader, mut writer) = stream.into_split();
        let mut decoder = Decoder::new(self.owner.config.frame_limit.bytes());
        let mut input = BytesMut::with_capacity(IN_BYTES);
        loop {
            while self.has_room() {
                let Some(request) = decoder.next_message().map_err(|error| error.to_string())? else { break };
                self.start(request);
            }
            // Everything that is ready goes out in one write.
            while let Some(Some(response)) = self.under_way.next().now_or_never() {
                frame::encode(&response, &mut self.out);
            }
            let stopping = *self.stopping.borrow();
            if stopping && self.under_way.is_empty() && self.out.is_empty() {
                return Ok(());
            }
            let (can_read, can_relay) =
                (!stopping && self.has_room(), self.out.len() < self.owner.config.page_bytes.bytes());
            tokio::select! {
                Some(response) = self.under_way.next() => frame::encode(&response, &mut self.out),
                read = reader.read_buf(&mut input), if can_read => {
                    if read.map_err(|error| error.to_string())? == 0 {
                        return Ok(());
                    }
                    decoder.feed(&input);
                    input.clear();
                }
                written = writer.write(&self.out), if !self.out.is_empty() => {
                    let written = written.map_err(|error| error.to_string())?;
                    self.out.advance(written);
                }
                heard = hear(&mut self.subscription), if can_relay => {
                    let result = match heard {
                        Ok(payload) => pb::response::Result::Published(payload),
                        Err(_) => pb::response::Result::Failure(wire::failure(Error::Overloaded)),
                    };
                    frame::encode(&pb::Response { id: 0, result: Some(result) }, &mut self.out);
                }
                _ = self.stopping.changed(), if !stopping => {}
            }
        }
    }

    /// Whether another request is taken in: not while answers pile up, or the client could make us hold any amount.
    fn has_room(&self) -> bool {
        self.under_way.len() < self.owner.config.connection_calls
            && self.out.len() < self.owner.config.page_bytes.bytes()
    }

    fn start(&mut self, request: pb::Request) {
        use pb::request::Call;
        let id = request.id;
        let owner = Arc::clone(&self.owner);
        let answer: BoxFuture<'static, Result<pb::response::Result>> = match request.call {
            Some(Call::Commit(commit)) => match wire::batch(owner.tables, commit) {
                // Queued here and now: what arrives first applies first.
                Ok(batch) => owner.store.commit(batch).map(|outcome| outcome.map(|()| done())).boxed(),
                Err(error) => std::future::ready(Err(error)).boxed(),
            },
            Some(Call::GetMany(get_many)) => async move { owner.get_many(get_many).await }.boxed(),
            Some(Call::Scan(scan)) => async move { owner.scan(scan).await }.boxed(),
            Some(Call::Publish(publish)) => {
                self.owner.bus.publish(&[], publish.payload);
                std::future::ready(Ok(done())).boxed()
            }
            // Publications take effect as they arrive.
            Some(Call::Flush(_)) => std::future::ready(Ok(done())).boxed(),
            Some(Call::Subscribe(_)) => {
                self.subscription = Some(owner.bus.subscribe(owner.config.bus_capacity));
                std::future::ready(Ok(done())).boxed()
            }
            Some(Call::Checkpoint(checkpoint)) => {
                async move { owner.store.checkpoint(Path::new(&checkpoint.directory)).await.map(|()| done()) }.boxed()
            }
            None => std::future::ready(Err(wire::refused("a call of an unknown kind"))).boxed(),
        };
        if id != 0 {
            let response = move |answer: Result<_>| {
                let result = answer.unwrap_or_else(|error| pb::response::Result::Failure(wire::failure(error)));
                pb::Response { id, result: Some(result) }
            };
            self.under_way.push(answer.map(response).boxed());
        }
    }
}

impl Owner {
    async fn get_many(&self, message: pb::GetMany) -> Result<pb::response::Result> {
        let mut addresses = wire::addresses(self.tables, message)?;
        addresses.truncate(ADDRESSES);
        let found = self.store.get_raw(&addresses).await?;
        let mut bytes = 0;
        let mut values = Vec::with_capacity(found.len());
        for value in found {
            bytes += value.as_ref().map_or(0, bytes::Bytes::len);
            if bytes > self.config.page_bytes.bytes() && !values.is_empty() {
                break;
            }
            values.push(pb::Value { present: value.is_some(), value: value.unwrap_or_default() });
        }
        Ok(pb::response::Result::Values(pb::Values { values }))
    }

    async fn scan(&self, message: pb::Scan) -> Result<pb::response::Result> {
        let mut range = wire::range(self.tables, message)?;
        let asked = range.limit;
        range.limit = asked.min(PAGE_ROWS);
        let found = self.store.scan_raw(&range).await?;
        let mut more = found.len() == range.limit && range.limit < asked;
        let mut bytes = 0;
        let mut rows = Vec::with_capacity(found.len());
        for (rest, value) in found {
            bytes += rest.len() + value.len();
            if bytes > self.config.page_bytes.bytes() && !rows.is_empty() {
                more = true;
                break;
            }
            rows.push(pb::Row { rest, value });
        }
        Ok(pb::response::Result::Rows(pb::Rows { rows, more }))
    }
}

fn done() -> pb::response::Result {
    pb::response::Result::Done(pb::Done {})
}

/// The next publication of a subscription; never, without one.
async fn hear(subscription: &mut Option<Subscription>) -> std::result::Result<bytes::Bytes, crate::Lagged> {
    match subscription {
        Some(subscription) => subscription.recv().await,
        None => std::future::pending().await,
    }
}
