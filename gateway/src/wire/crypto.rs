//! What TLS and QUIC encrypt with.

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// aws-lc, with AES-128 before the longer keys: its handshake hashes with SHA-256, for which processors have instructions,
/// where that of AES-256 hashes with SHA-384, for which most have none. That is a tenth of what a login costs.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}
