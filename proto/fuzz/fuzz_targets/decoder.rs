//! Cuts frames out of noise, in pieces and in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Message;
use proto::frame::Decoder;

/// The frames of a stream that arrives in pieces of this size, and whether it stayed readable.
fn frames(stream: &[u8], piece: usize, limit: usize) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new(limit);
    let mut found = Vec::new();
    for part in stream.chunks(piece) {
        decoder.feed(part);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= limit);
                    let _ = proto::wire::Frame::decode(frame.clone());
                    found.push(frame.to_vec());
                }
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}

fuzz_target!(|input: (u8, u16, &[u8])| {
    let (piece, limit, stream) = input;
    let limit = usize::from(limit);
    let whole = frames(stream, stream.len().max(1), limit);
    let pieces = frames(stream, usize::from(piece).max(1), limit);
    assert_eq!(whole, pieces);
});
