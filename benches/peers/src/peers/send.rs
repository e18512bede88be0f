//! Messages: each sender to a topic of its own, which one receiver hears (1:1) or many (fan-out).
//!
//! In the open model messages are due at fixed times, and latency counts from those. In the closed model each sender keeps so many under
//! way: a message is, until it is acknowledged, or, where nothing is or there are many receivers, until everyone has it.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::Server;
use crate::link::{Dialer, Link};
use crate::outcome::{Outcome, Times, look};
use crate::protocol::LARGEST;
use crate::topic::{GRACE, Sender, Topic, receive};

/// Messages that may be under way per sender in the open model.
const OPEN_WINDOW: usize = 1000;
/// Between the last connection and the first message.
const BREATH: Duration = Duration::from_secs(1);
/// A generator this late on its own schedule, at p99, measures itself.
const LATE: Duration = Duration::from_millis(5);

/// Options of the scenario.
#[derive(Debug, Clone, Args)]
pub(crate) struct Send {
    /// Senders.
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Receivers of each sender, 1 at least.
    #[arg(long, default_value_t = 1)]
    receivers: usize,
    /// Bytes of payload, 16 at least.
    #[arg(long, default_value_t = 200)]
    payload: usize,
    /// Messages a second in all: the open model.
    #[arg(long)]
    rate: Option<f64>,
    /// Messages under way per sender in the closed model.
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    /// How long, seconds.
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
}

type Receivers = Vec<(Link, Arc<Topic>)>;

impl Send {
    /// Fails on what no schedule can be made of.
    fn check(&self) -> Result<()> {
        ensure!(self.receivers > 0, "a message without a receiver is never complete");
        ensure!(
            self.rate.is_none_or(|rate| (1e-3..=1e8).contains(&rate)),
            "--rate is from 0.001 to 100000000 a second"
        );
        ensure!(self.payload <= LARGEST / 2, "--payload is at most {} bytes", LARGEST / 2);
        ensure!(self.in_flight <= OPEN_WINDOW * OPEN_WINDOW, "--in-flight is at most {}", OPEN_WINDOW * OPEN_WINDOW);
        ensure!((0.0..=86_400.0).contains(&self.duration), "--duration is from 0 to 86400 seconds");
        Ok(())
    }
}

pub(crate) async fn run(server: &Server, send: Send) -> Result<Outcome> {
    send.check()?;
    let (senders, receivers) = connect(server, &send).await?;
    let topics: Vec<Arc<Topic>> = senders.iter().map(|sender| Arc::clone(&sender.topic)).collect();
    let (end, over) = watch::channel(false);
    let mut reading = JoinSet::new();
    for (link, topic) in receivers {
        reading.spawn(receive(link, topic, over.clone()));
    }
    // Or the first messages would be timed while a thousand readers begin to read. linnet-loadtest takes breath there, too.
    tokio::time::sleep(BREATH).await;
    let before = look(server.server_pid)?;
    let start = Instant::now();
    let (senders, not_sent) = write(senders, &send, start).await?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), look(server.server_pid)?);

    let mut outcome = Outcome::default();
    let (mut ack, mut lag) = (Times::default(), Times::default());
    let (mut sent, mut acked) = (0, 0);
    for sender in &senders {
        ack.add(&sender.ack)?;
        lag.add(&sender.lag)?;
        sent += sender.sent;
        acked += sender.acked;
    }
    let patience = Instant::now() + GRACE;
    while topics.iter().map(|topic| topic.complete()).sum::<u64>() < sent && Instant::now() < patience {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    end.send_replace(true);
    let (mut delivery, mut room, mut received) = (Times::default(), Times::default(), 0);
    while let Some(heard) = reading.join_next().await {
        let heard = heard??;
        delivery.add(&heard.delivery)?;
        room.add(&heard.room)?;
        received += heard.received;
    }

    if not_sent > 0 {
        outcome.invalid.push(format!("{not_sent} due messages found their sender's window full"));
    }
    if lag.p99() > LATE {
        outcome.invalid.push(format!("the generator was {:?} behind its schedule at p99", lag.p99()));
    }
    let lost = (sent * send.receivers as u64).saturating_sub(received);
    outcome.counts.extend([("sent", sent), ("acked", acked), ("received", received), ("lost", lost)]);
    outcome.timings.extend([("ack", ack), ("lag", lag), ("delivery", delivery), ("room", room)]);
    outcome.load(seconds, before, after);
    Ok(outcome)
}

async fn connect(server: &Server, send: &Send) -> Result<(Vec<Sender>, Receivers)> {
    let dialer = Dialer::new(server)?;
    dialer.connect("setup").await?.prepare().await?;
    let window = if send.rate.is_some() { OPEN_WINDOW } else { send.in_flight.max(1) };
    let origin = Instant::now();
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    for pair in 0..send.pairs {
        let topic = Arc::new(Topic::new(origin, send.receivers, window));
        let name = format!("topic-{pair}");
        for receiver in 0..send.receivers {
            let mut link = dialer.connect(&format!("receiver-{pair}-{receiver}")).await?;
            link.subscribe(&name).await?;
            receivers.push((link, Arc::clone(&topic)));
        }
        let link = dialer.connect(&format!("sender-{pair}")).await?;
        senders.push(Sender::new(link, name, topic, server.acknowledges(), window, send.payload));
    }
    Ok((senders, receivers))
}

/// Has all of them send as they are to; also, how many due messages found their sender's window full.
async fn write(senders: Vec<Sender>, send: &Send, start: Instant) -> Result<(Vec<Sender>, u64)> {
    let length = Duration::from_secs_f64(send.duration);
    let mut writing = JoinSet::new();
    let mut not_sent = 0;
    match send.rate {
        Some(rate) => {
            let mut queues = Vec::with_capacity(senders.len());
            for sender in senders {
                let (queue, due) = mpsc::channel(OPEN_WINDOW);
                queues.push(queue);
                writing.spawn(sender.on_schedule(due));
            }
            not_sent = tokio::task::spawn_blocking(move || pace(&queues, rate, start, length)).await?;
        }
        None => {
            for sender in senders {
                writing.spawn(sender.at_once(start + length));
            }
        }
    }
    let mut senders = Vec::new();
    while let Some(sender) = writing.join_next().await {
        senders.push(sender??);
    }
    Ok((senders, not_sent))
}

/// Hands out what is due, to the senders in turn; how many found no room.
///
/// To be run on a thread of its own, because the runtime's timers are no finer than a millisecond.
fn pace(senders: &[mpsc::Sender<Instant>], rate: f64, start: Instant, length: Duration) -> u64 {
    // As linnet-loadtest does: or the thread sleeps 50 microseconds longer than asked. Where the system does not take the wish, the lag shows it.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut not_sent = 0;
    for (number, sender) in (0u64..).zip(senders.iter().cycle()) {
        let offset = Duration::from_secs_f64(number as f64 / rate);
        if offset >= length {
            break;
        }
        let wait = (start + offset).saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
        if sender.try_send(start + offset).is_err() {
            not_sent += 1;
        }
    }
    not_sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_schedule_can_be_made_of_is_refused() {
        let send = Send { pairs: 1, receivers: 1, payload: 200, rate: Some(10.0), in_flight: 32, duration: 1.0 };
        assert!(send.check().is_ok());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Send { rate: Some(rate), ..send }.check().is_err(), "{rate}");
        }
        assert!(Send { duration: -1.0, ..send }.check().is_err());
        assert!(Send { payload: 1 << 20, ..send }.check().is_err());
        assert!(Send { receivers: 0, ..send }.check().is_err());
    }
}
