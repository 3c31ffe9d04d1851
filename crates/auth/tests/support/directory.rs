//! A key directory in memory that counts what is asked of it.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::CredentialId,
    ports::{KeyDirectory, StoreError, StoredKey},
};

#[derive(Default)]
pub(crate) struct Directory {
    keys: Mutex<HashMap<CredentialId, StoredKey>>,
    pub(crate) touches: AtomicUsize,
    pub(crate) is_away: AtomicBool,
}

impl Directory {
    pub(crate) fn put(&self, key: StoredKey) {
        self.keys.lock().unwrap().insert(key.id.clone(), key);
    }

    fn answer<T>(&self, value: T) -> Result<T, StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError("away".to_owned()));
        }
        Ok(value)
    }
}

#[async_trait]
impl KeyDirectory for Directory {
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        self.answer(self.keys.lock().unwrap().get(id).cloned())
    }

    async fn insert(&self, key: &StoredKey) -> Result<(), StoreError> {
        self.put(key.clone());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.keys.lock().unwrap().values().cloned().collect())
    }

    async fn revoke(&self, id: &CredentialId, at: Timestamp) -> Result<bool, StoreError> {
        let mut keys = self.keys.lock().unwrap();
        let Some(key) = keys.get_mut(id) else {
            return Ok(false);
        };
        key.revoked_at.get_or_insert(at);
        Ok(true)
    }

    async fn supersede(
        &self,
        id: &CredentialId,
        successor: &CredentialId,
        ends: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut keys = self.keys.lock().unwrap();
        let Some(key) = keys.get_mut(id) else {
            return Ok(false);
        };
        key.expires_at = Some(ends);
        key.replaced_by = Some(successor.clone());
        Ok(true)
    }

    async fn touch(&self, _id: &CredentialId, _at: Timestamp) -> Result<(), StoreError> {
        self.touches.fetch_add(1, Ordering::Relaxed);
        self.answer(())
    }
}
