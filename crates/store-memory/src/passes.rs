//! Passes in memory: for tests, and for what a restart may forget.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::GrantId,
    pass::{PassRecord, Passes, Spent},
    ports::StoreError,
};

/// Passes by grant under one lock, so that no two requests use the same one.
#[derive(Default)]
pub struct MemoryPasses(Mutex<HashMap<GrantId, (PassRecord, bool)>>);

impl MemoryPasses {
    fn lock(&self) -> MutexGuard<'_, HashMap<GrantId, (PassRecord, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Passes for MemoryPasses {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        self.lock()
            .insert(pass.grant.clone(), (pass.clone(), false));
        Ok(())
    }

    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError> {
        Ok(self.lock().get(grant).map(|(pass, _)| pass.clone()))
    }

    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError> {
        let mut passes = self.lock();
        let Some((_, spent)) = passes.get_mut(grant) else {
            return Ok(Spent::Unknown);
        };
        let before = std::mem::replace(spent, true);
        Ok(if before { Spent::Again } else { Spent::First })
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut passes = self.lock();
        let held = passes.len();
        passes.retain(|_, (pass, _)| pass.expires_at >= before);
        Ok(held - passes.len())
    }
}
