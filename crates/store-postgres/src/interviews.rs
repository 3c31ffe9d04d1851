//! Registered interviews: whichever replica counts a grant, it is counted once.

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::SessionId,
    interview::{
        Interview, InterviewFilter, InterviewStanding, Interviews, Registration, Reserved,
    },
    ports::StoreError,
};
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    rows::{damaged, get, id, limit, optional_id, optional_time, time},
    statement::Statement,
};

/// Most interviews one list gives.
const MAX_PAGE: usize = 500;

/// The interviews of one installation.
///
/// How many grants each got is a number in its row, raised where there is room
/// by one statement, so that no number of replicas goes beyond it. A process
/// that dies between counting and issuing leaves the count one too high: an
/// interview never gets more than it may, and may get one less.
pub struct PgInterviews {
    database: Database,
}

impl PgInterviews {
    /// The interviews in a database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Interviews for PgInterviews {
    async fn register(&self, interview: &Interview) -> Result<Registration, StoreError> {
        let register = Statement::new(
            "INSERT INTO interviews (session_id, subject, profile, expires_at, max_grants, \
             registered_by, registered_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (session_id) DO NOTHING",
        )
        .bind(interview.session_id.as_str())
        .bind(interview.subject.as_str())
        .bind(interview.profile.as_ref().map(|name| name.as_str()))
        .bind(interview.expires_at.as_millisecond())
        .bind(interview.max_grants.map(i64::from))
        .bind(interview.registered_by.as_str())
        .bind(interview.registered_at.as_millisecond());
        if self.database.execute(register).await? == 1 {
            return Ok(Registration::New);
        }
        let known = self.find(&interview.session_id).await?;
        let same = known.filter(|known| known.interview.is_same_as(interview));
        Ok(same.map_or(Registration::Taken, Registration::Known))
    }

    async fn find(&self, id: &SessionId) -> Result<Option<InterviewStanding>, StoreError> {
        let asked = Statement::new("SELECT * FROM interviews WHERE session_id = $1");
        let row = self.database.row(asked.bind(id.as_str())).await?;
        row.as_ref().map(standing).transpose()
    }

    async fn list(&self, filter: &InterviewFilter) -> Result<Vec<InterviewStanding>, StoreError> {
        let rows = self.database.rows(page(filter)).await?;
        rows.iter().map(standing).collect()
    }

    async fn end(
        &self,
        id: &SessionId,
        at: Timestamp,
    ) -> Result<Option<InterviewStanding>, StoreError> {
        let end = Statement::new(
            "UPDATE interviews SET ended_at = COALESCE(ended_at, $2) \
             WHERE session_id = $1 RETURNING *",
        );
        let end = end.bind(id.as_str()).bind(at.as_millisecond());
        let row = self.database.row(end).await?;
        row.as_ref().map(standing).transpose()
    }

    async fn reserve(&self, id: &SessionId, now: Timestamp) -> Result<Reserved, StoreError> {
        let reserve = Statement::new(
            "UPDATE interviews SET issued = issued + 1 WHERE session_id = $1 \
             AND ended_at IS NULL AND expires_at > $2 \
             AND (max_grants IS NULL OR issued < max_grants)",
        )
        .once();
        let reserve = reserve.bind(id.as_str()).bind(now.as_millisecond());
        if self.database.execute(reserve).await? == 1 {
            return Ok(Reserved::Taken);
        }
        let open = self.is_open(id, now).await?;
        Ok(if open {
            Reserved::Exhausted
        } else {
            Reserved::Over
        })
    }

    async fn is_open(&self, id: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.find(id).await?;
        Ok(found.is_some_and(|found| !found.interview.is_over(now)))
    }

    fn release(&self, id: &SessionId) {
        let release = Statement::new(
            "UPDATE interviews SET issued = issued - 1 WHERE session_id = $1 AND issued > 0",
        );
        let (database, release) = (self.database.clone(), release.once().bind(id.as_str()));
        let id = id.clone();
        // Whoever lets go does not wait. Outside a runtime the process ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = database.execute(release).await {
                tracing::warn!(session_id = %id, %error, "a grant that was not issued stays counted");
            }
        });
    }
}

fn page(filter: &InterviewFilter) -> Statement {
    let mut asked = Statement::new("SELECT * FROM interviews WHERE true");
    if let Some(subject) = &filter.subject {
        asked.push(" AND subject = ").push_bind(subject.as_str());
    }
    if let Some((time, id)) = &filter.before {
        let millis = time.as_millisecond();
        asked
            .push(" AND (registered_at, session_id) < (")
            .push_bind(millis);
        asked.push(", ").push_bind(id.as_str()).push(")");
    }
    asked.push(" ORDER BY registered_at DESC, session_id DESC LIMIT ");
    asked.push_bind(limit(filter.limit.clamp(1, MAX_PAGE)));
    asked
}

pub(crate) fn standing(row: &PgRow) -> Result<InterviewStanding, StoreError> {
    let issued: i64 = get(row, "issued")?;
    let most: Option<i64> = get(row, "max_grants")?;
    let max_grants = most.map(u32::try_from).transpose();
    Ok(InterviewStanding {
        interview: Interview {
            session_id: id(row, "session_id")?,
            subject: id(row, "subject")?,
            profile: optional_id(row, "profile")?,
            expires_at: time(row, "expires_at")?,
            max_grants: max_grants.map_err(|error| damaged("max_grants", error))?,
            registered_by: id(row, "registered_by")?,
            registered_at: time(row, "registered_at")?,
            ended_at: optional_time(row, "ended_at")?,
        },
        issued: u32::try_from(issued).unwrap_or(u32::MAX),
    })
}
