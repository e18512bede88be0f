//! The frame codec: a varint length, then that many bytes.
//!
//! Sans-IO. [`Decoder`] is fed whatever arrived and yields whole frames as slices of it; [`encode`] writes one frame.
//! A length is checked against the limit before anything is allocated for it.

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

/// Bytes of the longest length prefix: a frame is shorter than 2^28 bytes.
const MAX_PREFIX: usize = 4;

/// Why a byte stream is not a stream of frames. The stream cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The announced length exceeds the limit.
    #[error("a frame of {length} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Announced length, bytes.
        length: usize,
        /// Limit in force, bytes.
        limit: usize,
    },
    /// The length prefix is not a varint of at most four bytes.
    #[error("the frame's length prefix is malformed")]
    Prefix,
    /// The bytes inside the frame are not the message expected.
    #[error("the frame does not decode: {0}")]
    Message(#[from] prost::DecodeError),
}

/// Cuts frames out of a byte stream.
///
/// Holds only the bytes of an unfinished frame, so an idle stream costs nothing.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    limit: usize,
}

impl Decoder {
    /// A decoder that refuses frames longer than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    /// Changes the limit, for the frames from the next one on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Appends bytes that arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, without its length prefix; `None` until more arrives.
    ///
    /// # Errors
    /// [`Error::TooLarge`] or [`Error::Prefix`]; the stream is then unreadable.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((length, prefix)) = read_prefix(&self.buffer)? else {
            return Ok(None);
        };
        if length > self.limit {
            return Err(Error::TooLarge { length, limit: self.limit });
        }
        if self.buffer.len() < prefix + length {
            return Ok(None);
        }
        self.buffer.advance(prefix);
        let frame = self.buffer.split_to(length).freeze();
        if self.buffer.is_empty() {
            // Give the allocation away with the frame: an idle stream holds none.
            self.buffer = BytesMut::new();
        }
        Ok(Some(frame))
    }

    /// The next whole frame, decoded.
    ///
    /// # Errors
    /// As [`Self::next_frame`], and [`Error::Message`].
    pub fn next_message<M: Message + Default>(&mut self) -> Result<Option<M>, Error> {
        self.next_frame()?.map(|bytes| M::decode(bytes).map_err(Error::from)).transpose()
    }

    /// Whether no part of a frame is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// Reads a length prefix: the length and how many bytes the prefix took; `None` until the prefix is whole.
fn read_prefix(bytes: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let mut length = 0usize;
    for (index, byte) in bytes.iter().take(MAX_PREFIX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() < MAX_PREFIX { Ok(None) } else { Err(Error::Prefix) }
}

/// Appends one frame to `out`.
pub fn encode<M: Message>(message: &M, out: &mut BytesMut) {
    let length = message.encoded_len();
    out.reserve(length + MAX_PREFIX);
    message.encode_length_delimited(out).expect("BytesMut grows");
}

/// One frame as bytes of its own, to be shared between connections.
#[must_use]
pub fn encode_to_bytes<M: Message>(message: &M) -> Bytes {
    let length = message.encoded_len();
    // Exact, so that the vector becomes shared bytes as it is.
    let mut out = Vec::with_capacity(prost::length_delimiter_len(length) + length);
    message.encode_length_delimited(&mut out).expect("a vector grows");
    out.into()
}
