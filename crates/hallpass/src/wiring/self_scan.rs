//! Looks for leaked keys in what the app's pages serve, again and again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hallpass_config::Config;
use hallpass_core::{
    alert::{Cause, RuleKind},
    audit::{Action, AuditEvent, Outcome as Went},
    hash::{Hasher, KeyedHash},
    ids::{CredentialId, GrantId, Subject},
    key::ApiKey,
    pass::Pass,
    pipeline::Broker,
    ports::{AuditLog, KeyDirectory, StoreError},
    revocation::Scope,
};
use hallpass_scan::{Detector, Finding, KnownKeys, Leak, Outcome, PageOptions, Scanner, page};
use reqwest::Url;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::{
    alerts::board::{Board, cause},
    clock::now,
};
use crate::cli::Stop;

/// Who revokes what a scan finds.
const OURSELVES: &str = "hallpass-scan";

/// What a scan needs.
pub(crate) struct SelfScan {
    pub(crate) origins: Vec<Url>,
    pub(crate) every: Duration,
    pub(crate) revoke: bool,
    pub(crate) allow_private: bool,
    /// Keys that are known whatever their form: the upstreams' own.
    pub(crate) known: Vec<(String, secrecy::SecretString)>,
    /// The text of the file of further keys.
    pub(crate) fingerprints: Option<String>,
    pub(crate) keys: Arc<dyn KeyDirectory>,
    pub(crate) key_hasher: Hasher,
    pub(crate) broker: Arc<Broker>,
    pub(crate) board: Arc<Board>,
    pub(crate) log: Arc<dyn AuditLog>,
}

/// A Hallpass credential that was found, by what is kept of it.
#[derive(Debug, Clone)]
enum Own {
    Key(CredentialId, KeyedHash),
    Pass(GrantId, KeyedHash),
}

type Seen = Arc<Mutex<BTreeMap<String, Own>>>;

impl SelfScan {
    /// What the configuration says; none where nothing is scanned.
    pub(crate) fn new(
        config: &Config,
        (keys, key_hasher): (Arc<dyn KeyDirectory>, Hasher),
        broker: Arc<Broker>,
        board: Arc<Board>,
        log: Arc<dyn AuditLog>,
    ) -> Result<Option<Self>, Stop> {
        let scan = &config.scan;
        if scan.origins.is_empty() {
            return Ok(None);
        }
        let file = scan.fingerprints_file.as_ref();
        let fingerprints = file.map(std::fs::read_to_string).transpose()?;
        let known = config.upstream.iter().filter_map(|upstream| {
            let name = format!("the standard key of upstream {}", upstream.name);
            Some((name, upstream.api_key.clone()?))
        });
        let scan = Self {
            origins: scan.origins.clone(),
            every: Duration::from_secs(scan.every_seconds),
            revoke: scan.revoke_finds,
            allow_private: scan.allow_private_addresses,
            known: known.collect(),
            fingerprints,
            keys,
            key_hasher,
            broker,
            board,
            log,
        };
        // A wrong file of fingerprints is told at the start.
        scan.detector(&Seen::default())?;
        Ok(Some(scan))
    }

    /// Scans until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let scan = Arc::new(self);
        loop {
            for origin in &scan.origins {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = scan.clone().scan(origin.clone()) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(scan.every) => {}
            }
        }
    }

    async fn scan(self: Arc<Self>, origin: Url) {
        let seen = Seen::default();
        let (ours, address, finds) = (self.clone(), origin.clone(), seen.clone());
        // Searching is work for the processor: off the threads that serve.
        let runtime = tokio::runtime::Handle::current();
        let scanning =
            tokio::task::spawn_blocking(move || runtime.block_on(ours.look(&address, &finds)));
        let name = shown(&origin);
        let result = match scanning.await {
            Ok(result) => result,
            Err(error) => Err(error.to_string()),
        };
        let failing = cause("origin", &name);
        match &result {
            Ok(outcome) => {
                self.board.clear(RuleKind::ScanFailing, failing);
                let unwell = unwell(&name, &outcome.findings);
                let place = ("origin", name.as_str());
                self.board.replace(RuleKind::KeyInClientCode, place, unwell);
            }
            Err(why) => self.board.set(RuleKind::ScanFailing, failing, why),
        }
        self.record(&name, &result);
        let found = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        for own in found.into_values().filter(|_| self.revoke) {
            if let Err(error) = self.revoke(&own, &name).await {
                tracing::error!(%error, "scan: what was found can't be revoked; it is tried with the next scan");
            }
        }
    }

    async fn look(&self, origin: &Url, seen: &Seen) -> Result<Outcome, String> {
        let detector = self.detector(seen).map_err(|error| error.to_string())?;
        let scanner = Scanner::new(detector);
        let options = PageOptions {
            allow_private: self.allow_private,
            ..PageOptions::default()
        };
        let looked = page(&scanner, origin, options).await;
        looked.map_err(|error| error.to_string())?;
        Ok(scanner.finish())
    }

    fn detector(&self, seen: &Seen) -> Result<Detector, Stop> {
        let mut known = match &self.fingerprints {
            Some(text) => KnownKeys::parse(text)?,
            None => KnownKeys::generate()?,
        };
        for (name, key) in &self.known {
            // A key of another form is found by its form, where it has one.
            let _ = known.add(name, key.expose_secret());
        }
        let (seen, hasher) = (seen.clone(), self.key_hasher.clone());
        let passes = self.broker.sessions().pass_hasher.clone();
        let detector = Detector::new()?.with_known_keys(known);
        Ok(detector.with_witness(move |leak| {
            if let Some(own) = own(leak, &hasher, &passes) {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(leak.fingerprint(), own);
            }
        }))
    }

    fn record(&self, origin: &str, result: &Result<Outcome, String>) {
        let mut event = AuditEvent::outcome(now(), Action::ScanRun, Went::Success);
        event.facts = vec![("origin", origin.to_owned())];
        match result {
            Ok(outcome) => {
                let (finds, notes) = (outcome.findings.len(), outcome.notes.len());
                tracing::info!(
                    origin,
                    texts = outcome.texts,
                    finds,
                    notes,
                    "scan: the app's pages were searched for leaked keys"
                );
                event.facts.extend([
                    ("texts", outcome.texts.to_string()),
                    ("bytes", outcome.bytes.to_string()),
                    ("finds", finds.to_string()),
                    ("notes", notes.to_string()),
                ]);
            }
            Err(why) => {
                tracing::warn!(
                    origin,
                    why,
                    "scan: the app's pages could not be searched for leaked keys"
                );
                event.facts.push(("error", why.clone()));
            }
        }
        // Not awaited; a trail that can't be written says so itself.
        drop(self.log.append(event));
    }

    /// Revokes a credential of ours. What only looks like one is left alone:
    /// else whoever can write into a page could revoke others' keys.
    async fn revoke(&self, own: &Own, origin: &str) -> Result<(), StoreError> {
        let scope = match own {
            Own::Key(id, hash) => {
                let found = self.keys.find(id).await?;
                let ours = found.filter(|key| key.hash == *hash && key.revoked_at.is_none());
                ours.map(|key| Scope::Key(key.id))
            }
            Own::Pass(grant, hash) => {
                let found = self.broker.sessions().passes.find(grant).await?;
                let ours = found.filter(|pass| pass.hash == *hash);
                ours.map(|pass| Scope::Grant(pass.grant))
            }
        };
        let Some(scope) = scope else { return Ok(()) };
        let by = Subject::new(OURSELVES).map_err(|error| StoreError(error.to_string()))?;
        let reason = format!("found in what {origin} serves");
        let done = self.broker.revoke_unasked(scope, reason, by).await?;
        if done.is_new {
            let kind = done.revocation.scope.kind().to_string();
            let target = done.revocation.scope.target();
            tracing::warn!(
                kind,
                target,
                origin,
                "scan: a leaked credential was revoked"
            );
        }
        Ok(())
    }
}

/// What a leak is of ours; nothing says yet that it is a good one.
fn own(leak: &Leak, keys: &Hasher, passes: &Hasher) -> Option<Own> {
    let text = std::str::from_utf8(leak.secret()).ok()?;
    if let Ok(key) = ApiKey::parse(text) {
        let hash = keys.hash(key.expose().as_bytes());
        return Some(Own::Key(key.id().clone(), hash));
    }
    let pass = Pass::parse(text).ok()?;
    Some(Own::Pass(pass.grant().clone(), pass.hash(passes)))
}

/// A page's address without what it may hide.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// One cause for each credential, wherever it stands.
fn unwell(origin: &str, findings: &[Finding]) -> Vec<(Cause, String)> {
    let mut causes: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        causes.entry(&finding.fingerprint).or_insert(finding);
    }
    let causes = causes.into_iter().map(|(fingerprint, finding)| {
        let mut cause = cause("origin", origin);
        cause.insert("credential".to_owned(), fingerprint.to_owned());
        let title = match &finding.known_as {
            Some(name) => name.as_str(),
            None => finding.rule.title(),
        };
        let place = &finding.position;
        let told = format!(
            "{title} ({}) in {}, line {}",
            finding.redacted, finding.path, place.line
        );
        (cause, told)
    });
    causes.collect()
}
