//! Revocations: written through, checked in memory.

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::RevocationId,
    ports::{Revocations, StoreError},
    revocation::{Hit, InForce, Lifted, Question, Revocation, Scope, ScopeKind},
};
use sqlx::sqlite::SqliteRow;

use crate::{
    database::{Database, store_error},
    rows::{damaged, get, id, optional_id, optional_time, parsed, time},
};

/// The revocations of one installation.
///
/// A change is in the file before it is in memory, and in both before it is
/// answered. Requests are checked against memory alone.
pub struct SqliteRevocations {
    database: Database,
    in_force: RwLock<InForce>,
    epoch: AtomicU64,
    /// Held by whoever changes one.
    turn: tokio::sync::Mutex<()>,
}

impl SqliteRevocations {
    /// Reads what is in force.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn load(database: Database) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT * FROM revocations WHERE lifted_at IS NULL")
            .fetch_all(&database.pool)
            .await
            .map_err(store_error)?;
        let mut in_force = InForce::default();
        for row in &rows {
            let revocation = revocation(row)?;
            in_force.insert(revocation.id, &revocation.scope);
        }
        Ok(Self {
            database,
            in_force: RwLock::new(in_force),
            epoch: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is in force; who sees the new epoch sees the change.
    fn change(&self, change: impl FnOnce(&mut InForce)) {
        let mut in_force: RwLockWriteGuard<'_, InForce> = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut in_force);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    async fn find(&self, id: &RevocationId) -> Result<Option<Revocation>, StoreError> {
        let row = sqlx::query("SELECT * FROM revocations WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(revocation).transpose()
    }

    async fn insert(&self, revocation: &Revocation) -> Result<(), StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO revocations (id, kind, target, reason, created_at, created_by) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(revocation.id.as_str())
        .bind(<&'static str>::from(revocation.scope.kind()))
        .bind(revocation.scope.target())
        .bind(revocation.reason.as_deref())
        .bind(revocation.created_at.as_millisecond())
        .bind(revocation.created_by.as_str())
        .execute(&self.database.pool)
        .await;
        inserted.map(drop).map_err(store_error)
    }
}

#[async_trait]
impl Revocations for SqliteRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        self.read().check(question)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let _turn = self.turn.lock().await;
        let known = self.read().of(&revocation.scope).cloned();
        if let Some(id) = known {
            let found = self.find(&id).await?;
            return found.ok_or_else(|| StoreError(format!("SQLite: {id} is gone")));
        }
        self.insert(revocation).await?;
        self.change(|in_force| in_force.insert(revocation.id.clone(), &revocation.scope));
        Ok(revocation.clone())
    }

    async fn lift(
        &self,
        id: &RevocationId,
        end: &Lifted,
    ) -> Result<Option<Revocation>, StoreError> {
        let _turn = self.turn.lock().await;
        let Some(mut revocation) = self.find(id).await? else {
            return Ok(None);
        };
        if revocation.lifted.is_some() {
            return Ok(Some(revocation));
        }
        sqlx::query("UPDATE revocations SET lifted_at = ?, lifted_by = ? WHERE id = ?")
            .bind(end.at.as_millisecond())
            .bind(end.by.as_str())
            .bind(id.as_str())
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        self.change(|in_force| in_force.remove(&revocation.scope));
        revocation.lifted = Some(end.clone());
        Ok(Some(revocation))
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM revocations WHERE ? OR lifted_at IS NULL \
             ORDER BY created_at DESC, id DESC LIMIT ?",
        )
        .bind(lifted_too)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.database.pool)
        .await
        .map_err(store_error)?;
        rows.iter().map(revocation).collect()
    }

    async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        let _turn = self.turn.lock().await;
        let rows = sqlx::query(
            "SELECT * FROM revocations \
             WHERE lifted_at < ?1 OR (created_at < ?1 AND kind IN ('grant', 'lineage'))",
        )
        .bind(before.as_millisecond())
        .fetch_all(&self.database.pool)
        .await
        .map_err(store_error)?;
        let over: Vec<Revocation> = rows.iter().map(revocation).collect::<Result<_, _>>()?;
        for revocation in &over {
            sqlx::query("DELETE FROM revocations WHERE id = ?")
                .bind(revocation.id.as_str())
                .execute(&self.database.pool)
                .await
                .map_err(store_error)?;
            if revocation.lifted.is_none() {
                self.change(|in_force| in_force.remove(&revocation.scope));
            }
        }
        Ok(over.len())
    }
}

pub(crate) fn revocation(row: &SqliteRow) -> Result<Revocation, StoreError> {
    let kind: ScopeKind = parsed(row, "kind")?;
    let scope = Scope::new(kind, get(row, "target")?);
    Ok(Revocation {
        id: id(row, "id")?,
        scope: scope.map_err(|error| damaged("target", error))?,
        reason: get(row, "reason")?,
        created_at: time(row, "created_at")?,
        created_by: id(row, "created_by")?,
        lifted: lifted(
            optional_time(row, "lifted_at")?,
            optional_id(row, "lifted_by")?,
        ),
    })
}

fn lifted(at: Option<Timestamp>, by: Option<hallpass_core::ids::Subject>) -> Option<Lifted> {
    Some(Lifted { at: at?, by: by? })
}
