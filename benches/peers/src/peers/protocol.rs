//! What the generator needs of a protocol. Sans-IO: bytes in, events out.

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use clap::ValueEnum;

use crate::Server;
use crate::jetstream::JetStream;
use crate::mqtt::Mqtt;
use crate::nats::Nats;
use crate::relay::Relay;

/// Largest packet, bytes; a payload takes half of one at most.
pub(crate) const LARGEST: usize = 1 << 20;

/// What a server speaks, and what its ack means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// MQTT 3.1.1. With QoS 1 the broker has the message, by its own notion; with QoS 0 there is no ack.
    Mqtt,
    /// NATS core: whoever listens gets it, and there is no ack.
    Nats,
    /// Nothing: for a server that only accepts, which is the floor of what a connection costs.
    Bare,
    /// NATS JetStream: the ack means stored, and with `sync_interval: always` synced.
    Jetstream,
    /// The relay of this package. With QoS 1 the ack means what the relay promises, with QoS 0 there is none.
    Relay,
}

/// What a server said.
#[derive(Debug)]
pub(crate) enum Event {
    /// A login or a subscription is done.
    Ready,
    /// The message that was published under this number is acknowledged.
    Acked(u64),
    /// The server refuses something.
    Refused(String),
    /// A message came.
    Delivered(Bytes),
}

/// No protocol: everything is done at once.
#[derive(Debug, Default)]
struct Bare {
    done: usize,
}

impl Protocol for Bare {
    fn log_in(&mut self, _: &str, _: &mut BytesMut) {
        self.done += 1;
    }

    fn subscribe(&mut self, _: &str, _: &mut BytesMut) {
        self.done += 1;
    }

    fn publish(&mut self, _: &str, _: u64, payload: &[u8], out: &mut BytesMut) {
        out.extend_from_slice(payload);
    }

    fn next(&mut self, arrived: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Event>> {
        arrived.clear();
        Ok(self.done.checked_sub(1).map(|rest| {
            self.done = rest;
            Event::Ready
        }))
    }
}

/// One connection's side of a protocol. What it has to say goes to `out`.
pub(crate) trait Protocol: Send {
    /// Logs in. Answered with [`Event::Ready`].
    fn log_in(&mut self, name: &str, out: &mut BytesMut);

    /// Prepares the server for messages. Whether an answer comes, [`Event::Ready`].
    fn prepare(&mut self, _: &mut BytesMut) -> bool {
        false
    }

    /// Listens to a topic from now on. Answered with [`Event::Ready`].
    fn subscribe(&mut self, topic: &str, out: &mut BytesMut);

    /// Publishes.
    fn publish(&mut self, topic: &str, number: u64, payload: &[u8], out: &mut BytesMut);

    /// The next event in what has arrived, which is taken out of `arrived`; `None` until more comes. Acknowledges deliveries.
    ///
    /// # Errors
    /// When the bytes are not the protocol's.
    fn next(&mut self, arrived: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Event>>;
}

impl Server {
    /// A new connection's.
    pub(crate) fn protocol(&self) -> Box<dyn Protocol> {
        match self.protocol {
            Kind::Mqtt => Box::new(Mqtt::new(self.qos)),
            Kind::Nats => Box::new(Nats::default()),
            Kind::Bare => Box::new(Bare::default()),
            Kind::Jetstream => Box::new(JetStream::default()),
            Kind::Relay => Box::new(Relay::new(self.qos)),
        }
    }

    /// Whether publishing is acknowledged.
    pub(crate) fn acknowledges(&self) -> bool {
        match self.protocol {
            Kind::Mqtt | Kind::Relay => self.qos > 0,
            Kind::Nats | Kind::Bare => false,
            Kind::Jetstream => true,
        }
    }
}
