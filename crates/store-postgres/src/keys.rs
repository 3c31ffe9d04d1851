//! API keys: written through, served from memory, kept in step by revision.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::CredentialId,
    ports::{KeyDirectory, StoreError, StoredKey},
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    feed::NEXT_REVISION,
    rows::{self, get, hash, id, list, optional_id, optional_time, parsed, time},
    statement::Statement,
};

/// The API keys of one installation.
///
/// There are few keys and each request may ask for one, so all are in memory.
/// A key made elsewhere is looked up when it is first used; one withdrawn
/// elsewhere is known to be at the next [`PgFeed`](crate::PgFeed) sync.
pub struct PgKeys {
    database: Database,
    keys: Mutex<HashMap<CredentialId, Known>>,
}

/// A key as the database had it at a revision.
struct Known {
    key: StoredKey,
    revision: i64,
}

impl PgKeys {
    /// Reads all keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn load(database: Database) -> Result<Self, StoreError> {
        let keys = Self {
            database,
            keys: Mutex::default(),
        };
        keys.follow(0).await?;
        Ok(keys)
    }

    /// Whether any key could authenticate a caller at this time.
    #[must_use]
    pub fn any_usable(&self, at: Timestamp) -> bool {
        let keys = self.lock();
        let mut keys = keys.values().map(|known| &known.key);
        keys.any(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > at))
    }

    /// Reads what changed after a revision.
    pub(crate) async fn follow(&self, since: i64) -> Result<(), StoreError> {
        let asked = Statement::new("SELECT * FROM api_keys WHERE revision > $1").bind(since);
        for row in &self.database.rows(asked).await? {
            self.learn(row)?;
        }
        Ok(())
    }

    /// Takes a row into memory, unless a newer one is there.
    fn learn(&self, row: &PgRow) -> Result<StoredKey, StoreError> {
        let (read, revision) = (key(row)?, get(row, "revision")?);
        let mut keys = self.lock();
        let newer = keys.get(&read.id).filter(|known| known.revision > revision);
        if let Some(newer) = newer {
            return Ok(newer.key.clone());
        }
        let known = Known {
            key: read.clone(),
            revision,
        };
        keys.insert(read.id.clone(), known);
        Ok(read)
    }

    /// Changes a key; whether there is one.
    async fn change(&self, change: Statement) -> Result<bool, StoreError> {
        let row = self.database.row(change).await?;
        row.as_ref()
            .map(|row| self.learn(row))
            .transpose()
            .map(|key| key.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CredentialId, Known>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyDirectory for PgKeys {
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        let known = self.lock().get(id).map(|known| known.key.clone());
        if known.is_some() {
            return Ok(known);
        }
        let asked = Statement::new("SELECT * FROM api_keys WHERE id = $1").bind(id.as_str());
        let row = self.database.row(asked).await?;
        row.as_ref().map(|row| self.learn(row)).transpose()
    }

    async fn insert(&self, key: &StoredKey) -> Result<(), StoreError> {
        let insert = Statement::new(format!(
            "{NEXT_REVISION} INSERT INTO api_keys (id, kind, name, hash, roles, networks, \
             created_at, expires_at, revoked_at, last_used_at, replaced_by, revision) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, value FROM turn \
             ON CONFLICT (id) DO UPDATE SET revision = excluded.revision \
             WHERE api_keys.hash = excluded.hash RETURNING *"
        ))
        .bind(key.id.as_str())
        .bind(key.kind.to_string())
        .bind(key.name.as_str())
        .bind(key.hash.as_bytes().as_slice())
        .bind(rows::list_text(&key.roles)?)
        .bind(rows::list_text(&key.networks)?)
        .bind(key.created_at.as_millisecond())
        .bind(key.expires_at.map(Timestamp::as_millisecond))
        .bind(key.revoked_at.map(Timestamp::as_millisecond))
        .bind(key.last_used_at.map(Timestamp::as_millisecond))
        .bind(key.replaced_by.as_ref().map(|id| id.as_str()));
        if self.change(insert).await? {
            return Ok(());
        }
        Err(StoreError(format!(
            "PostgreSQL: the key {} is there already",
            key.id
        )))
    }

    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        let asked = Statement::new("SELECT * FROM api_keys ORDER BY created_at DESC, id DESC");
        let rows = self.database.rows(asked).await?;
        rows.iter().map(key).collect()
    }

    async fn revoke(&self, id: &CredentialId, at: Timestamp) -> Result<bool, StoreError> {
        let revoke = Statement::new(format!(
            "{NEXT_REVISION} UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2), \
             revision = (SELECT value FROM turn) WHERE id = $1 RETURNING *"
        ));
        self.change(revoke.bind(id.as_str()).bind(at.as_millisecond()))
            .await
    }

    async fn supersede(
        &self,
        id: &CredentialId,
        successor: &CredentialId,
        ends: Timestamp,
    ) -> Result<bool, StoreError> {
        let supersede = Statement::new(format!(
            "{NEXT_REVISION} UPDATE api_keys SET replaced_by = $2, \
             expires_at = LEAST(COALESCE(expires_at, $3), $3), \
             revision = (SELECT value FROM turn) WHERE id = $1 RETURNING *"
        ));
        let supersede = supersede.bind(id.as_str()).bind(successor.as_str());
        self.change(supersede.bind(ends.as_millisecond())).await
    }

    async fn touch(&self, id: &CredentialId, at: Timestamp) -> Result<(), StoreError> {
        let touch = Statement::new("UPDATE api_keys SET last_used_at = $2 WHERE id = $1");
        let touch = touch.bind(id.as_str()).bind(at.as_millisecond());
        self.database.execute(touch).await?;
        if let Some(known) = self.lock().get_mut(id) {
            known.key.last_used_at = Some(at);
        }
        Ok(())
    }
}

pub(crate) fn key(row: &PgRow) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        id: id(row, "id")?,
        kind: parsed(row, "kind")?,
        name: id(row, "name")?,
        hash: hash(row, "hash")?,
        roles: list(row, "roles")?,
        networks: list(row, "networks")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        replaced_by: optional_id(row, "replaced_by")?,
    })
}
