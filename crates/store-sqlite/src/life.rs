//! What happens to grants after they were made.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantState},
    ids::GrantId,
    ports::{StoreError, Withdrawn},
    revocation::Scope,
};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::{
    database::store_error,
    grant_rows::{id_bytes, lineage_bytes},
    grants::SqliteGrants,
    runs,
};

/// No secret of OpenAI's lives longer, in milliseconds: two hours, and an hour
/// for clocks that differ.
pub(crate) const LONGEST_SECRET: i64 = 3 * 3600 * 1000;

/// No grant lives longer, its live session included, in milliseconds.
const LONGEST_LIFE: i64 = 24 * 3600 * 1000;

impl SqliteGrants {
    /// Changes one grant; the grant afterwards, and what `change` said.
    pub(crate) async fn change(
        &self,
        id: &GrantId,
        change: impl FnOnce(&mut Grant) -> bool + Send,
    ) -> Result<Option<(Arc<Grant>, bool)>, StoreError> {
        let _turn = self.turn.lock().await;
        let pending = self.pending().find(id).cloned();
        let known = match pending {
            Some(grant) => Some(grant),
            None => self.stored(id).await?.map(Arc::new),
        };
        let Some(mut grant) = known else {
            return Ok(None);
        };
        let changed = change(Arc::make_mut(&mut grant));
        if changed {
            self.put(grant.clone());
        }
        Ok(Some((grant, changed)))
    }

    /// Revokes what a scope reaches, in the file when this returns.
    pub(crate) async fn withdraw_all(
        &self,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Withdrawn, StoreError> {
        let _turn = self.turn.lock().await;
        let mut settled = self.settle(&self.database.pool).await?;
        let at = now.as_millisecond();
        let live = still_live(scope, at)
            .build()
            .fetch_one(&mut *settled.transaction)
            .await;
        let live = live.map_err(store_error)?;
        let updated = revoke(scope, at)
            .build()
            .execute(&mut *settled.transaction)
            .await;
        updated.map_err(store_error)?;
        let left = unexpired(scope, at)
            .build()
            .fetch_one(&mut *settled.transaction)
            .await;
        let left = left.map_err(store_error)?;
        settled.commit().await?;
        let until: Option<i64> = left.try_get("until").map_err(store_error)?;
        Ok(Withdrawn {
            revoked: count(&live, "revoked")?,
            ended: count(&live, "ended")?,
            unexpired: count(&left, "unexpired")?,
            unexpired_until: until.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
        })
    }

    /// Moves on what is due; how many grants that were.
    pub(crate) async fn expire_due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        if !self.take_due(now) {
            return Ok(0);
        }
        let moved = self.expire_now(now, limit).await;
        if moved.is_err() {
            self.due_no_later(i64::MIN);
        }
        moved
    }

    async fn expire_now(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let _turn = self.turn.lock().await;
        let mut settled = self.settle(&self.database.behind).await?;
        let moved = sqlx::query(EXPIRE)
            .bind(now.as_millisecond())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .execute(&mut *settled.transaction)
            .await
            .map_err(store_error)?;
        let next = sqlx::query(NEXT_DUE)
            .fetch_one(&mut *settled.transaction)
            .await
            .map_err(store_error)?;
        settled.commit().await?;
        let next: Option<i64> = next.try_get("next").map_err(store_error)?;
        self.due_no_later(next.unwrap_or(i64::MAX));
        Ok(usize::try_from(moved.rows_affected()).unwrap_or(usize::MAX))
    }

    /// Removes what ended and was made before a time; how many that were.
    pub(crate) async fn forget(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let _writer = self.writer.lock().await;
        let removed = sqlx::query(FORGET)
            .bind(before.as_millisecond())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .execute(&self.database.behind)
            .await
            .map_err(store_error)?;
        if removed.rows_affected() > 0 {
            runs::forget(&self.database.behind).await?;
        }
        Ok(usize::try_from(removed.rows_affected()).unwrap_or(usize::MAX))
    }
}

/// Active becomes expired, connected ended.
pub(crate) const EXPIRE: &str = "UPDATE grants SET state = CASE state WHEN 0 THEN 2 ELSE 3 END, due_at = NULL \
     WHERE rowid IN (SELECT rowid FROM grants WHERE due_at <= ? ORDER BY due_at LIMIT ?)";

pub(crate) const NEXT_DUE: &str = "SELECT MIN(due_at) AS next FROM grants WHERE due_at IS NOT NULL";

pub(crate) const FORGET: &str = "DELETE FROM grants WHERE rowid IN \
     (SELECT rowid FROM grants WHERE created_at < ? AND due_at IS NULL ORDER BY created_at LIMIT ?)";

/// Grants whose life is not over, and those of them nobody can go on with.
pub(crate) fn still_live(scope: &Scope, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT COUNT(*) AS revoked, COALESCE(SUM(mode <> 'direct'), 0) AS ended FROM grants WHERE ",
    );
    query.push(by(scope, "due_at")).push(" > ").push_bind(at);
    push_scope(&mut query, scope, at);
    query
}

/// Ends their life.
pub(crate) fn revoke(scope: &Scope, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("UPDATE grants SET due_at = NULL, state = ");
    query.push_bind(i64::from(GrantState::Revoked.rank()));
    query.push(" WHERE ").push(by(scope, "due_at"));
    query.push(" > ").push_bind(at);
    push_scope(&mut query, scope, at);
    query
}

/// Secrets of OpenAI's that still open sessions, whatever became of the grant.
pub(crate) fn unexpired(scope: &Scope, at: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT COUNT(*) AS unexpired, MAX(expires_at) AS until FROM grants \
         WHERE mode = 'direct' AND ",
    );
    query.push(by(scope, "created_at")).push(" > ");
    query.push_bind(at - LONGEST_SECRET);
    query.push(" AND expires_at > ").push_bind(at);
    push_scope(&mut query, scope, at);
    query
}

/// A column's name; for a subject one that no index is looked up by: the rows
/// its own index finds are far fewer, which SQLite can't know.
fn by(scope: &Scope, column: &str) -> String {
    let own_index = matches!(scope, Scope::Subject(_));
    format!("{}{column}", if own_index { "+" } else { "" })
}

fn push_scope(query: &mut QueryBuilder<Sqlite>, scope: &Scope, at: i64) {
    match scope {
        Scope::All => {}
        Scope::Before(time) => {
            query
                .push(" AND created_at < ")
                .push_bind(time.as_millisecond());
        }
        Scope::Grant(id) => drop(query.push(" AND id = ").push_bind(id_bytes(id))),
        Scope::Lineage(id) => {
            let bytes = lineage_bytes(id);
            query.push(" AND (lineage = ").push_bind(bytes.clone());
            query
                .push(" OR (lineage IS NULL AND id = ")
                .push_bind(bytes)
                .push("))");
        }
        Scope::Key(id) => push_text(query, "credential", id.as_str()),
        Scope::Profile(name) => push_text(query, "profile", name.as_str()),
        Scope::Session(id) => push_text(query, "session_id", id.as_str()),
        Scope::Subject(subject) => {
            // Each run that may hold a grant of theirs that still lives.
            query.push(
                " AND n IN (SELECT g.n FROM grant_runs CROSS JOIN grants AS g \
                 ON (g.n >> 14) = +grant_runs.run WHERE latest > ",
            );
            query.push_bind(at.saturating_sub(LONGEST_LIFE));
            query.push(" AND g.subject = ");
            query.push_bind(subject.as_str().to_owned()).push(")");
        }
    }
}

fn push_text(query: &mut QueryBuilder<Sqlite>, column: &str, text: &str) {
    query
        .push(" AND ")
        .push(column)
        .push(" = ")
        .push_bind(text.to_owned());
}

fn count(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<u64, StoreError> {
    let count: i64 = row.try_get(column).map_err(store_error)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
