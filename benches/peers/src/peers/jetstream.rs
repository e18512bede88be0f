//! NATS JetStream: publishing with an ack, and a push consumer for each receiver, which acknowledges each message.

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use serde_json::json;

use crate::nats::{Heard, Nats};
use crate::protocol::{Event, Protocol};

/// The stream that keeps everything; its subjects begin with its name.
const STREAM: &str = "bench";
/// Subjects of the topics in it.
const TOPICS: &str = "bench.";
/// Where deliveries to consumers go.
const DELIVERIES: &str = "delivery.";
/// Where answers go, with this connection's name and a number.
const ANSWERS: &str = "answer.";
/// The number of an answer to anything but a message.
const ASKED: &str = "asked";

/// One connection's side.
#[derive(Debug, Default)]
pub(crate) struct JetStream {
    nats: Nats,
    name: String,
    /// `PONG`s that do not end what the generator waits for, since more is to come.
    unfinished: usize,
}

impl JetStream {
    fn ask(&self, subject: &str, request: &serde_json::Value, out: &mut BytesMut) {
        let reply = format!("{ANSWERS}{}.{ASKED}", self.name);
        self.nats.put(subject, Some(&reply), request.to_string().as_bytes(), out);
    }
}

impl Protocol for JetStream {
    fn log_in(&mut self, name: &str, out: &mut BytesMut) {
        name.clone_into(&mut self.name);
        self.nats.log_in(name, out);
        self.nats.listen(&format!("{ANSWERS}{name}.*"), out);
        self.unfinished += 1;
    }

    fn prepare(&mut self, out: &mut BytesMut) -> bool {
        let config = json!({
            "name": STREAM, "subjects": [format!("{TOPICS}>")], "storage": "file", "retention": "limits",
            "max_bytes": 4_000_000_000_u64, "discard": "old", "num_replicas": 1,
        });
        self.ask(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &config, out);
        true
    }

    fn subscribe(&mut self, topic: &str, out: &mut BytesMut) {
        let delivery = format!("{DELIVERIES}{}", self.name);
        self.nats.listen(&delivery, out);
        self.unfinished += 1;
        let request = json!({
            "stream_name": STREAM,
            "config": {
                "deliver_subject": delivery, "filter_subject": format!("{TOPICS}{topic}"), "deliver_policy": "new",
                "ack_policy": "explicit", "max_ack_pending": 10_000, "ack_wait": 60_000_000_000_u64,
            },
        });
        self.ask(&format!("$JS.API.CONSUMER.CREATE.{STREAM}"), &request, out);
    }

    fn publish(&mut self, topic: &str, number: u64, payload: &[u8], out: &mut BytesMut) {
        let reply = format!("{ANSWERS}{}.{number}", self.name);
        self.nats.put(&format!("{TOPICS}{topic}"), Some(&reply), payload, out);
    }

    fn next(&mut self, arrived: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Event>> {
        loop {
            let event = match self.nats.hear(arrived, out)? {
                None => return Ok(None),
                Some(Heard::Error(error)) => Event::Refused(error),
                Some(Heard::Pong) if self.unfinished > 0 => {
                    self.unfinished -= 1;
                    continue;
                }
                Some(Heard::Pong) => Event::Ready,
                Some(Heard::Message(message)) if message.subject.starts_with(ANSWERS) => {
                    let number = message.subject.rsplit('.').next().unwrap_or_default();
                    let answer = String::from_utf8_lossy(&message.payload);
                    if answer.contains("\"error\"") {
                        Event::Refused(answer.into_owned())
                    } else if number == ASKED {
                        Event::Ready
                    } else {
                        Event::Acked(number.parse().with_context(|| format!("no number: {}", message.subject))?)
                    }
                }
                Some(Heard::Message(message)) => {
                    if let Some(reply) = &message.reply {
                        self.nats.put(reply, None, b"+ACK", out);
                    }
                    Event::Delivered(message.payload)
                }
            };
            return Ok(Some(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_are_told_from_deliveries_and_answers() {
        let (mut side, mut out) = (JetStream::default(), BytesMut::new());
        let next = |side: &mut JetStream, said: &str, out: &mut BytesMut| {
            side.next(&mut BytesMut::from(said.as_bytes()), out).unwrap()
        };
        side.log_in("me", &mut out);
        assert!(matches!(next(&mut side, "PONG\r\nPONG\r\n", &mut out), Some(Event::Ready)));
        side.publish("topic", 7, b"hello", &mut out);
        assert!(out.ends_with(b"PUB bench.topic answer.me.7 5\r\nhello\r\n"));
        assert!(matches!(next(&mut side, "MSG answer.me.7 1 2\r\n{}\r\n", &mut out), Some(Event::Acked(7))));
        assert!(matches!(next(&mut side, "MSG answer.me.asked 1 2\r\n{}\r\n", &mut out), Some(Event::Ready)));
        let refused = "MSG answer.me.8 1 12\r\n{\"error\":{}}\r\n";
        assert!(matches!(next(&mut side, refused, &mut out), Some(Event::Refused(_))));
        out.clear();
        let delivered = next(&mut side, "MSG bench.topic 2 $JS.ACK.1 3\r\nabc\r\n", &mut out);
        assert!(matches!(delivered, Some(Event::Delivered(payload)) if payload == "abc"));
        assert_eq!(&out[..], b"PUB $JS.ACK.1 4\r\n+ACK\r\n");
    }
}
