//! What the relay and the generator say to each other: a length, a kind, and what the kind needs.
//!
//! ```text
//! length of what follows: u32, big-endian | kind: u8 |
//!   ready      nothing; a client that says it is answered with it, and so is a subscription
//!   subscribe  topic
//!   publish    number: u64 | length of the topic: u8 | topic | payload
//!   tell       length of the topic: u8 | topic | payload        published, and not to be acknowledged
//!   delivered  payload
//!   acked      number: u64
//! ```

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf, BufMut};

/// The most that may follow a length.
pub const LARGEST: usize = 64 << 10;
/// Bytes of a length.
const LENGTH: usize = 4;

const READY: u8 = 1;
const SUBSCRIBE: u8 = 2;
const PUBLISH: u8 = 3;
const TELL: u8 = 4;
const DELIVERED: u8 = 5;
const ACKED: u8 = 6;

/// One of them, over the bytes that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Everything before it is done.
    Ready,
    /// Listens to a topic from now on.
    Subscribe {
        /// Its name.
        topic: &'a [u8],
    },
    /// A message to whoever listens.
    Publish {
        /// Where to.
        topic: &'a [u8],
        /// Under which it is acknowledged, if it is.
        number: Option<u64>,
        /// What it says.
        payload: &'a [u8],
    },
    /// A message to this listener.
    Delivered {
        /// What it says.
        payload: &'a [u8],
    },
    /// A message that this client published is where it is to be.
    Acked {
        /// Under which it was published.
        number: u64,
    },
}

impl<'a> Frame<'a> {
    /// Writes it.
    ///
    /// # Panics
    /// When a topic to publish to has a name of more than 255 bytes.
    pub fn put(self, out: &mut impl BufMut) {
        let mut begin = |kind: u8, length: usize| {
            out.put_u32((1 + length) as u32);
            out.put_u8(kind);
        };
        match self {
            Self::Ready => begin(READY, 0),
            Self::Subscribe { topic } => {
                begin(SUBSCRIBE, topic.len());
                out.put_slice(topic);
            }
            Self::Publish { topic, number, payload } => {
                let rest = 1 + topic.len() + payload.len();
                match number {
                    Some(number) => {
                        begin(PUBLISH, 8 + rest);
                        out.put_u64(number);
                    }
                    None => begin(TELL, rest),
                }
                out.put_u8(topic.len().try_into().expect("names of topics are short"));
                out.put_slice(topic);
                out.put_slice(payload);
            }
            Self::Delivered { payload } => {
                begin(DELIVERED, payload.len());
                out.put_slice(payload);
            }
            Self::Acked { number } => {
                begin(ACKED, 8);
                out.put_u64(number);
            }
        }
    }

    /// Reads the one that these bytes are.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(whole: &'a [u8]) -> Result<Self> {
        let (&kind, mut rest) = whole.get(LENGTH..).and_then(<[u8]>::split_first).context("a frame without a kind")?;
        Ok(match kind {
            READY => Self::Ready,
            SUBSCRIBE => Self::Subscribe { topic: rest },
            PUBLISH => {
                let number = rest.try_get_u64().context("no number")?;
                let (topic, payload) = addressed(rest)?;
                Self::Publish { topic, number: Some(number), payload }
            }
            TELL => {
                let (topic, payload) = addressed(rest)?;
                Self::Publish { topic, number: None, payload }
            }
            DELIVERED => Self::Delivered { payload: rest },
            ACKED => Self::Acked { number: rest.try_get_u64().context("no number")? },
            _ => bail!("a frame of the unknown kind {kind}"),
        })
    }
}

/// How many bytes the first frame has, all told; `None` while it is not whole.
///
/// # Errors
/// When it is larger than frames may be.
pub fn length(mut arrived: &[u8]) -> Result<Option<usize>> {
    let there = arrived.len();
    let Ok(rest) = arrived.try_get_u32() else { return Ok(None) };
    ensure!(rest as usize <= LARGEST, "a frame of {rest} bytes");
    let whole = LENGTH + rest as usize;
    Ok((whole <= there).then_some(whole))
}

/// Every frame in bytes that were found to be whole frames.
pub fn all(mut frames: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (first, rest) = frames.split_at(length(frames).ok()??);
        frames = rest;
        Frame::parse(first).ok()
    })
}

fn addressed(rest: &[u8]) -> Result<(&[u8], &[u8])> {
    let (&length, rest) = rest.split_first().context("no topic")?;
    rest.split_at_checked(length.into()).context("a topic longer than its frame")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_what_is_read() {
        let frames = [
            Frame::Ready,
            Frame::Subscribe { topic: b"topic" },
            Frame::Publish { topic: b"topic", number: Some(7), payload: b"hello" },
            Frame::Publish { topic: b"", number: None, payload: b"" },
            Frame::Delivered { payload: b"hello" },
            Frame::Acked { number: u64::MAX },
        ];
        let mut bytes = Vec::new();
        for frame in frames {
            frame.put(&mut bytes);
        }
        assert_eq!(all(&bytes).collect::<Vec<_>>(), frames);
        let first = length(&bytes).unwrap().unwrap();
        assert_eq!(length(&bytes[..first - 1]).unwrap(), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert!(length(b"HTTP/1.1 200 OK\r\n").is_err());
        for bytes in [&b"\0\0\0\0"[..], b"\0\0\0\x01\x09", b"\0\0\0\x02\x04\x05", b"\0\0\0\x02\x06\x05"] {
            assert_eq!(length(bytes).unwrap(), Some(bytes.len()));
            assert!(Frame::parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
