//! The certificate that TLS and QUIC show, exchangeable while connections are open.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

/// The protocol's name in the handshake.
pub const ALPN: &[u8] = b"linnet/1";

/// A certificate chain and its private key.
pub struct Certs {
    shown: CertifiedKey,
    reset_key: [u8; 32],
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// The text is not PEM, or holds no certificate or key.
    #[error("the certificate or its key cannot be read: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// The key is of a kind that is not supported, or is not the certificate's.
    #[error("the certificate cannot be used: {0}")]
    Key(#[from] rustls::Error),
}

impl Certs {
    /// From a chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// [`CertsError::Key`].
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, CertsError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let reset_key = Sha256::new_with_prefix(b"linnet quic reset").chain_update(key.secret_der()).finalize().into();
        Ok(Self { shown: CertifiedKey::from_der(chain, key, &provider)?, reset_key })
    }

    /// A secret that is the same after a restart, since it comes from the private key.
    pub(crate) fn reset_key(&self) -> [u8; 32] {
        self.reset_key
    }

    /// From PEM texts.
    ///
    /// # Errors
    /// [`CertsError::Pem`] or [`CertsError::Key`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertsError> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
        Self::new(chain, PrivateKeyDer::from_pem_slice(key)?)
    }
}

impl std::fmt::Debug for Certs {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Certs").field("chain", &self.shown.cert.len()).finish_non_exhaustive()
    }
}

/// Shows new connections the certificate in force.
#[derive(Debug)]
pub(crate) struct Resolver(ArcSwap<CertifiedKey>);

impl Resolver {
    pub(crate) fn new(certs: Certs) -> Self {
        Self(ArcSwap::from_pointee(certs.shown))
    }

    /// From now on, this one is shown.
    pub(crate) fn replace(&self, certs: Certs) {
        self.0.store(Arc::new(certs.shown));
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
