//! Signed tokens, as APNs (ES256) and Google (RS256) want them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A key that signs.
#[derive(Debug)]
pub(crate) enum Key {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

impl Key {
    /// An elliptic key, as Apple hands it out (PEM, PKCS #8).
    pub(crate) fn es256(pem: &str) -> Result<Self, String> {
        let der = pkcs8(pem)?;
        let key = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der());
        key.map(|key| Self::Es256(Box::new(key))).map_err(|_| "the key is no P-256 key".to_owned())
    }

    /// An RSA key, as a Google service account holds it (PEM, PKCS #8).
    pub(crate) fn rs256(pem: &str) -> Result<Self, String> {
        let key = RsaKeyPair::from_pkcs8(pkcs8(pem)?.secret_pkcs8_der());
        key.map(|key| Self::Rs256(Box::new(key))).map_err(|_| "the key is no RSA key".to_owned())
    }

    /// A token that makes these claims.
    pub(crate) fn sign(&self, key_id: &str, claims: &Value) -> Result<String, String> {
        let algorithm = match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        };
        let mut header = json!({ "alg": algorithm, "typ": "JWT" });
        if !key_id.is_empty() {
            header["kid"] = key_id.into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Es256(key) => key.sign(&random, signed.as_bytes()).map(|signature| signature.as_ref().to_vec()),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).map(|()| signature)
            }
        };
        let signature = signature.map_err(|_| "the key cannot sign".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn pkcs8(pem: &str) -> Result<PrivatePkcs8KeyDer<'static>, String> {
    PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("no private key in PEM form: {error}"))
}
