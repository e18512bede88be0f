//! Work of the frame codec.

use bytes::{Bytes, BytesMut};
use proto::frame::{self, Decoder};
use proto::{entry, wire};

use crate::TEXT_BYTES;

/// What a phone sends: one text message in a 1:1 conversation.
#[must_use]
pub fn send(id: u64) -> wire::Frame {
    let body = wire::frame::Body::Send(wire::Send {
        conversation: Some(direct()),
        client_msg_id: format!("bench-{id}"),
        content: Some(text()),
        online_only: false,
    });
    wire::Frame { id, body: Some(body) }
}

/// What a phone is pushed: one entry.
#[must_use]
pub fn push(seq: u64) -> wire::Frame {
    let delivery = wire::Delivery {
        conversation: Some(direct()),
        epoch: 1,
        entry: Some(entry::Entry {
            seq,
            message_id: 1_000 + seq,
            sender: 1,
            time: 1_800_000_000_000,
            client_msg_id: format!("bench-{seq}"),
            body: Some(entry::entry::Body::Message(text())),
        }),
        online_only: false,
    };
    wire::Frame { id: 0, body: Some(wire::frame::Body::Push(wire::Push { deliveries: vec![delivery] })) }
}

/// A stream of `count` sends, as it arrives from a socket.
#[must_use]
pub fn stream(count: u64) -> Bytes {
    let mut out = BytesMut::new();
    for id in 1..=count {
        frame::encode(&send(id), &mut out);
    }
    out.freeze()
}

/// Cuts and decodes a whole stream; the number of frames.
#[must_use]
pub fn decode(stream: &[u8]) -> usize {
    let mut decoder = Decoder::new(1 << 20);
    let mut frames = 0;
    for arrived in stream.chunks(16 * 1024) {
        decoder.feed(arrived);
        while let Some(frame) = decoder.next_message::<wire::Frame>().expect("the stream is well formed") {
            frames += usize::from(frame.body.is_some());
        }
    }
    frames
}

/// Encodes one push `count` times; bytes in all.
#[must_use]
pub fn encode(push: &wire::Frame, count: usize) -> usize {
    (0..count).map(|_| frame::encode_to_bytes(push).len()).sum()
}

/// Encodes one push and shares its bytes among `receivers`, as fan-out does; the bytes handed on.
#[must_use]
pub fn fan_out(push: &wire::Frame, receivers: &mut [Option<Bytes>]) -> usize {
    let encoded = frame::encode_to_bytes(push);
    for receiver in receivers.iter_mut() {
        *receiver = Some(encoded.clone());
    }
    encoded.len() * receivers.len()
}

fn direct() -> entry::ConversationId {
    let direct = entry::Direct { low: 1, high: 2 };
    entry::ConversationId { kind: Some(entry::conversation_id::Kind::Direct(direct)) }
}

/// A typical message's content.
#[must_use]
pub fn text() -> entry::Content {
    let text = entry::Text { text: "x".repeat(TEXT_BYTES) };
    entry::Content { kind: Some(entry::content::Kind::Text(text)), ..entry::Content::default() }
}
