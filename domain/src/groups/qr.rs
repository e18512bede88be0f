//! Codes that let whoever holds one join a group: what apps show as QR codes.
//!
//! A code is an invitation by the user who asked for it, signed and not stored: it holds until its time is over, and as long as that user may
//! still invite. Whoever joins by it is not asked for approval.

use super::Groups;
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{GroupId, UserId};
use crate::secret;

/// Bytes of what a code says: group, inviter, whether the app vouches for it, end; before they are spelled in hex.
const SAID: usize = 8 + 8 + 1 + 8;
/// Characters of its signature: 130 bits.
const SIGNATURE: usize = 22;

/// A code, and how long it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCode {
    /// Opaque; letters and digits.
    pub text: String,
    /// Unix milliseconds.
    pub created: i64,
    /// Unix milliseconds; it does not work from then on.
    pub expires: i64,
}

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    group: GroupId,
    inviter: UserId,
    by_app: bool,
    expires: i64,
}

impl Groups {
    /// A code for a group, from whoever may invite into it.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`.
    pub async fn join_code(&self, caller: &Caller, group: GroupId) -> Result<JoinCode> {
        let record = self.record(caller.app(), group).await?;
        self.require_may_invite(self.standing(caller, &record).await?, &record)?;
        let created = self.clock.now();
        let expires = created.plus(self.limits.join_code_lifetime).0;
        let inviter = caller.user().unwrap_or_default();
        let said = Said { group, inviter, by_app: caller.is_privileged(), expires };
        Ok(JoinCode { text: said.sign(&caller.app_record().signing_key), created: created.0, expires })
    }

    /// Joins the group that a code is for. A member stays one.
    ///
    /// # Errors
    /// `NotFound(JoinCode)` for what is none, or whose inviter may not invite any more; `Denied(Expired)`;
    /// `NotFound(Group)`, `Denied(GroupFull)`.
    pub async fn join_by_code(&self, caller: &Caller, code: &str) -> Result<GroupId> {
        let (app, user) = (caller.app(), caller.user()?);
        let unknown = Error::NotFound(Noun::JoinCode);
        let Some(said) = Said::verify(code, &caller.app_record().signing_key) else { return Err(unknown) };
        if said.expires <= self.clock.now().0 {
            return Err(Error::Denied(Denial::Expired));
        }
        let record = self.record(app, said.group).await?;
        if !self.still_invites(app, &record, said.inviter, said.by_app).await? {
            return Err(unknown);
        }
        self.admit_by(caller, said.group, user, said.inviter).await?;
        Ok(said.group)
    }
}

impl Said {
    fn sign(&self, key: &[u8]) -> String {
        let bytes = self.bytes();
        hex::encode(bytes) + &signature(key, &bytes)
    }

    /// What a code says, if this app signed it.
    fn verify(code: &str, key: &[u8]) -> Option<Self> {
        let (said, shown) = code.split_at_checked(2 * SAID)?;
        let bytes: [u8; SAID] = hex::decode(said).ok()?.try_into().ok()?;
        // Compared by their hashes, so that the time taken tells nothing of the right one.
        if !secret::matches(shown, &secret::sha256(signature(key, &bytes).as_bytes())) {
            return None;
        }
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes make a u64"));
        let expires = i64::try_from(number(17)).ok()?;
        Some(Self { group: GroupId(number(0)), inviter: UserId(number(8)), by_app: bytes[16] == 1, expires })
    }

    fn bytes(&self) -> [u8; SAID] {
        let mut bytes = [0; SAID];
        bytes[..8].copy_from_slice(&self.group.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.inviter.0.to_be_bytes());
        bytes[16] = u8::from(self.by_app);
        bytes[17..].copy_from_slice(&self.expires.to_be_bytes());
        bytes
    }
}

fn signature(key: &[u8], said: &[u8]) -> String {
    let label = [&b"join code"[..], said].join(&0);
    secret::derived_text(key, &label, SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Said = Said { group: GroupId(7), inviter: UserId(1_000_000_000_001), by_app: false, expires: 1 << 40 };

    #[test]
    fn a_code_says_what_was_signed() {
        let code = SAID.sign(b"key");
        assert!(code.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_eq!(Said::verify(&code, b"key"), Some(SAID));
    }

    #[test]
    fn nothing_else_is_a_code() {
        let code = SAID.sign(b"key");
        assert_eq!(Said::verify(&code, b"another app's"), None);
        for at in 0..code.len() {
            let mut other = code.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(Said::verify(std::str::from_utf8(&other).unwrap(), b"key"), None, "{at}");
        }
        for text in ["", "x", "é", &code[1..], &code[..code.len() - 1], &(code.clone() + "0"), &"é".repeat(40)] {
            assert_eq!(Said::verify(text, b"key"), None, "{text}");
        }
    }
}
