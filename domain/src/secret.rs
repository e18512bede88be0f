//! Secrets: making them, and comparing what was shown with what is kept.
//!
//! No secret is kept where its hash will do.

use hmac::{Hmac, Mac};
use md5::Md5;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random bytes from the operating system.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("a machine without randomness cannot keep secrets, so nothing may go on");
    bytes
}

/// A random number that nobody guesses, and that comes once.
pub(crate) fn random_number() -> u64 {
    u64::from_be_bytes(random_bytes())
}

/// A random text of `[A-Za-z0-9]`; 43 characters carry 256 bits.
pub(crate) fn random_text(length: usize) -> String {
    text_from(length, |_| random_bytes::<32>())
}

/// A text of `[A-Za-z0-9]` that is always the same for one key and label, and tells nothing of the key.
pub(crate) fn derived_text(key: &[u8], label: &[u8], length: usize) -> String {
    text_from(length, |round| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&round.to_be_bytes());
        mac.update(label);
        mac.finalize().into_bytes().into()
    })
}

/// Turns uniform bytes into uniform characters: bytes that would favour some characters are passed over.
fn text_from(length: usize, mut block: impl FnMut(u32) -> [u8; 32]) -> String {
    const FAIR: u8 = 62 * 4;
    let mut text = String::with_capacity(length);
    for round in 0.. {
        for byte in block(round).into_iter().filter(|byte| *byte < FAIR) {
            if text.len() == length {
                return text;
            }
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
        }
    }
    text
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The lower-case hex MD5 that gobelieve's servers present instead of the secret.
pub(crate) fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// Whether a shown text is the one whose SHA-256 is kept, in a time that tells nothing.
pub(crate) fn matches(shown: &str, kept_hash: &[u8]) -> bool {
    sha256(shown.as_bytes()).ct_eq(kept_hash).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_length_and_alphabet() {
        for length in [0, 1, 30, 43, 200] {
            let text = random_text(length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(random_text(43), random_text(43));
    }

    #[test]
    fn derived_texts_depend_on_key_and_label_only() {
        let text = derived_text(b"key", b"label", 30);
        assert_eq!(text, derived_text(b"key", b"label", 30));
        assert_ne!(text, derived_text(b"key", b"other", 30));
        assert_ne!(text, derived_text(b"kez", b"label", 30));
        assert!(derived_text(b"key", b"label", 90).starts_with(&text));
    }

    #[test]
    fn md5_is_the_one_that_clients_compute() {
        assert_eq!(md5_hex("secret"), "5ebe2294ecd0e0f08eab7690d2a6ee69");
    }
}
