//! How a coordinator and an agent prove to each other that they know the same secret, without saying it.

use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// Fewest bytes of a secret: whoever listens in could guess a shorter one.
const SHORTEST: usize = 16;

/// What both sides know. Empty when the agent asks for none.
#[derive(Clone, Default)]
pub(crate) struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Which side proves something: what one says cannot be said back by the other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Agent,
    Coordinator,
}

impl Secret {
    /// From a file; white space around it does not count. Fails when it is too short.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let secret = text.trim();
        if secret.len() < SHORTEST {
            bail!("{} holds fewer than {SHORTEST} characters", path.display());
        }
        Ok(Self(secret.as_bytes().to_vec()))
    }

    fn mac(&self, side: Side, agent: &str, coordinator: &str) -> Hmac<Sha256> {
        // Cannot fail: any length of key will do.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key");
        // Nonces are of one length, so their border is clear.
        for part in [&[side as u8][..], agent.as_bytes(), coordinator.as_bytes()] {
            mac.update(part);
        }
        mac
    }

    /// Proves that this side knows the secret, for this conversation: both sides' nonces belong to it.
    pub(crate) fn prove(&self, side: Side, agent: &str, coordinator: &str) -> String {
        STANDARD.encode(self.mac(side, agent, coordinator).finalize().into_bytes())
    }

    /// Whether that side proved it.
    pub(crate) fn proved(&self, side: Side, agent: &str, coordinator: &str, proof: &str) -> bool {
        let Ok(proof) = STANDARD.decode(proof) else { return false };
        self.mac(side, agent, coordinator).verify_slice(&proof).is_ok()
    }
}

/// A word that nobody said before.
pub(crate) fn nonce() -> anyhow::Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_it_proves_it_and_only_once() {
        let (secret, other) = (Secret(b"correct horse".to_vec()), Secret(b"battery staple".to_vec()));
        let proof = secret.prove(Side::Coordinator, "a", "c");
        assert!(secret.proved(Side::Coordinator, "a", "c", &proof));
        assert!(!other.proved(Side::Coordinator, "a", "c", &proof));
        assert!(!secret.proved(Side::Agent, "a", "c", &proof), "not the other side's");
        assert!(!secret.proved(Side::Coordinator, "b", "c", &proof), "not of another conversation");
        assert!(!secret.proved(Side::Coordinator, "a", "c", "?"));
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
