//! Passes: kept in the file, and spent there once for all.

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    hash::KeyedHash,
    ids::GrantId,
    pass::{PassRecord, Passes, Spent},
    ports::StoreError,
};

use crate::{
    database::{Database, store_error},
    grant_rows::id_bytes,
    rows::{damaged, get, id, time},
};

/// The passes of one installation.
///
/// A new one survives a crash of the process; a power cut may take the newest,
/// which then open nothing. That one was spent survives both.
pub struct SqlitePasses {
    database: Database,
}

impl SqlitePasses {
    /// The passes in a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Passes for SqlitePasses {
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError> {
        let kept = sqlx::query(
            "INSERT INTO passes (id, hash, role, session, expires_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id_bytes(&pass.grant))
        .bind(pass.hash.as_bytes().to_vec())
        .bind(pass.role.to_string())
        .bind(pass.session.clone())
        .bind(pass.expires_at.as_millisecond())
        .execute(&self.database.behind)
        .await;
        kept.map(drop).map_err(store_error)
    }

    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError> {
        let row = sqlx::query("SELECT hash, role, session, expires_at FROM passes WHERE id = ?")
            .bind(id_bytes(grant))
            .fetch_optional(&self.database.pool)
            .await
            .map_err(store_error)?;
        let Some(row) = row else { return Ok(None) };
        let hash: Vec<u8> = get(&row, "hash")?;
        let hash = <[u8; 32]>::try_from(hash).map_err(|_| damaged("hash", "not 32 bytes"))?;
        Ok(Some(PassRecord {
            grant: grant.clone(),
            hash: KeyedHash::from_bytes(hash),
            role: id(&row, "role")?,
            session: get(&row, "session")?,
            expires_at: time(&row, "expires_at")?,
        }))
    }

    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError> {
        let spent = sqlx::query("UPDATE passes SET spent = 1 WHERE id = ? AND spent = 0")
            .bind(id_bytes(grant))
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        if spent.rows_affected() == 1 {
            return Ok(Spent::First);
        }
        let known = self.find(grant).await?;
        Ok(known.map_or(Spent::Unknown, |_| Spent::Again))
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let forgotten = sqlx::query("DELETE FROM passes WHERE expires_at < ?")
            .bind(before.as_millisecond())
            .execute(&self.database.behind)
            .await
            .map_err(store_error)?;
        Ok(usize::try_from(forgotten.rows_affected()).unwrap_or(usize::MAX))
    }
}
