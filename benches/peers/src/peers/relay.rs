//! What the relay of this package speaks, which is nobody else's protocol: see `frame.rs` beside it.

use anyhow::{Result, bail};
use bytes::BytesMut;
use linnet_peers::relay::frame::{self, Frame};

use crate::protocol::{Event, Protocol};

/// One connection's side.
#[derive(Debug)]
pub(crate) struct Relay {
    acknowledged: bool,
}

impl Relay {
    pub(crate) fn new(qos: u8) -> Self {
        Self { acknowledged: qos > 0 }
    }
}

impl Protocol for Relay {
    /// There are no users. Asked all the same, so that the connection is known to be accepted.
    fn log_in(&mut self, _: &str, out: &mut BytesMut) {
        Frame::Ready.put(out);
    }

    fn subscribe(&mut self, topic: &str, out: &mut BytesMut) {
        Frame::Subscribe { topic: topic.as_bytes() }.put(out);
    }

    fn publish(&mut self, topic: &str, number: u64, payload: &[u8], out: &mut BytesMut) {
        let number = self.acknowledged.then_some(number);
        Frame::Publish { topic: topic.as_bytes(), number, payload }.put(out);
    }

    fn next(&mut self, arrived: &mut BytesMut, _: &mut BytesMut) -> Result<Option<Event>> {
        let Some(length) = frame::length(arrived)? else { return Ok(None) };
        let whole = arrived.split_to(length).freeze();
        Ok(Some(match Frame::parse(&whole)? {
            Frame::Ready => Event::Ready,
            Frame::Acked { number } => Event::Acked(number),
            Frame::Delivered { payload } => Event::Delivered(whole.slice_ref(payload)),
            other => bail!("nothing for a client: {other:?}"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_and_deliveries_are_heard_once_they_are_whole() {
        let (mut side, mut said) = (Relay::new(1), BytesMut::new());
        for frame in [Frame::Ready, Frame::Acked { number: 7 }, Frame::Delivered { payload: b"abc" }] {
            frame.put(&mut said);
        }
        let (mut arrived, mut heard) = (BytesMut::new(), Vec::new());
        for byte in said {
            arrived.extend_from_slice(&[byte]);
            heard.extend(side.next(&mut arrived, &mut BytesMut::new()).unwrap());
        }
        let [Event::Ready, Event::Acked(7), Event::Delivered(payload)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(payload, "abc");
    }

    #[test]
    fn only_a_quality_above_0_asks_for_acks() {
        for (qos, expected) in [(0, None), (1, Some(7))] {
            let mut out = BytesMut::new();
            Relay::new(qos).publish("topic", 7, b"abc", &mut out);
            let published = Frame::Publish { topic: b"topic", number: expected, payload: b"abc" };
            assert_eq!(Frame::parse(&out).unwrap(), published);
        }
    }

    #[test]
    fn what_a_client_says_is_refused_from_a_server() {
        let mut arrived = BytesMut::new();
        Frame::Subscribe { topic: b"topic" }.put(&mut arrived);
        assert!(Relay::new(1).next(&mut arrived, &mut BytesMut::new()).is_err());
    }
}
