//! The least that a server which relays messages can cost: whoever listens to a topic gets what is published to it.
//!
//! The bound that Linnet's tables of messages are compared with. It refuses to be a product: no users, no rules, no TLS, and nothing is
//! stored but one file, which nobody reads. What comes and goes is in `frame.rs`, the file in `log.rs`, a socket's way out in
//! `connection.rs`.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::{Buf, BytesMut};
use parking_lot::RwLock;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};

mod connection;
pub mod frame;
mod log;

use connection::Connection;
use frame::Frame;
use log::Log;

/// Bytes that are read at once.
const READ: usize = 16 << 10;

/// What a message means once it is acknowledged.
#[derive(Debug, Clone)]
pub enum Promise {
    /// Nothing: it was written to whoever listened.
    Delivered,
    /// It is in a file of this folder, and synced; only then was it delivered.
    Synced(PathBuf),
}

/// Serves whoever connects, for ever.
///
/// # Errors
/// When the file cannot be made, or nothing can be accepted any more.
pub async fn serve(listener: TcpListener, promise: Promise) -> Result<()> {
    let topics = Arc::new(Topics::default());
    let log = match promise {
        Promise::Delivered => None,
        Promise::Synced(folder) => Some(Log::open(&folder, Arc::clone(&topics))?),
    };
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(talk(socket, Arc::clone(&topics), log.clone()));
    }
}

/// Messages that one read brought, as they came.
#[derive(Debug)]
struct Batch {
    sender: Arc<Connection>,
    frames: Vec<u8>,
}

/// Who listens to what.
#[derive(Debug, Default)]
struct Topics(RwLock<HashMap<Vec<u8>, Vec<Arc<Connection>>>>);

impl Topics {
    fn join(&self, topic: &[u8], connection: &Arc<Connection>) {
        self.0.write().entry(topic.to_vec()).or_default().push(Arc::clone(connection));
    }

    fn leave(&self, topic: &[u8], connection: &Arc<Connection>) {
        let mut topics = self.0.write();
        let Some(listeners) = topics.get_mut(topic) else { return };
        listeners.retain(|other| !Arc::ptr_eq(other, connection));
        if listeners.is_empty() {
            topics.remove(topic);
        }
    }

    /// Delivers messages, and acknowledges them to their senders. Messages of a sender to one topic keep their order.
    ///
    /// What goes to the same listener is written at once: a system call costs far more than what is done here.
    fn deliver(&self, group: &[Batch]) {
        let mut messages: Vec<(&[u8], &[u8])> = (group.iter())
            .flat_map(|batch| frame::all(&batch.frames))
            .filter_map(|frame| match frame {
                Frame::Publish { topic, payload, .. } => Some((topic, payload)),
                _ => None,
            })
            .collect();
        messages.sort_by_key(|(topic, _)| *topic);
        let mut out = BytesMut::new();
        let topics = self.0.read();
        for together in messages.chunk_by(|(topic, _), (next, _)| topic == next) {
            let Some(listeners) = topics.get(together[0].0) else { continue };
            out.clear();
            for (_, payload) in together {
                Frame::Delivered { payload }.put(&mut out);
            }
            for listener in listeners {
                listener.send(&out);
            }
        }
        drop(topics);
        for batch in group {
            out.clear();
            for frame in frame::all(&batch.frames) {
                if let Frame::Publish { number: Some(number), .. } = frame {
                    Frame::Acked { number }.put(&mut out);
                }
            }
            if !out.is_empty() {
                batch.sender.send(&out);
            }
        }
    }
}

/// One connection, until either side ends it.
async fn talk(socket: TcpStream, topics: Arc<Topics>, log: Option<Log>) {
    let (reader, writer) = socket.into_split();
    let connection = Arc::new(Connection::new(writer));
    let mut joined = Vec::new();
    let ended = read(reader, &connection, &topics, log.as_ref(), &mut joined).await;
    for topic in joined {
        topics.leave(&topic, &connection);
    }
    if let Err(error) = ended
        && error.downcast_ref::<io::Error>().is_none()
    {
        eprintln!("relay: {error:#}");
    }
}

async fn read(
    mut reader: OwnedReadHalf,
    connection: &Arc<Connection>,
    topics: &Topics,
    log: Option<&Log>,
    joined: &mut Vec<Vec<u8>>,
) -> Result<()> {
    let mut arrived = BytesMut::with_capacity(READ);
    loop {
        arrived.reserve(READ);
        if reader.read_buf(&mut arrived).await? == 0 {
            return Ok(());
        }
        let mut published = Vec::new();
        while let Some(length) = frame::length(&arrived)? {
            let whole = &arrived[..length];
            match Frame::parse(whole)? {
                Frame::Ready => connection.say(Frame::Ready),
                Frame::Subscribe { topic } => {
                    topics.join(topic, connection);
                    joined.push(topic.to_vec());
                    connection.say(Frame::Ready);
                }
                Frame::Publish { .. } => published.extend_from_slice(whole),
                other => bail!("nothing for a server: {other:?}"),
            }
            arrived.advance(length);
        }
        if published.is_empty() {
            continue;
        }
        let batch = Batch { sender: Arc::clone(connection), frames: published };
        match log {
            None => topics.deliver(&[batch]),
            Some(log) => log.append(batch).await?,
        }
    }
}

#[cfg(test)]
mod tests;
