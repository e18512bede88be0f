//! What travels in one message.

use bytes::Bytes;
use prost::Message;
use proto::store as pb;

use super::names::Boot;
use super::outbox::Batch;
use super::streams::Header;

/// Writes a batch as one message.
pub(super) fn encode(publisher: Boot, stream: u64, batch: &Batch) -> Bytes {
    let Batch { before, payloads } = batch;
    let frame = pb::BusFrame { publisher: publisher.to_bytes(), stream, before: *before, payloads: payloads.clone() };
    frame.encode_to_vec().into()
}

/// Reads a message; none if it is not one of ours.
pub(super) fn decode(message: Bytes) -> Option<(Header, Vec<Bytes>)> {
    let frame = pb::BusFrame::decode(message).ok()?;
    let publisher = Boot::from_bytes(&frame.publisher)?;
    Some((Header { publisher, stream: frame.stream, before: frame.before }, frame.payloads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_survives_the_way_there() {
        let publisher = Boot::random();
        for payloads in [vec![], vec![Bytes::new()], vec![Bytes::from("a"), Bytes::from(vec![0xff; 1_000])]] {
            let message = encode(publisher, 3, &Batch { before: 7, payloads: payloads.clone() });
            assert_eq!(decode(message), Some((Header { publisher, stream: 3, before: 7 }, payloads)));
        }
    }

    #[test]
    fn what_is_no_frame_is_none() {
        assert_eq!(decode(Bytes::from_static(b"\xff\xff\xff")), None);
        assert_eq!(decode(Bytes::new()), None);
    }
}
