//! Calls that are not known to be over, each in the care of one replica.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    call::{CallPlace, CallTerms, StandingCall, StandingCalls},
    ports::StoreError,
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    replica::{DEAD_AFTER, Replica},
    rows::{damaged, get, id, time},
    statement::Statement,
};

/// The calls of one installation.
pub struct PgCalls {
    database: Database,
    replica: Arc<Replica>,
    /// Calls this process made, and those of dead ones it was given.
    held: Mutex<HashSet<String>>,
}

impl PgCalls {
    /// The calls in a database, as one replica cares for them.
    #[must_use]
    pub fn new(database: Database, replica: Arc<Replica>) -> Self {
        Self {
            database,
            replica,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, HashSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StandingCalls for PgCalls {
    async fn keep(&self, call: &StandingCall) -> Result<(), StoreError> {
        let terms = call.terms.as_ref().map(serde_json::to_string).transpose();
        let terms = terms.map_err(|error| StoreError(error.to_string()))?;
        let keep = Statement::new(
            "INSERT INTO calls (call_id, session, grant_id, upstream, key_mark, ends_at, incarnation, terms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (call_id) DO UPDATE SET incarnation = excluded.incarnation",
        )
        .bind(call.place.call_id.as_str())
        .bind(call.session.as_str())
        .bind(call.grant.as_str())
        .bind(&*call.place.upstream)
        .bind(&*call.place.key)
        .bind(call.ends_at.as_millisecond())
        .bind(self.replica.incarnation())
        .bind(terms);
        self.database.execute(keep).await?;
        self.held().insert(call.place.call_id.clone());
        Ok(())
    }

    async fn forget(&self, call_id: &str) -> Result<(), StoreError> {
        let forget = Statement::new(
            "WITH old AS (DELETE FROM call_takers \
               WHERE taken_at < clock_timestamp() - interval '1 day') \
             DELETE FROM calls WHERE call_id = $1 AND (incarnation = $2 OR incarnation IS NULL)",
        );
        let forget = forget.bind(call_id).bind(self.replica.incarnation());
        self.database.execute(forget).await?;
        self.held().remove(call_id);
        Ok(())
    }

    async fn all(&self) -> Result<Vec<StandingCall>, StoreError> {
        let asked = Statement::new("SELECT * FROM calls ORDER BY ends_at, call_id");
        let rows = self.database.rows(asked).await?;
        rows.iter().map(call).collect()
    }

    async fn adopt(&self) -> Result<Vec<StandingCall>, StoreError> {
        // A process whose name another one has taken is surely dead; one that
        // is silent is taken for dead only by who is steady himself. What this
        // one took over before is found once more: the answer may have been
        // lost on its way.
        // With the same statement the former one's usage of it counts no more.
        let adopt = Statement::new(
            "WITH taken AS (UPDATE calls SET incarnation = $1, orphan = true WHERE call_id IN \
              (SELECT call_id FROM calls LEFT JOIN replicas USING (incarnation) \
               WHERE (calls.incarnation = $1 AND calls.orphan) OR \
               (calls.incarnation IS DISTINCT FROM $1 AND (replicas.name IS NULL \
               OR ($2 AND replicas.beat_at < clock_timestamp() - $3 * interval '1 millisecond'))) \
               FOR UPDATE OF calls SKIP LOCKED) RETURNING *), \
             takers AS (INSERT INTO call_takers (session, incarnation) \
               SELECT DISTINCT session, $1 FROM taken \
               ON CONFLICT (session) DO UPDATE SET incarnation = excluded.incarnation, \
               taken_at = clock_timestamp()) \
             SELECT * FROM taken",
        )
        .bind(self.replica.incarnation())
        .bind(self.replica.is_steady())
        .bind(f64::from(
            u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(u32::MAX),
        ));
        let rows = self.database.rows(adopt).await?;
        let mut calls: Vec<StandingCall> = rows.iter().map(call).collect::<Result<_, _>>()?;
        let mut held = self.held();
        calls.retain(|call| held.insert(call.place.call_id.clone()));
        Ok(calls)
    }

    async fn lost(&self) -> Result<Vec<String>, StoreError> {
        let before = self.held().clone();
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let asked = Statement::new("SELECT call_id FROM calls WHERE incarnation = $1");
        let rows = self
            .database
            .rows(asked.bind(self.replica.incarnation()))
            .await?;
        let ours = rows.iter().map(|row| get(row, "call_id"));
        let ours: HashSet<String> = ours.collect::<Result<_, _>>()?;
        // One that was forgotten while the database was asked is none.
        let mut held = self.held();
        let lost = before.into_iter().filter(|call| !ours.contains(call));
        Ok(lost.filter(|call| held.remove(call)).collect())
    }
}

pub(crate) fn call(row: &PgRow) -> Result<StandingCall, StoreError> {
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

fn terms(row: &PgRow) -> Result<Option<CallTerms>, StoreError> {
    let text: Option<String> = get(row, "terms")?;
    let read = |text: String| serde_json::from_str(&text);
    let terms = text.map(read).transpose();
    terms.map_err(|error| damaged("terms", error))
}
