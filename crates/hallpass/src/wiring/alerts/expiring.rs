//! Certificates and keys that end soon.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hallpass_config::Config;
use hallpass_core::{
    Timestamp,
    alert::{Level, RuleKind},
    ports::{KeyDirectory, StoredKey},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::board::cause;

/// How often it is looked at most; it costs reading a file.
const EVERY: Duration = Duration::from_secs(60);
/// A key that ended longer ago is no news any more.
const REMEMBERED: f64 = -1.0;
const SECONDS_A_DAY: f64 = 86_400.0;

/// Looks at the server's certificate and at API keys.
pub(super) struct Expiring {
    certificate: Option<PathBuf>,
    keys: Arc<dyn KeyDirectory>,
    every: Duration,
    looked_at: Option<Timestamp>,
    found: Vec<Level>,
}

impl Expiring {
    pub(super) fn new(config: &Config, keys: Arc<dyn KeyDirectory>) -> Self {
        let tls = config.server.tls.as_ref();
        Self {
            certificate: tls.map(|tls| tls.cert_file.clone()),
            keys,
            every: Duration::from_millis(config.alerts.look_ms * 60).min(EVERY),
            looked_at: None,
            found: Vec::new(),
        }
    }

    /// What ends, and in how many days.
    pub(super) async fn look(&mut self, now: Timestamp) -> Vec<Level> {
        let fresh = self.looked_at.is_some_and(|at| {
            let passed = Duration::try_from(now.duration_since(at));
            passed.is_ok_and(|passed| passed < self.every)
        });
        if !fresh {
            self.looked_at = Some(now);
            self.found = self.find(now).await;
        }
        self.found.clone()
    }

    async fn find(&self, now: Timestamp) -> Vec<Level> {
        let mut found = Vec::new();
        if let Some(path) = self.certificate.clone() {
            let read = tokio::task::spawn_blocking(move || certificate_end(&path)).await;
            if let Ok(Some(ends)) = read {
                let what = "The certificate of the public listener".to_owned();
                found.push(level(what, days(now, ends)));
            }
        }
        match self.keys.list().await {
            Ok(keys) => found.extend(keys.iter().filter_map(|key| of_key(key, now))),
            Err(error) => tracing::warn!(%error, "alerts: API keys can't be looked at"),
        }
        found
    }
}

fn of_key(key: &StoredKey, now: Timestamp) -> Option<Level> {
    // One that has a successor is meant to end.
    if key.revoked_at.is_some() || key.replaced_by.is_some() {
        return None;
    }
    let left = days(now, key.expires_at?);
    let what = format!("The API key {} ({})", key.name, key.id);
    (left > REMEMBERED).then(|| level(what, left))
}

fn level(what: String, days: f64) -> Level {
    Level {
        kind: RuleKind::Expiring,
        cause: cause("what", what),
        value: days,
        detail: String::new(),
    }
}

/// Days left, to the hundredth; less than nothing where it has ended.
#[allow(clippy::cast_precision_loss, reason = "seconds, far below 2^52")]
fn days(now: Timestamp, ends: Timestamp) -> f64 {
    let seconds = (ends.as_second() - now.as_second()) as f64;
    (seconds / SECONDS_A_DAY * 100.0).round() / 100.0
}

/// When the first certificate of a file ends; none where it can't be read.
fn certificate_end(path: &std::path::Path) -> Option<Timestamp> {
    let first = CertificateDer::pem_file_iter(path).ok()?.next()?.ok()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&first).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cert.pem");
        std::fs::write(&path, made.cert.pem()).unwrap();
        // What rcgen writes where nothing else is asked for.
        let ends = certificate_end(&path).unwrap();
        assert_eq!(ends.to_string(), "4096-01-01T00:00:00Z");
        std::fs::write(&path, "no certificate").unwrap();
        assert_eq!(certificate_end(&path), None);
    }

    #[test]
    fn days_are_counted_down_and_beyond() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        assert_eq!(days(at(0), at(86_400 * 3 / 2)), 1.5);
        assert_eq!(days(at(86_400), at(0)), -1.0);
    }
}
