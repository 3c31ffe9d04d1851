//! Calls that are not known to be over, each in the care of one replica.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    call::{CallPlace, StandingCall, StandingCalls},
    ports::StoreError,
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    replica::{DEAD_AFTER, Replica},
    rows::{get, id, time},
    statement::Statement,
};

/// The calls of one installation.
pub struct PgCalls {
    database: Database,
    replica: Arc<Replica>,
    /// Calls of dead processes that this one was given to end.
    given: Mutex<HashSet<String>>,
}

impl PgCalls {
    /// The calls in a database, as one replica cares for them.
    #[must_use]
    pub fn new(database: Database, replica: Arc<Replica>) -> Self {
        Self {
            database,
            replica,
            given: Mutex::default(),
        }
    }

    fn given(&self) -> MutexGuard<'_, HashSet<String>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StandingCalls for PgCalls {
    async fn keep(&self, call: &StandingCall) -> Result<(), StoreError> {
        let keep = Statement::new(
            "INSERT INTO calls (call_id, session, grant_id, upstream, key_mark, ends_at, incarnation) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (call_id) DO UPDATE SET incarnation = excluded.incarnation",
        )
        .bind(call.place.call_id.as_str())
        .bind(call.session.as_str())
        .bind(call.grant.as_str())
        .bind(&*call.place.upstream)
        .bind(&*call.place.key)
        .bind(call.ends_at.as_millisecond())
        .bind(self.replica.incarnation());
        self.database.execute(keep).await.map(drop)
    }

    async fn forget(&self, call_id: &str) -> Result<(), StoreError> {
        let forget = Statement::new("DELETE FROM calls WHERE call_id = $1").bind(call_id);
        self.database.execute(forget).await?;
        self.given().remove(call_id);
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
        let adopt = Statement::new(
            "UPDATE calls SET incarnation = $1, orphan = true WHERE call_id IN \
             (SELECT call_id FROM calls LEFT JOIN replicas USING (incarnation) \
              WHERE (calls.incarnation = $1 AND calls.orphan) OR \
              (calls.incarnation IS DISTINCT FROM $1 AND (replicas.name IS NULL \
              OR ($2 AND replicas.beat_at < clock_timestamp() - $3 * interval '1 millisecond'))) \
              FOR UPDATE OF calls SKIP LOCKED) RETURNING *",
        )
        .bind(self.replica.incarnation())
        .bind(self.replica.is_steady())
        .bind(f64::from(
            u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(u32::MAX),
        ));
        let rows = self.database.rows(adopt).await?;
        let mut calls: Vec<StandingCall> = rows.iter().map(call).collect::<Result<_, _>>()?;
        let mut given = self.given();
        calls.retain(|call| given.insert(call.place.call_id.clone()));
        Ok(calls)
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
    })
}
