//! Tickets: what resumes a session without asking the store.
//!
//! A ticket names a session and is signed with a key that lives as long as the process, as the session does.

use bytes::Bytes;
use domain::SessionId;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Signs and checks tickets.
pub(crate) struct Tickets {
    key: [u8; 32],
}

const ID: usize = 8;
const SIGNATURE: usize = 32;

impl Tickets {
    /// A signer with a new key.
    pub(crate) fn new() -> Self {
        Self { key: rand::random() }
    }

    /// The ticket of a session.
    pub(crate) fn issue(&self, session: SessionId) -> Bytes {
        let mut ticket = Vec::with_capacity(ID + SIGNATURE);
        ticket.extend_from_slice(&session.0.to_be_bytes());
        ticket.extend_from_slice(&self.mac(&session.0.to_be_bytes()).finalize().into_bytes());
        ticket.into()
    }

    /// The session that a ticket resumes, if it was issued here.
    pub(crate) fn read(&self, ticket: &[u8]) -> Option<SessionId> {
        if ticket.len() != ID + SIGNATURE {
            return None;
        }
        let (id, signature) = ticket.split_at(ID);
        self.mac(id).verify_slice(signature).ok()?;
        Some(SessionId(u64::from_be_bytes(id.try_into().ok()?)))
    }

    fn mac(&self, id: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(id);
        mac
    }
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_tickets_of_this_process_are_read() {
        let tickets = Tickets::new();
        let ticket = tickets.issue(SessionId(7));
        assert_eq!(tickets.read(&ticket), Some(SessionId(7)));
        assert_eq!(Tickets::new().read(&ticket), None);
        assert_eq!(tickets.read(&[]), None);
        for at in 0..ticket.len() {
            let mut forged = ticket.to_vec();
            forged[at] ^= 1;
            assert_eq!(tickets.read(&forged), None, "byte {at}");
            assert_eq!(tickets.read(&ticket[..at]), None);
        }
    }
}
