//! What decodes is encoded to what decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Message;
use proto::wire::Frame;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = Frame::decode(bytes) else { return };
    let encoded = frame.encode_to_vec();
    assert_eq!(encoded.len(), frame.encoded_len());
    let again = Frame::decode(encoded.as_slice()).expect("what was encoded decodes");
    // Compared as bytes: a NaN in a location equals nothing, not even itself.
    assert_eq!(again.encode_to_vec(), encoded);
});
