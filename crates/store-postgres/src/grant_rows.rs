//! Grants to rows and back.

use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantState, RefreshOf},
    ports::StoreError,
};
use sqlx::postgres::PgRow;

use crate::{
    rows::{damaged, get, id, optional_id, optional_time, parsed, time},
    statement::{Statement, storable},
};

/// The columns of a grant, in the order [`insert`] binds them.
pub(crate) const COLUMNS: &str = "id, lineage, state, subject, credential, profile, session_id, \
     mode, created_at, expires_at, refresh_after, due_at, superseded_by, refresh_of, \
     lineage_started_at, secret_last4, secret_hash, address, user_agent, request_id, \
     upstream_request_id";

/// Inserts grants, one array a column, so that the statement is the same for
/// any number of them; one that is there goes on along its life, never back.
pub(crate) fn insert(grants: &[Grant]) -> Statement {
    let text = format!(
        "INSERT INTO grants ({COLUMNS}) SELECT * FROM unnest($1::text[], $2::text[], \
         $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
         $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], \
         $15::bigint[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], \
         $21::text[]) \
         ON CONFLICT (id) DO UPDATE SET \
         due_at = CASE WHEN excluded.state > grants.state THEN excluded.due_at ELSE grants.due_at END, \
         state = GREATEST(grants.state, excluded.state), \
         superseded_by = COALESCE(grants.superseded_by, excluded.superseded_by)"
    );
    let refresh = |grant: &Grant| grant.refresh_of.clone();
    Statement::new(text)
        .bind(column(grants, |it| it.id.to_string()))
        .bind(column(grants, |it| it.lineage.to_string()))
        .bind(column(grants, |it| i16::from(it.state.rank())))
        .bind(column(grants, |it| it.subject.to_string()))
        .bind(column(grants, |it| it.credential.to_string()))
        .bind(column(grants, |it| it.profile.to_string()))
        .bind(column(grants, |it| {
            it.session_id.as_ref().map(ToString::to_string)
        }))
        .bind(column(grants, |it| it.mode.to_string()))
        .bind(column(grants, |it| it.created_at.as_millisecond()))
        .bind(column(grants, |it| it.expires_at.as_millisecond()))
        .bind(column(grants, |it| it.refresh_after.as_millisecond()))
        .bind(column(grants, |it| {
            it.due_at().map(Timestamp::as_millisecond)
        }))
        .bind(column(grants, |it| {
            it.superseded_by.as_ref().map(ToString::to_string)
        }))
        .bind(column(grants, |it| {
            refresh(it).map(|of| of.grant.to_string())
        }))
        .bind(column(grants, |it| {
            refresh(it).map(|of| of.lineage_started_at.as_millisecond())
        }))
        .bind(column(grants, |it| storable(&it.secret_last4)))
        .bind(column(grants, |it| it.secret_hash.clone()))
        .bind(column(grants, |it| {
            it.address.map(|address| address.to_string())
        }))
        .bind(column(grants, |it| it.user_agent.as_deref().map(storable)))
        .bind(column(grants, |it| it.request_id.to_string()))
        .bind(column(grants, |it| {
            it.upstream_request_id.as_deref().map(storable)
        }))
}

fn column<T>(grants: &[Grant], value: impl Fn(&Grant) -> T) -> Vec<T> {
    grants.iter().map(value).collect()
}

/// A row as a grant.
pub(crate) fn grant(row: &PgRow) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: id(row, "id")?,
        lineage: id(row, "lineage")?,
        state: state(get(row, "state")?)?,
        subject: id(row, "subject")?,
        credential: id(row, "credential")?,
        profile: id(row, "profile")?,
        session_id: optional_id(row, "session_id")?,
        mode: parsed(row, "mode")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        refresh_after: time(row, "refresh_after")?,
        secret_last4: get(row, "secret_last4")?,
        secret_hash: get(row, "secret_hash")?,
        address: address(get(row, "address")?)?,
        user_agent: get(row, "user_agent")?,
        request_id: id(row, "request_id")?,
        upstream_request_id: get(row, "upstream_request_id")?,
        refresh_of: refresh_of(row)?,
        superseded_by: optional_id(row, "superseded_by")?,
    })
}

fn address(text: Option<String>) -> Result<Option<std::net::IpAddr>, StoreError> {
    let parsed = text.map(|text| text.parse());
    parsed
        .transpose()
        .map_err(|error| damaged("address", error))
}

fn refresh_of(row: &PgRow) -> Result<Option<RefreshOf>, StoreError> {
    let (grant, started) = (
        optional_id(row, "refresh_of")?,
        optional_time(row, "lineage_started_at")?,
    );
    Ok(grant
        .zip(started)
        .map(|(grant, lineage_started_at)| RefreshOf {
            grant,
            lineage_started_at,
        }))
}

/// The states by their rank.
pub(crate) const STATES: [GrantState; 5] = [
    GrantState::Active,
    GrantState::Connected,
    GrantState::Expired,
    GrantState::Ended,
    GrantState::Revoked,
];

fn state(rank: i16) -> Result<GrantState, StoreError> {
    let found = STATES
        .into_iter()
        .find(|state| i16::from(state.rank()) == rank);
    found.ok_or_else(|| damaged("state", rank))
}
