//! One sender and those who hear it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Buf;
use tokio::sync::{Notify, mpsc, watch};

use crate::link::Link;
use crate::outcome::Times;
use crate::protocol::Event;

/// Bytes of a payload that say which message it is, and when it was due.
pub(crate) const MARK: usize = 16;
/// How long to wait in the end for what is under way.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// What a sender and its receivers share.
#[derive(Debug)]
pub(crate) struct Topic {
    /// From when times are counted.
    origin: Instant,
    receivers: usize,
    /// Receivers that have message n, at n modulo the length: more are never under way where there are many receivers.
    arrivals: Vec<AtomicUsize>,
    /// Messages that everyone has.
    complete: AtomicU64,
    changed: Notify,
}

/// What a receiver saw.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) received: u64,
    pub(crate) delivery: Times,
    /// Of messages that this receiver was the last to have.
    pub(crate) room: Times,
}

/// The sending side.
pub(crate) struct Sender {
    link: Link,
    name: String,
    pub(crate) topic: Arc<Topic>,
    /// Whether a message is under way until it is acknowledged, rather than until everyone has it.
    by_ack: bool,
    acknowledged: bool,
    window: usize,
    payload: Vec<u8>,
    due: HashMap<u64, Instant>,
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) ack: Times,
    pub(crate) lag: Times,
}

impl Topic {
    pub(crate) fn new(origin: Instant, receivers: usize, window: usize) -> Self {
        let arrivals = (0..2 * window).map(|_| AtomicUsize::new(0)).collect();
        Self { origin, receivers, arrivals, complete: AtomicU64::new(0), changed: Notify::new() }
    }

    /// A receiver has this message. Whether it was the last one.
    fn arrive(&self, number: u64) -> bool {
        let slot = &self.arrivals[number as usize % self.arrivals.len()];
        let last = slot.fetch_add(1, Ordering::AcqRel) + 1 == self.receivers;
        if last {
            slot.store(0, Ordering::Release);
            self.complete.fetch_add(1, Ordering::AcqRel);
            self.changed.notify_one();
        }
        last
    }

    /// Messages that everyone has.
    pub(crate) fn complete(&self) -> u64 {
        self.complete.load(Ordering::Acquire)
    }
}

/// Reads what comes to a receiver until it is `over`.
pub(crate) async fn receive(mut link: Link, topic: Arc<Topic>, mut over: watch::Receiver<bool>) -> Result<Heard> {
    let mut heard = Heard::default();
    loop {
        let mut next = tokio::select! {
            biased;
            event = link.event() => Some(event?),
            _ = over.changed() => return Ok(heard),
        };
        while let Some(event) = next {
            if let Event::Delivered(mut payload) = event {
                let number = payload.try_get_u64().context("a payload without a mark")?;
                let due =
                    topic.origin + Duration::from_nanos(payload.try_get_u64().context("a payload without a mark")?);
                let time = due.elapsed();
                heard.received += 1;
                heard.delivery.record(time);
                if topic.arrive(number) {
                    heard.room.record(time);
                }
            }
            next = link.arrived()?;
        }
    }
}

impl Sender {
    pub(crate) fn new(
        link: Link,
        name: String,
        topic: Arc<Topic>,
        acknowledged: bool,
        window: usize,
        payload: usize,
    ) -> Self {
        Self {
            link,
            name,
            by_ack: acknowledged && topic.receivers == 1,
            topic,
            acknowledged,
            window,
            payload: vec![b'x'; payload.max(MARK)],
            due: HashMap::new(),
            sent: 0,
            acked: 0,
            ack: Times::default(),
            lag: Times::default(),
        }
    }

    /// The closed model: keeps its window full until then.
    pub(crate) async fn at_once(mut self, until: Instant) -> Result<Self> {
        let mut now = Instant::now();
        while now < until {
            while self.has_room() {
                self.publish(now);
            }
            self.wait().await?;
            now = Instant::now();
        }
        self.finish().await
    }

    /// The open model: sends what is due, as it comes.
    pub(crate) async fn on_schedule(mut self, mut queue: mpsc::Receiver<Instant>) -> Result<Self> {
        loop {
            let room = self.has_room();
            tokio::select! {
                biased;
                waited = self.wait() => waited?,
                due = queue.recv(), if room => {
                    let Some(due) = due else { break };
                    self.lag.record(due.elapsed());
                    self.publish(due);
                }
            }
        }
        self.finish().await
    }

    fn done(&self) -> u64 {
        if self.by_ack { self.acked } else { self.topic.complete() }
    }

    fn has_room(&self) -> bool {
        self.sent.saturating_sub(self.done()) < self.window as u64
    }

    fn publish(&mut self, due: Instant) {
        let number = self.sent;
        self.sent += 1;
        let nanos = due.saturating_duration_since(self.topic.origin).as_nanos() as u64;
        self.payload[..8].copy_from_slice(&number.to_be_bytes());
        self.payload[8..MARK].copy_from_slice(&nanos.to_be_bytes());
        if self.acknowledged {
            self.due.insert(number, due);
        }
        let (name, payload) = (&self.name, &self.payload);
        self.link.say(|protocol, out| protocol.publish(name, number, payload, out));
    }

    /// Sends what was said, and waits until something has changed. May be given up and begun again.
    async fn wait(&mut self) -> Result<()> {
        tokio::select! {
            event = self.link.event() => {
                let mut next = Some(event?);
                while let Some(event) = next {
                    if let Event::Acked(number) = event
                        && let Some(due) = self.due.remove(&number)
                    {
                        self.acked += 1;
                        self.ack.record(due.elapsed());
                    }
                    next = self.link.arrived()?;
                }
            }
            () = self.topic.changed.notified(), if !self.by_ack => {}
        }
        Ok(())
    }

    /// Waits for the last acks, but not for ever.
    async fn finish(mut self) -> Result<Self> {
        let all = async {
            while self.done() < self.sent || (self.acknowledged && self.acked < self.sent) {
                self.wait().await?;
            }
            Ok(())
        };
        // What is missing then is counted as lost.
        tokio::time::timeout(GRACE, all).await.unwrap_or(Ok(())).map(|()| self)
    }
}
