//! Registered interviews: written through, counted in memory.

pub(crate) mod row;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::SessionId,
    interview::{
        Interview, InterviewFilter, InterviewStanding, Interviews, Registration, Reserved,
    },
    ports::StoreError,
};
use sqlx::{QueryBuilder, Sqlite};

use crate::database::{Database, store_error};
use row::{COLUMNS, standing};

/// Most interviews one list gives.
const MAX_PAGE: usize = 500;

/// Interviews below which no sweep is worth its time.
const SWEEP_FLOOR: usize = 1024;

/// The interviews of one installation.
///
/// Those that are not over are in memory, where a grant is counted without
/// waiting for a disk; all are in the file.
pub struct SqliteInterviews {
    database: Database,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    by_id: HashMap<SessionId, InterviewStanding>,
    sweep_at: usize,
}

impl SqliteInterviews {
    /// Reads the interviews that are not over at `now`, and how many grants
    /// they got. The registry must have been restored before.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn load(database: Database, now: Timestamp) -> Result<Self, StoreError> {
        let mut query = select();
        query
            .push(" WHERE ended_at IS NULL AND expires_at > ")
            .push_bind(now.as_millisecond());
        let rows = query.build().fetch_all(&database.pool).await;
        let by_id: Result<HashMap<_, _>, StoreError> = rows
            .map_err(store_error)?
            .iter()
            .map(|row| standing(row).map(|found| (found.interview.session_id.clone(), found)))
            .collect();
        let live = Live {
            by_id: by_id?,
            sweep_at: 0,
        };
        Ok(Self {
            database,
            live: Mutex::new(live),
        })
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, id: &SessionId) -> Result<Option<InterviewStanding>, StoreError> {
        let mut query = select();
        query.push(" WHERE session_id = ").push_bind(id.as_str());
        let row = query.build().fetch_optional(&self.database.pool).await;
        row.map_err(store_error)?.as_ref().map(standing).transpose()
    }
}

#[async_trait]
impl Interviews for SqliteInterviews {
    async fn register(&self, interview: &Interview) -> Result<Registration, StoreError> {
        let inserted = sqlx::query(
            "INSERT OR IGNORE INTO interviews (session_id, subject, profile, expires_at, max_grants, \
             registered_by, registered_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(interview.session_id.as_str())
        .bind(interview.subject.as_str())
        .bind(interview.profile.as_ref().map(|name| name.as_str()))
        .bind(interview.expires_at.as_millisecond())
        .bind(interview.max_grants)
        .bind(interview.registered_by.as_str())
        .bind(interview.registered_at.as_millisecond())
        .execute(&self.database.pool)
        .await
        .map_err(store_error)?;
        if inserted.rows_affected() == 1 {
            self.live().insert(interview.clone());
            return Ok(Registration::New);
        }
        let known = self.find(&interview.session_id).await?;
        let same = known.filter(|known| known.interview.is_same_as(interview));
        Ok(same.map_or(Registration::Taken, Registration::Known))
    }

    async fn find(&self, id: &SessionId) -> Result<Option<InterviewStanding>, StoreError> {
        let live = self.live().by_id.get(id).cloned();
        match live {
            Some(found) => Ok(Some(found)),
            None => self.read(id).await,
        }
    }

    async fn list(&self, filter: &InterviewFilter) -> Result<Vec<InterviewStanding>, StoreError> {
        let rows = page(filter).build().fetch_all(&self.database.pool).await;
        let stored: Result<Vec<_>, _> = rows.map_err(store_error)?.iter().map(standing).collect();
        let live = self.live();
        // Memory knows the grants that are not in the file yet.
        let newest = |stored: InterviewStanding| {
            let known = live.by_id.get(&stored.interview.session_id);
            known.cloned().unwrap_or(stored)
        };
        Ok(stored?.into_iter().map(newest).collect())
    }

    async fn end(
        &self,
        id: &SessionId,
        at: Timestamp,
    ) -> Result<Option<InterviewStanding>, StoreError> {
        sqlx::query("UPDATE interviews SET ended_at = ? WHERE session_id = ? AND ended_at IS NULL")
            .bind(at.as_millisecond())
            .bind(id.as_str())
            .execute(&self.database.pool)
            .await
            .map_err(store_error)?;
        let known = self.live().by_id.remove(id);
        let Some(stored) = self.read(id).await? else {
            return Ok(None);
        };
        let issued = known.map_or(stored.issued, |known| known.issued.max(stored.issued));
        Ok(Some(InterviewStanding { issued, ..stored }))
    }

    async fn reserve(&self, id: &SessionId, now: Timestamp) -> Result<Reserved, StoreError> {
        let mut live = self.live();
        let Some(found) = live.by_id.get_mut(id) else {
            return Ok(Reserved::Over);
        };
        if found.interview.is_over(now) {
            return Ok(Reserved::Over);
        }
        if found
            .interview
            .max_grants
            .is_some_and(|most| found.issued >= most)
        {
            return Ok(Reserved::Exhausted);
        }
        found.issued = found.issued.saturating_add(1);
        Ok(Reserved::Taken)
    }

    async fn is_open(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let live = self.live();
        let found = live.by_id.get(id);
        Ok(found.is_some_and(|found| !found.interview.is_over(now)))
    }

    fn release(&self, id: &SessionId) {
        if let Some(found) = self.live().by_id.get_mut(id) {
            found.issued = found.issued.saturating_sub(1);
        }
    }
}

impl Live {
    fn insert(&mut self, interview: Interview) {
        self.sweep(interview.registered_at);
        let standing = InterviewStanding {
            interview,
            issued: 0,
        };
        self.by_id
            .insert(standing.interview.session_id.clone(), standing);
    }

    /// Drops interviews that are over, each time the table has doubled.
    fn sweep(&mut self, now: Timestamp) {
        if self.by_id.len() < self.sweep_at.max(SWEEP_FLOOR) {
            return;
        }
        self.by_id.retain(|_, found| !found.interview.is_over(now));
        self.sweep_at = self.by_id.len() * 2;
    }
}

fn select() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!("SELECT {COLUMNS} FROM interviews"))
}

fn page(filter: &InterviewFilter) -> QueryBuilder<Sqlite> {
    let mut query = select();
    query.push(" WHERE 1");
    if let Some(subject) = &filter.subject {
        query
            .push(" AND subject = ")
            .push_bind(subject.as_str().to_owned());
    }
    if let Some((time, id)) = &filter.before {
        query
            .push(" AND (registered_at, session_id) < (")
            .push_bind(time.as_millisecond());
        query.push(", ").push_bind(id.as_str().to_owned()).push(")");
    }
    let limit = filter.limit.clamp(1, MAX_PAGE);
    query.push(" ORDER BY registered_at DESC, session_id DESC LIMIT ");
    query.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    query
}
