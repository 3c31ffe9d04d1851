//! API keys of an installation that is not running.
//!
//! The trail has one writer, so a running server keeps others out; each change
//! here is in the trail before it is in the store.

use std::{path::Path, sync::Arc, time::Duration};

use hallpass_audit::{OpenError, Trail, TrailSettings};
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    hash::{Hasher, Purpose},
    ids::{CredentialId, RoleName, Subject},
    key::{ApiKey, KEY_RANDOM_BYTES, KeyKind},
    ports::{AuditLog, Ids, KeyDirectory, StoredKey},
};
use hallpass_store_sqlite::{Database, SqliteKeys};
use zeroize::Zeroizing;

use super::{
    clock::{self, SystemClock, SystemIds},
    install,
};
use crate::cli::Stop;

/// The database within the data directory.
pub(crate) const DATABASE: &str = "hallpass.db";

/// A key to be made.
pub(crate) struct NewKey {
    pub(crate) name: Subject,
    pub(crate) kind: KeyKind,
    pub(crate) roles: Vec<RoleName>,
    pub(crate) networks: Vec<String>,
    pub(crate) expires_in_days: Option<u32>,
}

/// The keys, the trail and the store they live in.
pub(crate) struct Keyring {
    database: Database,
    keys: SqliteKeys,
    trail: Trail,
    hasher: Hasher,
}

impl Keyring {
    /// Opens an installation, making it where there is none.
    pub(crate) async fn open(data_dir: &Path, audit_dir: &Path) -> Result<Self, Stop> {
        let hasher = install::open_key(data_dir)?.hasher(Purpose::ApiKey);
        let settings =
            TrailSettings::new(audit_dir, Arc::new(SystemClock), env!("CARGO_PKG_VERSION"));
        let (trail, _) = Trail::open(settings).map_err(|error| match error {
            OpenError::Locked { .. } => Stop::usage(format!("{error} Stop the server first.")),
            error => Stop::from(error),
        })?;
        let database = Database::open(&data_dir.join(DATABASE)).await?;
        let keys = SqliteKeys::load(database.clone()).await?;
        Ok(Self {
            database,
            keys,
            trail,
            hasher,
        })
    }

    /// Writes what waits.
    pub(crate) async fn close(self) {
        self.database.close().await;
        self.trail.close();
    }

    /// All keys, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<StoredKey>, Stop> {
        Ok(self.keys.list().await?)
    }

    /// Whether a key's text is that of a stored key in force.
    pub(crate) async fn usable(&self, text: &str) -> Result<bool, Stop> {
        let Ok(key) = ApiKey::parse(text) else {
            return Ok(false);
        };
        let stored = self.keys.find(key.id()).await?;
        let hash = self.hasher.hash(text.as_bytes());
        let in_force = |stored: StoredKey| {
            let lasts = stored.expires_at.is_none_or(|end| end > clock::now());
            stored.revoked_at.is_none() && lasts && stored.hash == hash
        };
        Ok(stored.is_some_and(in_force))
    }

    /// Makes a key; its text is never to be had again.
    pub(crate) async fn create(&self, new: NewKey) -> Result<(String, StoredKey), Stop> {
        let (text, key) = make(new, &self.hasher);
        self.recorded(Action::KeyCreate, &key).await?;
        self.keys.insert(&key).await?;
        Ok((text, key))
    }

    /// Withdraws a key.
    pub(crate) async fn revoke(&self, id: &CredentialId) -> Result<(), Stop> {
        let key = self.find(id).await?;
        self.recorded(Action::KeyRevoke, &key).await?;
        self.keys.revoke(id, clock::now()).await?;
        Ok(())
    }

    /// Makes a successor; the old key ends after the overlap.
    pub(crate) async fn rotate(
        &self,
        id: &CredentialId,
        overlap_hours: u32,
    ) -> Result<(String, StoredKey), Stop> {
        let old = self.find(id).await?;
        if old.revoked_at.is_some() {
            return Err(Stop::no(format!("the key {id} is revoked; make a new one")));
        }
        let new = NewKey {
            name: old.name.clone(),
            kind: old.kind,
            roles: old.roles.clone(),
            networks: old.networks.clone(),
            expires_in_days: None,
        };
        let (text, key) = make(new, &self.hasher);
        self.recorded(Action::KeyRotate, &key).await?;
        self.keys.insert(&key).await?;
        let overlap = Duration::from_secs(u64::from(overlap_hours) * 3600);
        self.keys
            .supersede(id, &key.id, clock::now().saturating_add(overlap)?)
            .await?;
        Ok((text, key))
    }

    async fn find(&self, id: &CredentialId) -> Result<StoredKey, Stop> {
        let found = self.keys.find(id).await?;
        found.ok_or_else(|| {
            Stop::no(format!(
                "there is no key {id}; hallpass keys list shows those there are"
            ))
        })
    }

    async fn recorded(&self, action: Action, key: &StoredKey) -> Result<(), Stop> {
        let mut event = AuditEvent::outcome(clock::now(), action, Outcome::Success);
        event.facts = vec![
            ("key", key.id.to_string()),
            ("name", key.name.to_string()),
            ("by", "command line".to_owned()),
        ];
        self.trail.append(event).await?;
        Ok(())
    }
}

/// Makes a key of fresh random bytes.
pub(crate) fn make(new: NewKey, hasher: &Hasher) -> (String, StoredKey) {
    let mut random = Zeroizing::new([0; KEY_RANDOM_BYTES]);
    SystemIds.fill(random.as_mut_slice());
    let key = ApiKey::generate(new.kind, &random);
    let created_at = clock::now();
    let lasts = new
        .expires_in_days
        .map(|days| Duration::from_secs(u64::from(days) * 86_400));
    let stored = StoredKey {
        id: key.id().clone(),
        kind: new.kind,
        name: new.name,
        hash: hasher.hash(key.expose().as_bytes()),
        roles: new.roles,
        networks: new.networks,
        created_at,
        expires_at: lasts.and_then(|lasts| created_at.checked_add(lasts).ok()),
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    };
    (key.expose().to_owned(), stored)
}
