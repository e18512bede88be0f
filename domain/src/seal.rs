//! Rights that are handed out rather than kept: a record and a seal over it, as a text that fits into a URL.
//!
//! Only the app's own key makes a seal, so whoever shows a sealed text shows what we wrote. What it says can be read by anyone: no secret goes in.
//! A seal is for one purpose; a text that was sealed for another is none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use proto::Message;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of a seal: 128 bits, which nobody guesses.
const SEAL: usize = 16;

/// What a text was sealed for. Codes are never reused.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `store.FileTicket`.
    Ticket = 1,
    /// `store.FileShare`.
    Share = 2,
    /// `store.FileLink`.
    Link = 3,
}

/// The record and its seal, parted by a dot.
pub(crate) fn seal(key: &[u8], purpose: Purpose, record: &impl Message) -> String {
    let record = record.encode_to_vec();
    let seal = seal_of(key, purpose, &record);
    format!("{}.{}", URL_SAFE_NO_PAD.encode(record), URL_SAFE_NO_PAD.encode(seal))
}

/// The record of a sealed text; `None` for what was not sealed with this key for this purpose.
pub(crate) fn open<R: Message + Default>(key: &[u8], purpose: Purpose, text: &str) -> Option<R> {
    let (record, shown) = text.split_once('.')?;
    let record = URL_SAFE_NO_PAD.decode(record).ok()?;
    let shown = URL_SAFE_NO_PAD.decode(shown).ok()?;
    let right: bool = seal_of(key, purpose, &record)[..].ct_eq(&shown).into();
    if right { R::decode(&record[..]).ok() } else { None }
}

fn seal_of(key: &[u8], purpose: Purpose, record: &[u8]) -> [u8; SEAL] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    // The key derives tokens too, from texts that begin with a small number; this prefix is none.
    mac.update(b"linnet-seal");
    mac.update(&[purpose as u8]);
    mac.update(record);
    let whole = mac.finalize().into_bytes();
    whole[..SEAL].try_into().expect("a SHA-256 is longer than a seal")
}

#[cfg(test)]
mod tests {
    use proto::store::FileLink;

    use super::*;

    #[test]
    fn only_what_was_sealed_opens() {
        let link = FileLink { file: vec![7; 16].into(), size: 2, expires: 5 };
        let text = seal(b"key", Purpose::Link, &link);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
        assert_eq!(open(b"key", Purpose::Link, &text), Some(link));
        assert_eq!(open::<FileLink>(b"kez", Purpose::Link, &text), None);
        assert_eq!(open::<FileLink>(b"key", Purpose::Share, &text), None);
        for position in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[position] = if other[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(open::<FileLink>(b"key", Purpose::Link, std::str::from_utf8(&other).unwrap()), None);
        }
        for text in ["", ".", "a", "a.b", "....", "ü.ü"] {
            assert_eq!(open::<FileLink>(b"key", Purpose::Link, text), None);
        }
    }
}
