//! The frame codec, against every way of cutting a stream and against noise.

use bytes::BytesMut;
use proptest::prelude::*;
use proto::frame::{Decoder, Error, encode, encode_to_bytes};
use proto::wire;

fn ping(id: u64) -> wire::Frame {
    wire::Frame { id, body: Some(wire::frame::Body::Ping(wire::Ping {})) }
}

#[test]
fn a_frame_survives_every_cut() {
    let mut stream = BytesMut::new();
    for id in 1..=3 {
        encode(&ping(id << 20), &mut stream);
    }
    for cut in 0..stream.len() {
        let mut decoder = Decoder::new(4096);
        let mut ids = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            decoder.feed(part);
            while let Some(frame) = decoder.next_message::<wire::Frame>().unwrap() {
                ids.push(frame.id);
            }
        }
        assert_eq!(ids, [1 << 20, 2 << 20, 3 << 20], "cut at {cut}");
        assert!(decoder.is_empty());
    }
}

#[test]
fn a_length_above_the_limit_is_refused_before_its_bytes_arrive() {
    let mut decoder = Decoder::new(100);
    decoder.feed(&[0xe5, 0x00]);
    assert_eq!(decoder.next_frame(), Err(Error::TooLarge { length: 101, limit: 100 }));
}

#[test]
fn an_endless_prefix_is_refused() {
    let mut decoder = Decoder::new(usize::MAX);
    decoder.feed(&[0xff, 0xff, 0xff]);
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.feed(&[0xff]);
    assert_eq!(decoder.next_frame(), Err(Error::Prefix));
}

#[test]
fn truncated_protobuf_is_an_error() {
    let mut decoder = Decoder::new(4096);
    // Field 2 (hello), announced as 10 bytes long, of which one is there.
    decoder.feed(&[3, 0x12, 0x0a, 0x01]);
    assert!(matches!(decoder.next_message::<wire::Frame>(), Err(Error::Message(_))));
}

proptest! {
    /// The twin of the fuzz target: no input makes the decoder panic, or yield a frame above its limit.
    #[test]
    fn noise_never_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..32)) {
        let mut decoder = Decoder::new(48);
        'stream: for chunk in chunks {
            decoder.feed(&chunk);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => {
                        prop_assert!(frame.len() <= 48);
                        let _ = <wire::Frame as proto::Message>::decode(frame);
                    }
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(ids in prop::collection::vec(any::<u64>(), 1..20), step in 1usize..9) {
        let stream: Vec<u8> = ids.iter().flat_map(|id| encode_to_bytes(&ping(*id)).to_vec()).collect();
        let mut decoder = Decoder::new(4096);
        let mut seen = Vec::new();
        for part in stream.chunks(step) {
            decoder.feed(part);
            while let Some(frame) = decoder.next_message::<wire::Frame>().unwrap() {
                seen.push(frame.id);
            }
        }
        prop_assert_eq!(seen, ids);
    }
}
