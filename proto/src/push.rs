//! The frame that there are most of: the push of one entry, made without a copy of the entry.
//!
//! What is generated encodes only what it owns, and measures what is nested once more at each level. Nothing else is worth doing by hand.

use bytes::Bytes;
use prost::encoding::{WireType, bool, encode_key, encode_varint, encoded_len_varint, key_len, message, uint64};

use crate::entry::{ConversationId, Entry};

/// Of `Frame.push`, `Push.deliveries`, and the fields of `Delivery`.
const PUSH: u32 = 22;
const DELIVERIES: u32 = 1;
const CONVERSATION: u32 = 1;
const EPOCH: u32 = 2;
const ENTRY: u32 = 3;
const ONLINE_ONLY: u32 = 4;

/// A frame with id 0 and a push of one delivery.
#[must_use]
pub fn frame(conversation: Option<&ConversationId>, epoch: u64, entry: Option<&Entry>, online_only: bool) -> Bytes {
    let delivery = conversation.map_or(0, |conversation| message::encoded_len(CONVERSATION, conversation))
        + if epoch == 0 { 0 } else { uint64::encoded_len(EPOCH, &epoch) }
        + entry.map_or(0, |entry| message::encoded_len(ENTRY, entry))
        + if online_only { bool::encoded_len(ONLINE_ONLY, &online_only) } else { 0 };
    let push = key_len(DELIVERIES) + delimited(delivery);
    let frame = key_len(PUSH) + delimited(push);
    // Exact, so that the vector becomes shared bytes as it is.
    let mut out = Vec::with_capacity(delimited(frame));
    encode_varint(frame as u64, &mut out);
    encode_key(PUSH, WireType::LengthDelimited, &mut out);
    encode_varint(push as u64, &mut out);
    encode_key(DELIVERIES, WireType::LengthDelimited, &mut out);
    encode_varint(delivery as u64, &mut out);
    if let Some(conversation) = conversation {
        message::encode(CONVERSATION, conversation, &mut out);
    }
    if epoch != 0 {
        uint64::encode(EPOCH, &epoch, &mut out);
    }
    if let Some(entry) = entry {
        message::encode(ENTRY, entry, &mut out);
    }
    if online_only {
        bool::encode(ONLINE_ONLY, &online_only, &mut out);
    }
    out.into()
}

fn delimited(length: usize) -> usize {
    encoded_len_varint(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Content, Text, content, conversation_id, entry};
    use crate::wire;

    #[test]
    fn it_is_what_would_be_generated() {
        let kind = Some(content::Kind::Text(Text { text: "x".repeat(300) }));
        let body = Some(entry::Body::Message(Content { kind, ..Content::default() }));
        let conversation = ConversationId { kind: Some(conversation_id::Kind::Group(7)) };
        let long = Entry { seq: 1 << 40, client_msg_id: "id".into(), body, ..Entry::default() };
        for conversation in [None, Some(conversation)] {
            for entry in [None, Some(Entry::default()), Some(long.clone())] {
                for (epoch, online_only) in [(0, false), (1, true), (u64::MAX, false)] {
                    let frame = frame(conversation.as_ref(), epoch, entry.as_ref(), online_only);
                    let delivery = wire::Delivery { conversation, epoch, entry: entry.clone(), online_only };
                    let body = Some(wire::frame::Body::Push(wire::Push { deliveries: vec![delivery] }));
                    assert_eq!(frame, crate::frame::encode_to_bytes(&wire::Frame { id: 0, body }));
                }
            }
        }
    }
}
