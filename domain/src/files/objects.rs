//! Where the bytes of files lie.
//!
//! One object store for all apps; an app's objects lie under its number. An object is written once, under a name that nobody used before,
//! and never changed.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

use super::config::FilesConfig;
use super::kinds::{ENOUGH, sniff};
use crate::error::{Error, Result};

/// Parts in which a large object is written. Cloud stores take no smaller ones.
const PART: usize = 5 << 20;
/// Parts on their way at the same time, of one object.
const PARTS: usize = 2;

/// A piece of an upload, or why there is none.
pub type Piece = std::result::Result<Bytes, String>;

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
    pub(super) mime: &'static str,
}

/// The object store, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Objects {
    location: String,
    options: Vec<(String, String)>,
    idle: Duration,
    opened: OnceCell<Arc<dyn ObjectStore>>,
}

impl Objects {
    pub(super) fn new(config: &FilesConfig) -> Self {
        let options = config.options.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { location: config.location.clone(), options, idle: config.idle_timeout, opened: OnceCell::new() }
    }

    /// Writes a new object, piece by piece, of which one or two parts are in memory at a time.
    /// `admit` is asked once the type is known, before anything is written; nothing is left of an object that is given up.
    pub(super) async fn write(
        &self,
        name: &str,
        limit: u64,
        pieces: impl Stream<Item = Piece> + Send,
        admit: impl FnOnce(&'static str) -> Result<()> + Send,
    ) -> Result<Written> {
        let mut pieces = std::pin::pin!(pieces);
        let mut head = Vec::new();
        while head.len() < ENOUGH {
            match self.next(pieces.as_mut()).await? {
                Some(piece) => head.extend_from_slice(&piece),
                None => break,
            }
        }
        if head.is_empty() {
            return Err(invalid("is empty"));
        }
        let mime = sniff(&head);
        admit(mime)?;
        let mut writer =
            BufWriter::with_capacity(self.store().await?, Path::from(name), PART).with_max_concurrency(PARTS);
        let mut written = Written { size: 0, sha256: [0; 32], mime };
        let mut hash = Sha256::new();
        let mut piece = Bytes::from(head);
        let outcome = loop {
            written.size += piece.len() as u64;
            if written.size > limit {
                break Err(too_large(limit));
            }
            hash.update(&piece);
            if let Err(error) = writer.put(piece).await {
                break Err(unavailable(&error));
            }
            match self.next(pieces.as_mut()).await {
                Ok(Some(next)) => piece = next,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = outcome {
            if let Err(left) = writer.abort().await {
                tracing::warn!(error = %left, object = name, "parts of an upload that was given up are left behind");
            }
            return Err(error);
        }
        writer.shutdown().await.map_err(|error| unavailable(&error))?;
        written.sha256 = hash.finalize().into();
        Ok(written)
    }

    async fn next(&self, mut pieces: std::pin::Pin<&mut (impl Stream<Item = Piece> + Send)>) -> Result<Option<Bytes>> {
        match tokio::time::timeout(self.idle, pieces.next()).await {
            Ok(piece) => piece.transpose().map_err(|problem| Error::Invalid { field: "file", message: problem }),
            Err(_) => Err(invalid("did not arrive in time")),
        }
    }

    /// Writes a small object that is at hand.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let done = self.store().await?.put(&Path::from(name), bytes.into()).await;
        done.map(|_| ()).map_err(|error| unavailable(&error))
    }

    /// A range of an object's bytes as they come; `None` if there is no such object.
    pub(super) async fn read(
        &self,
        name: &str,
        range: Option<Range<u64>>,
    ) -> Result<Option<(u64, BoxStream<'static, std::io::Result<Bytes>>)>> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        match self.store().await?.get_opts(&Path::from(name), options).await {
            Ok(found) => {
                let size = found.meta.size;
                Ok(Some((size, found.into_stream().map_err(std::io::Error::other).boxed())))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// A whole object; `None` if there is no such object.
    pub(super) async fn read_all(&self, name: &str) -> Result<Option<Bytes>> {
        match self.store().await?.get(&Path::from(name)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(|error| unavailable(&error))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Removes an object that nothing names, if it can be done now.
    pub(super) async fn discard(&self, name: &str) {
        let Ok(store) = self.store().await else { return };
        if let Err(error) = store.delete(&Path::from(name)).await {
            tracing::warn!(%error, object = name, "an object that nothing names is left behind");
        }
    }

    async fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        let opened = self.opened.get_or_try_init(async || storage::objects::open(&self.location, &self.options).await);
        opened.await.cloned().map_err(|error| unavailable(&error))
    }
}

pub(super) fn too_large(limit: u64) -> Error {
    invalid(&format!("is larger than {limit} bytes"))
}

pub(super) fn invalid(message: &str) -> Error {
    Error::Invalid { field: "file", message: message.to_owned() }
}

fn unavailable(error: &dyn std::error::Error) -> Error {
    Error::Unavailable(storage::Error::Unavailable(format!("the object store: {error}")))
}
