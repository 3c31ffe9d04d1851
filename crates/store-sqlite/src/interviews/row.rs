//! A row of interviews and back.

use hallpass_core::{
    interview::{Interview, InterviewStanding},
    ports::StoreError,
};
use sqlx::sqlite::SqliteRow;

use crate::rows::{get, id, optional_id, optional_time, time};

/// The columns of an interview and the number of its grants in the registry.
pub(crate) const COLUMNS: &str = "session_id, subject, profile, expires_at, max_grants, registered_by, \
     registered_at, ended_at, \
     (SELECT COUNT(*) FROM grants WHERE grants.session_id = interviews.session_id \
      AND grants.created_at >= interviews.registered_at) AS issued";

pub(crate) fn standing(row: &SqliteRow) -> Result<InterviewStanding, StoreError> {
    let issued: i64 = get(row, "issued")?;
    Ok(InterviewStanding {
        interview: Interview {
            session_id: id(row, "session_id")?,
            subject: id(row, "subject")?,
            profile: optional_id(row, "profile")?,
            expires_at: time(row, "expires_at")?,
            max_grants: get(row, "max_grants")?,
            registered_by: id(row, "registered_by")?,
            registered_at: time(row, "registered_at")?,
            ended_at: optional_time(row, "ended_at")?,
        },
        issued: u32::try_from(issued).unwrap_or(u32::MAX),
    })
}
