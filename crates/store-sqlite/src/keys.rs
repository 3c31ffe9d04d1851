//! API keys: written through, served from memory.

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

use crate::{
    database::{Database, store_error},
    rows,
};

/// The API keys of one installation.
///
/// There are few keys and each request may ask for one, so all are in memory;
/// a change is in the file before it is in memory, and in both before it is
/// answered.
pub struct SqliteKeys {
    database: Database,
    keys: Mutex<HashMap<CredentialId, StoredKey>>,
}

impl SqliteKeys {
    /// Reads all keys.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn load(database: Database) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT * FROM api_keys")
            .fetch_all(&database.pool)
            .await
            .map_err(store_error)?;
        let keys: Result<HashMap<_, _>, _> = rows
            .iter()
            .map(|row| rows::key(row).map(|key| (key.id.clone(), key)))
            .collect();
        Ok(Self {
            database,
            keys: Mutex::new(keys?),
        })
    }

    /// Whether any key could authenticate a caller at this time.
    #[must_use]
    pub fn any_usable(&self, at: Timestamp) -> bool {
        self.lock()
            .values()
            .any(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > at))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CredentialId, StoredKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &CredentialId) -> bool {
        self.lock().contains_key(id)
    }

    fn change(&self, id: &CredentialId, change: impl FnOnce(&mut StoredKey)) {
        if let Some(key) = self.lock().get_mut(id) {
            change(key);
        }
    }
}

#[async_trait]
impl KeyDirectory for SqliteKeys {
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.lock().get(id).cloned())
    }

    async fn insert(&self, key: &StoredKey) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO api_keys (id, kind, name, hash, roles, networks, created_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(key.id.as_str())
        .bind(key.kind.to_string())
        .bind(key.name.as_str())
        .bind(key.hash.as_bytes().as_slice())
        .bind(rows::list_text(&key.roles)?)
        .bind(rows::list_text(&key.networks)?)
        .bind(key.created_at.as_millisecond())
        .bind(key.expires_at.map(Timestamp::as_millisecond))
        .execute(&self.database.pool)
        .await
        .map_err(store_error)?;
        self.lock().insert(key.id.clone(), key.clone());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        let mut keys: Vec<StoredKey> = self.lock().values().cloned().collect();
        keys.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(keys)
    }

    async fn revoke(&self, id: &CredentialId, at: Timestamp) -> Result<bool, StoreError> {
        if !self.known(id) {
            return Ok(false);
        }
        sqlx::query("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?")
            .bind(at.as_millisecond())
            .bind(id.as_str())
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        self.change(id, |key| key.revoked_at = key.revoked_at.or(Some(at)));
        Ok(true)
    }

    async fn supersede(
        &self,
        id: &CredentialId,
        successor: &CredentialId,
        ends: Timestamp,
    ) -> Result<bool, StoreError> {
        if !self.known(id) {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE api_keys SET replaced_by = ?, expires_at = MIN(COALESCE(expires_at, ?), ?) WHERE id = ?",
        )
        .bind(successor.as_str())
        .bind(ends.as_millisecond())
        .bind(ends.as_millisecond())
        .bind(id.as_str())
        .execute(&self.database.pool)
        .await
        .map_err(store_error)?;
        self.change(id, |key| {
            key.replaced_by = Some(successor.clone());
            key.expires_at = Some(key.expires_at.map_or(ends, |end| end.min(ends)));
        });
        Ok(true)
    }

    async fn touch(&self, id: &CredentialId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?")
            .bind(at.as_millisecond())
            .bind(id.as_str())
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        self.change(id, |key| key.last_used_at = Some(at));
        Ok(())
    }
}
