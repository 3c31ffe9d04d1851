//! The certificate, from files, replaced when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Why a certificate could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate file holds no PEM certificate.
    #[error("{0} holds no certificate; it must be PEM, the server's own certificate first")]
    NoCertificate(PathBuf),
    /// The key file holds no PEM private key.
    #[error("{0} holds no private key; it must be an unencrypted PEM key")]
    NoKey(PathBuf),
    /// The two do not fit together, or are of a kind TLS cannot use.
    #[error("the certificate in {certificate} cannot be used with the key in {key}: {source}")]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The TLS library refused the settings.
    #[error("TLS could not be set up: {0}")]
    Settings(#[source] rustls::Error),
}

/// A certificate and key from PEM files, for TLS 1.2 and 1.3.
///
/// A new certificate serves new handshakes; open connections keep theirs. A
/// bad new file changes nothing.
#[derive(Debug)]
pub struct TlsReloader {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    seen: Mutex<Option<[Stamp; 2]>>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// What changes when a file does, also when a link is turned to another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl TlsReloader {
    /// Loads a certificate chain and its key.
    ///
    /// # Errors
    ///
    /// What is wrong with the files.
    pub fn open(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Arc<Self>, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let seen = stamps(&certificate, &key);
        let loaded = load(&certificate, &key, &provider)?;
        let current = Arc::new(Current(ArcSwap::from_pointee(loaded)));
        let config = server_config(provider.clone(), current.clone())?;
        Ok(Arc::new(Self {
            certificate,
            key,
            provider,
            current,
            config: Arc::new(config),
            seen: Mutex::new(seen),
        }))
    }

    /// The settings for a TLS acceptor; they follow later reloads.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Reads the files again, now.
    ///
    /// # Errors
    ///
    /// What is wrong with them; the certificate in use stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Stamps come first: a change during the reading is then seen later.
        let stamps = stamps(&self.certificate, &self.key);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        let loaded = load(&self.certificate, &self.key, &self.provider)?;
        self.current.0.store(Arc::new(loaded));
        Ok(())
    }

    fn changed(&self) -> bool {
        let now = stamps(&self.certificate, &self.key);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != now
    }

    /// Reloads whenever the files change, until `stop`; run it as a task.
    ///
    /// `report` hears of each attempt, so that a bad file can raise an alert.
    pub async fn watch(
        self: Arc<Self>,
        every: Duration,
        stop: CancellationToken,
        report: impl Fn(Result<(), TlsError>) + Send,
    ) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let reloader = self.clone();
            let attempt = move || reloader.changed().then(|| reloader.reload());
            if let Ok(Some(result)) = tokio::task::spawn_blocking(attempt).await {
                note(&result);
                report(result);
            }
        }
    }
}

fn note(result: &Result<(), TlsError>) {
    match result {
        Ok(()) => tracing::info!("the TLS certificate was reloaded"),
        Err(error) => tracing::error!(%error, "the new TLS certificate is bad; the old one stays"),
    }
}

fn server_config(
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Settings)?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn load(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .unwrap_or_default();
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let secret = read(key)?;
    let secret =
        PrivateKeyDer::from_pem_slice(&secret).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|source| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// `None` while a file is missing, which is a change when it comes back.
fn stamps(certificate: &Path, key: &Path) -> Option<[Stamp; 2]> {
    Some([stamp(certificate)?, stamp(key)?])
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        inode: inode(&metadata),
    })
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_metadata: &fs::Metadata) -> u64 {
    0
}
