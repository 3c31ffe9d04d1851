//! API keys of an installation that is not running.
//!
//! The trail has one writer, so a running server keeps others out; each change
//! here is in the trail before it is in the store.

use std::{path::Path, sync::Arc, time::Duration};

use hallpass_audit::{OpenError, Trail, TrailSettings};
use hallpass_config::Config;
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    hash::{Hasher, Purpose},
    ids::CredentialId,
    key::ApiKey,
    key_issuer::{self, KeyIssuer, NewKey},
    ports::{AuditLog, KeyDirectory, StoredKey},
};
use hallpass_store_postgres::PgKeys;
use hallpass_store_sqlite::{Database, SqliteKeys};
use hallpass_telemetry::Metrics;

use super::{
    clock::{self, SystemClock, SystemIds},
    durable, install,
    trail::Joined,
};
use crate::cli::Stop;

/// Where the keys are.
enum Store {
    File(Database),
    Shared(hallpass_store_postgres::Database),
}

/// The keys, the trail and the store they live in.
pub(crate) struct Keyring {
    store: Store,
    keys: Arc<dyn KeyDirectory>,
    issuer: KeyIssuer,
    trail: Trail,
    hasher: Hasher,
}

impl Keyring {
    /// Opens the installation of a data directory, making it where there is none.
    pub(crate) async fn open(data_dir: &Path, audit_dir: &Path) -> Result<Self, Stop> {
        let hasher = install::open_own_key(data_dir)?.hasher(Purpose::ApiKey);
        let trail = open_trail(audit_dir)?;
        let database = Database::open(&data_dir.join(durable::FILE)).await?;
        let keys = Arc::new(SqliteKeys::load(database.clone()).await?);
        Ok(Self::new(Store::File(database), keys, hasher, trail))
    }

    /// Opens the installation of a configuration.
    pub(crate) async fn of(config: &Config) -> Result<Self, Stop> {
        let install_key = install::open_key(&config.server)?;
        if !config.store.durable.is_postgres() {
            return Self::open(&config.server.data_dir, &config.audit.dir).await;
        }
        let (database, trail) = match Joined::before_the_trail(config).await? {
            Some(joined) => {
                let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
                let trail = joined.trail(config, metrics).await?;
                (joined.database, trail)
            }
            None => {
                let trail = open_trail(&config.audit.dir)?;
                (durable::connect(&config.store).await?, trail)
            }
        };
        database.check_key(&install_key).await?;
        let keys = Arc::new(PgKeys::load(database.clone()).await?);
        let hasher = install_key.hasher(Purpose::ApiKey);
        Ok(Self::new(Store::Shared(database), keys, hasher, trail))
    }

    fn new(store: Store, keys: Arc<dyn KeyDirectory>, hasher: Hasher, trail: Trail) -> Self {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let issuer = KeyIssuer::new(keys.clone(), hasher.clone(), clock, ids);
        Self {
            store,
            keys,
            issuer,
            trail,
            hasher,
        }
    }

    /// Writes what waits.
    pub(crate) async fn close(self) {
        match self.store {
            Store::File(database) => database.close().await,
            Store::Shared(database) => database.close().await,
        }
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
    pub(crate) async fn create(&self, new: NewKey) -> Result<(ApiKey, StoredKey), Stop> {
        let (key, stored) = self.issuer.make(new);
        self.recorded(Action::KeyCreate, &stored).await?;
        self.keys.insert(&stored).await?;
        Ok((key, stored))
    }

    /// Withdraws a key.
    pub(crate) async fn revoke(&self, id: &CredentialId) -> Result<StoredKey, Stop> {
        let key = self.find(id).await?;
        self.recorded(Action::KeyRevoke, &key).await?;
        self.keys.revoke(id, clock::now()).await?;
        self.find(id).await
    }

    /// Makes a successor; the old key ends after the overlap.
    pub(crate) async fn rotate(
        &self,
        id: &CredentialId,
        overlap: Duration,
    ) -> Result<(ApiKey, StoredKey), Stop> {
        let old = self.find(id).await?;
        key_issuer::rotatable(&old, clock::now())
            .map_err(|refusal| Stop::no(refusal.detail.into_owned()))?;
        let (key, successor) = self.issuer.make_successor(&old);
        self.recorded(Action::KeyRotate, &successor).await?;
        self.issuer.replace(&old, &successor, overlap).await?;
        Ok((key, successor))
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

/// The trail, which has one writer.
fn open_trail(dir: &Path) -> Result<Trail, Stop> {
    let settings = TrailSettings::new(dir, Arc::new(SystemClock), env!("CARGO_PKG_VERSION"));
    let opened = Trail::open(settings).map_err(|error| match error {
        OpenError::Locked { .. } => Stop::usage(format!(
            "{error} Stop the server first, or name it: --url with HALLPASS_ADMIN_KEY."
        )),
        error => Stop::from(error),
    });
    opened.map(|(trail, _)| trail)
}
