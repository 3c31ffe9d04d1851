//! Calls that are not known to be over: written through, few at a time.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hallpass_core::{
    call::{CallPlace, CallTerms, StandingCall, StandingCalls},
    ports::StoreError,
};
use sqlx::sqlite::SqliteRow;

use crate::{
    database::{Database, store_error},
    rows::{get, id, time},
};

/// The calls of one installation.
///
/// What is kept survives a power cut: without a call's id nobody could end it.
pub struct SqliteCalls {
    database: Database,
    /// Whether the calls of earlier processes were given away.
    adopted: AtomicBool,
}

impl SqliteCalls {
    /// The calls in a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self {
            database,
            adopted: AtomicBool::new(false),
        }
    }
}

#[async_trait]
impl StandingCalls for SqliteCalls {
    async fn keep(&self, call: &StandingCall) -> Result<(), StoreError> {
        let terms = call.terms.as_ref().map(serde_json::to_string).transpose();
        let terms = terms.map_err(|error| StoreError(error.to_string()))?;
        let kept = sqlx::query(
            "INSERT OR REPLACE INTO calls (call_id, session, grant_id, upstream, key_mark, ends_at, terms) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&call.place.call_id)
        .bind(call.session.as_str())
        .bind(call.grant.as_str())
        .bind(&*call.place.upstream)
        .bind(&*call.place.key)
        .bind(call.ends_at.as_millisecond())
        .bind(terms)
        .execute(&self.database.pool)
        .await;
        kept.map(drop).map_err(store_error)
    }

    async fn forget(&self, call_id: &str) -> Result<(), StoreError> {
        let forgotten = sqlx::query("DELETE FROM calls WHERE call_id = ?")
            .bind(call_id)
            .execute(&self.database.pool)
            .await;
        forgotten.map(drop).map_err(store_error)
    }

    async fn all(&self) -> Result<Vec<StandingCall>, StoreError> {
        let rows = sqlx::query("SELECT * FROM calls ORDER BY ends_at, call_id")
            .fetch_all(&self.database.pool)
            .await;
        rows.map_err(store_error)?.iter().map(call).collect()
    }

    async fn adopt(&self) -> Result<Vec<StandingCall>, StoreError> {
        // Only this process writes the file, so what it finds first is an
        // earlier one's, and what it finds later its own.
        if self.adopted.swap(true, Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let all = self.all().await;
        if all.is_err() {
            self.adopted.store(false, Ordering::SeqCst);
        }
        all
    }

    async fn lost(&self) -> Result<Vec<String>, StoreError> {
        // Nobody else has the file.
        Ok(Vec::new())
    }
}

pub(crate) fn call(row: &SqliteRow) -> Result<StandingCall, StoreError> {
    let upstream: String = get(row, "upstream")?;
    let key: String = get(row, "key_mark")?;
    Ok(StandingCall {
        session: id(row, "session")?,
        grant: id(row, "grant_id")?,
        place: CallPlace {
            call_id: get(row, "call_id")?,
            upstream: upstream.into(),
            key: key.into(),
        },
        ends_at: time(row, "ends_at")?,
        terms: terms(row)?,
    })
}

fn terms(row: &SqliteRow) -> Result<Option<CallTerms>, StoreError> {
    let text: Option<String> = get(row, "terms")?;
    let read = |text: String| serde_json::from_str(&text);
    let terms = text.map(read).transpose();
    terms.map_err(|error| StoreError(format!("the terms of a call can't be read: {error}")))
}
