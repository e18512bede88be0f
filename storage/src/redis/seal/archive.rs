//! Sealed chunks as objects.
//!
//! An object's name says whose it is: `namespace/home/table/chunk-checksum-nonce`, the home in hex. No name is used twice.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::SealConfig;
use crate::objects;
use crate::redis::layout::ChunkPlace;
use crate::{Error, Home, Result};

/// How hard to compress: rows are read more often than sealed.
const LEVEL: i32 = 3;

/// The object store, opened when it is first needed, and what was read of it last.
#[derive(Debug)]
pub(super) struct Archive {
    location: String,
    namespace: String,
    timeout: Duration,
    opened: OnceCell<Arc<dyn ObjectStore>>,
    cache: moka::sync::Cache<Bytes, Bytes>,
}

impl Archive {
    pub(super) fn new(config: &SealConfig, namespace: &str) -> Self {
        let weight = |name: &Bytes, text: &Bytes| u32::try_from(name.len() + text.len()).unwrap_or(u32::MAX);
        let cache = moka::sync::Cache::builder().weigher(weight).max_capacity(config.cache.0).build();
        Self {
            location: config.location.clone(),
            namespace: namespace.to_owned(),
            timeout: config.timeout,
            opened: OnceCell::new(),
            cache,
        }
    }

    /// Writes a chunk's bytes; the name of the object.
    pub(super) async fn put(&self, chunk: &ChunkPlace, text: &Bytes) -> Result<Bytes> {
        let name = name(&self.namespace, chunk, checksum(text), rand::random());
        let packed = zstd::encode_all(&text[..], LEVEL).map_err(|error| unavailable(&error))?;
        let store = self.store().await?;
        self.in_time(store.put(&Path::from(name.as_str()), packed.into())).await?;
        Ok(name.into())
    }

    /// The bytes that an object holds.
    pub(super) async fn get(&self, name: &Bytes) -> Result<Bytes> {
        if let Some(text) = self.cache.get(name) {
            return Ok(text);
        }
        let damaged = |why: &dyn Display| Error::Corrupt(format!("a sealed part of a log: {why}"));
        let path = std::str::from_utf8(name).map_err(|error| damaged(&error))?;
        let (_, sum) = parse(&self.namespace, path).ok_or_else(|| damaged(&"its name is none"))?;
        let store = self.store().await?;
        let read = async { store.get(&Path::from(path)).await?.bytes().await };
        let packed = self.in_time(read).await?;
        let text: Bytes = zstd::decode_all(&packed[..]).map_err(|error| damaged(&error))?.into();
        if checksum(&text) != sum {
            return Err(damaged(&"its bytes are not those that were written"));
        }
        self.cache.insert(name.clone(), text.clone());
        Ok(text)
    }

    /// Removes an object that nothing names, if it can be done now.
    pub(super) async fn discard(&self, name: &Bytes) {
        self.cache.invalidate(name);
        let Ok(path) = std::str::from_utf8(name) else { return };
        let gone = async {
            let store = self.store().await?;
            self.in_time(store.delete(&Path::from(path))).await
        };
        if let Err(error) = gone.await {
            tracing::warn!(%error, "a sealed object that nothing names is left for later");
        }
    }

    /// All objects that were written so long ago: their names, and whose they are.
    pub(super) async fn older_than(&self, age: Duration) -> Result<impl Stream<Item = Result<(Bytes, ChunkPlace)>>> {
        let store = self.store().await?;
        let namespace = self.namespace.clone();
        let listed = store.list(Some(&Path::from(namespace.as_str()))).map_err(|error| unavailable(&error));
        Ok(listed.try_filter_map(move |object| {
            // By the clock of whoever keeps the object, and ours; a grace is long beside what they differ by.
            let written = std::time::SystemTime::from(object.last_modified);
            let is_old = written.elapsed().is_ok_and(|since| since >= age);
            let name = object.location.to_string();
            let found = parse(&namespace, &name).filter(|_| is_old).map(|(chunk, _)| (name.into(), chunk));
            async move { Ok(found) }
        }))
    }

    async fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        let opened = self.opened.get_or_try_init(async || objects::open(&self.location, &[]).await).await;
        opened.cloned().map_err(|error| unavailable(&error))
    }

    async fn in_time<T>(&self, call: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(outcome) => outcome.map_err(|error| unavailable(&error)),
            Err(_) => Err(unavailable(&format!("no answer within {:?}", self.timeout))),
        }
    }
}

fn name(namespace: &str, ChunkPlace { home, code, number }: &ChunkPlace, sum: u64, nonce: u64) -> String {
    let home = super::hex(home.as_bytes());
    format!("{namespace}/{home}/{code}/{number:016x}-{sum:016x}-{nonce:016x}")
}

/// Whose an object is, and the checksum of what it holds.
fn parse(namespace: &str, name: &str) -> Option<(ChunkPlace, u64)> {
    let mut pieces = name.strip_prefix(namespace)?.strip_prefix('/')?.split('/');
    let (home, code, last) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let digits = home.as_bytes().chunks(2);
    let home: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    let home = home.filter(|home| (1..=255).contains(&home.len()))?;
    let mut numbers = last.split('-').map(|text| u64::from_str_radix(text, 16).ok());
    let (number, sum, _nonce) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let chunk = ChunkPlace { home: Home::new(home), code: code.parse().ok()?, number };
    (pieces.next().is_none() && numbers.next().is_none()).then_some((chunk, sum))
}

fn checksum(text: &[u8]) -> u64 {
    Sha256::digest(text).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn unavailable(error: &dyn Display) -> Error {
    Error::Unavailable(format!("the object store of sealed chunks: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        let chunk = ChunkPlace { home: Home::new(&b"\x00h}/"[..]), code: 21, number: 77 };
        let name = name("linnet", &chunk, 5, u64::MAX);
        assert_eq!(name, "linnet/00687d2f/21/000000000000004d-0000000000000005-ffffffffffffffff");
        assert_eq!(parse("linnet", &name), Some((chunk, 5)));
        for strange in ["linnet/00/21/1-2", "linnet//21/1-2-3", "linnet/0/21/1-2-3-4", "other/00/21/1-2-3", "linnet/00"]
        {
            assert_eq!(parse("linnet", strange), None, "{strange}");
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().display().to_string();
        let config = SealConfig { location, ..SealConfig::default() };
        let chunk = ChunkPlace { home: Home::new(&b"h"[..]), code: 21, number: 1 };
        let text = Bytes::from_static(b"the same words, the same words, the same words");
        let name = Archive::new(&config, "linnet").put(&chunk, &text).await.unwrap();
        let archive = Archive::new(&config, "linnet");
        assert_eq!(archive.get(&name).await.unwrap(), text);
        let path = folder.path().join(std::str::from_utf8(&name).unwrap());
        std::fs::write(&path, zstd::encode_all(&b"other words"[..], LEVEL).unwrap()).unwrap();
        assert_eq!(archive.get(&name).await.unwrap(), text, "from memory");
        let damaged = Archive::new(&config, "linnet").get(&name).await;
        assert!(matches!(damaged, Err(Error::Corrupt(_))), "{damaged:?}");

        let old: Vec<_> = archive.older_than(Duration::ZERO).await.unwrap().try_collect().await.unwrap();
        assert_eq!(old, [(name.clone(), chunk)]);
        let young: Vec<_> = archive.older_than(Duration::from_secs(60)).await.unwrap().try_collect().await.unwrap();
        assert_eq!(young, []);
        archive.discard(&name).await;
        assert!(!path.exists());
        assert!(matches!(archive.get(&name).await, Err(Error::Unavailable(_))));
    }
}
