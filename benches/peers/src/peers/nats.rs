//! NATS core: lines of text, and payloads between them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::{Event, Protocol};

/// One connection's side.
#[derive(Debug, Default)]
pub(crate) struct Nats {
    subscriptions: u32,
}

/// A message as it came.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) subject: String,
    /// Where to answer.
    pub(crate) reply: Option<String>,
    pub(crate) payload: Bytes,
}

/// What the server said.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Message),
    /// The answer to a `PING`, which comes behind every subscription and after the login: what was said before it has been done.
    Pong,
    Error(String),
}

impl Nats {
    /// Subscribes to a subject, and asks for a `PONG`.
    pub(crate) fn listen(&mut self, subject: &str, out: &mut BytesMut) {
        self.subscriptions += 1;
        put(out, format_args!("SUB {subject} {}\r\nPING\r\n", self.subscriptions));
    }

    /// Publishes, and says where the answer is to go.
    pub(crate) fn put(&self, subject: &str, reply: Option<&str>, payload: &[u8], out: &mut BytesMut) {
        match reply {
            Some(reply) => put(out, format_args!("PUB {subject} {reply} {}\r\n", payload.len())),
            None => put(out, format_args!("PUB {subject} {}\r\n", payload.len())),
        }
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
    }

    /// The next thing that the server said; `None` until more comes.
    pub(crate) fn hear(&self, arrived: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Heard>> {
        loop {
            let Some(end) = arrived.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
            let line = std::str::from_utf8(&arrived[..end]).context("a line is no text")?;
            let mut words = line.split_ascii_whitespace();
            let heard = match words.next().unwrap_or_default() {
                "MSG" => {
                    let rest: Vec<&str> = words.collect();
                    let (subject, reply, length) = match rest[..] {
                        [subject, _, length] => (subject, None, length),
                        [subject, _, reply, length] => (subject, Some(reply), length),
                        _ => bail!("no message: {line}"),
                    };
                    let length: usize = length.parse().with_context(|| format!("no length: {line}"))?;
                    if arrived.len() < end + 2 + length + 2 {
                        return Ok(None);
                    }
                    let (subject, reply) = (subject.to_owned(), reply.map(str::to_owned));
                    arrived.advance(end + 2);
                    let payload = arrived.split_to(length).freeze();
                    arrived.advance(2);
                    return Ok(Some(Heard::Message(Message { subject, reply, payload })));
                }
                "PING" => {
                    out.extend_from_slice(b"PONG\r\n");
                    None
                }
                "PONG" => Some(Heard::Pong),
                "-ERR" => Some(Heard::Error(line.to_owned())),
                "INFO" | "+OK" => None,
                _ => bail!("not NATS: {line}"),
            };
            arrived.advance(end + 2);
            if heard.is_some() {
                return Ok(heard);
            }
        }
    }
}

fn put(out: &mut BytesMut, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).expect("a buffer in memory grows");
}

impl Protocol for Nats {
    fn log_in(&mut self, name: &str, out: &mut BytesMut) {
        put(
            out,
            format_args!(
                "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"name\":\"{name}\",\"user\":\"bench\",\"pass\":\"bench\",\
                 \"lang\":\"rust\",\"version\":\"1\",\"protocol\":1}}\r\nPING\r\n"
            ),
        );
    }

    fn subscribe(&mut self, topic: &str, out: &mut BytesMut) {
        self.listen(topic, out);
    }

    fn publish(&mut self, topic: &str, _: u64, payload: &[u8], out: &mut BytesMut) {
        self.put(topic, None, payload, out);
    }

    fn next(&mut self, arrived: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Event>> {
        Ok(self.hear(arrived, out)?.map(|heard| match heard {
            Heard::Message(message) => Event::Delivered(message.payload),
            Heard::Pong => Event::Ready,
            Heard::Error(error) => Event::Refused(error),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_heard_once_it_is_whole() {
        let (nats, mut out) = (Nats::default(), BytesMut::new());
        let whole = b"INFO {}\r\nPING\r\nMSG topic 1 reply 5\r\nab\r\nc\r\n-ERR 'x'\r\n";
        let mut arrived = BytesMut::new();
        let mut heard = Vec::new();
        for byte in whole {
            arrived.extend_from_slice(&[*byte]);
            heard.extend(nats.hear(&mut arrived, &mut out).unwrap());
        }
        assert_eq!(&out[..], b"PONG\r\n");
        let [Heard::Message(message), Heard::Error(_)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((message.subject.as_str(), message.reply.as_deref()), ("topic", Some("reply")));
        assert_eq!(&message.payload[..], b"ab\r\nc");
    }

    #[test]
    fn what_is_no_nats_is_refused() {
        let mut arrived = BytesMut::from(&b"HTTP/1.1 200 OK\r\n"[..]);
        assert!(Nats::default().hear(&mut arrived, &mut BytesMut::new()).is_err());
    }
}
