//! One file, to which one thread appends what waits: a write and a sync for all of it, then it is delivered.
//!
//! The same thread delivers, so that a group waits for no other thread. What comes meanwhile is the next group.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::sync::mpsc;

use super::{Batch, Topics};

/// The file's name in its folder.
pub(super) const FILE: &str = "messages";
/// Batches that may wait, and the most that one sync is for. A batch has no more bytes than a read brings and a frame may have.
const GROUP: usize = 1024;

/// The way to the file.
#[derive(Debug, Clone)]
pub(super) struct Log(mpsc::Sender<Batch>);

impl Log {
    pub(super) fn open(folder: &Path, topics: Arc<Topics>) -> Result<Self> {
        let path = folder.join(FILE);
        let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let (queue, waiting) = mpsc::channel(GROUP);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            if let Err(error) = write(file, waiting, &topics) {
                // The queue ends with this thread, and every sender's connection with its next message.
                eprintln!("relay: cannot write {}: {error}", path.display());
            }
        })?;
        Ok(Self(queue))
    }

    /// Has messages written, delivered and acknowledged. Waits while too much does.
    pub(super) async fn append(&self, batch: Batch) -> Result<()> {
        self.0.send(batch).await.ok().context("nothing is written any more")
    }
}

fn write(mut file: File, mut waiting: mpsc::Receiver<Batch>, topics: &Topics) -> io::Result<()> {
    let (mut group, mut bytes) = (Vec::new(), Vec::new());
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        bytes.clear();
        for batch in &group {
            bytes.extend_from_slice(&batch.frames);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        topics.deliver(&group);
        group.clear();
    }
    Ok(())
}
