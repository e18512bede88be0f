//! The certificate of TLS and QUIC: the configured one, or a self-signed one that is made once and kept.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;

/// Names that a self-signed certificate is good for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate chain and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// Whether it was made here, so that no client believes it unasked.
    pub(crate) self_signed: bool,
}

/// Reads the certificate in force, making one where none is configured.
///
/// # Errors
/// If files cannot be read or written, or hold no certificate or key.
pub(crate) fn load(config: &Config) -> Result<Identity> {
    let self_signed = config.tls.certificate.as_os_str().is_empty();
    let (certificate, key) = if self_signed {
        let paths = self_signed_paths(config);
        if !paths.0.exists() || !paths.1.exists() {
            generate(&paths.0, &paths.1)?;
        }
        paths
    } else {
        (config.tls.certificate.clone(), config.tls.key.clone())
    };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read certificates from {}", certificate.display()))?;
    if chain.is_empty() {
        bail!("{} holds no certificate", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(&key)
        .with_context(|| format!("cannot read a private key from {}", key.display()))?;
    Ok(Identity { chain, key, self_signed })
}

/// Where the self-signed certificate and its key are.
pub(crate) fn self_signed_paths(config: &Config) -> (PathBuf, PathBuf) {
    (config.tls_dir().join("certificate.pem"), config.tls_dir().join("key.pem"))
}

fn generate(certificate: &Path, key: &Path) -> Result<()> {
    let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
    let folder = certificate.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // The certificate comes last: with it missing, the next start makes both anew.
    write(key, &made.signing_key.serialize_pem(), 0o600)?;
    write(certificate, &made.cert.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
