//! Grants to rows and back.

use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantState, RefreshOf},
    ids::{GrantId, LineageId, RequestId},
    ports::StoreError,
};
use serde::{Deserialize, Serialize};
use sqlx::{
    Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    packed::{bits, pack, unpack},
    rows::{damaged, get, id, millis, optional_id, parsed, time},
};

/// The columns of a grant, in the order [`bind`] binds them.
pub(crate) const COLUMNS: &str = "id, lineage, state, subject, credential, profile, session_id, \
     mode, created_at, expires_at, due_at, superseded_by, detail";
/// How many they are.
pub(crate) const COLUMN_COUNT: usize = 13;

/// Room for most grants' details at once.
const DETAIL_BYTES: usize = 512;

/// What nobody asks by.
#[derive(Serialize, Deserialize)]
struct Detail<'a>(
    /* refresh_after */ i64,
    /* secret_last4 */ std::borrow::Cow<'a, str>,
    /* secret_hash */ std::borrow::Cow<'a, str>,
    /* address */ Option<std::net::IpAddr>,
    /* user_agent */ Option<std::borrow::Cow<'a, str>>,
    /* request_id */ std::borrow::Cow<'a, str>,
    /* upstream_request_id */ Option<std::borrow::Cow<'a, str>>,
    /* refresh_of */ Option<(GrantId, i64)>,
);

impl<'a> Detail<'a> {
    fn of(grant: &'a Grant) -> Self {
        let refresh_of = grant.refresh_of.as_ref();
        Self(
            grant.refresh_after.as_millisecond(),
            grant.secret_last4.as_str().into(),
            grant.secret_hash.as_str().into(),
            grant.address,
            grant.user_agent.as_deref().map(Into::into),
            grant.request_id.as_str().into(),
            grant.upstream_request_id.as_deref().map(Into::into),
            refresh_of.map(|of| (of.grant.clone(), of.lineage_started_at.as_millisecond())),
        )
    }
}

/// A grant's id as it is stored.
pub(crate) fn id_bytes(id: &GrantId) -> Vec<u8> {
    pack("gr_", id.as_str())
}

/// The bits of a grant's id, where it is of Hallpass's own form.
pub(crate) fn id_bits(id: &GrantId) -> Option<[u8; 16]> {
    bits("gr_", id.as_str())
}

/// A lineage's id as it is stored, where it is.
pub(crate) fn lineage_bytes(id: &LineageId) -> Vec<u8> {
    pack("ln_", id.as_str())
}

/// Binds one grant to a statement.
///
/// # Errors
///
/// [`sqlx::Error`] when the detail can't be written as JSON.
pub(crate) fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    grant: &Grant,
) -> Result<Query<'q, Sqlite, SqliteArguments>, sqlx::Error> {
    let (id, lineage) = (id_bytes(&grant.id), lineage_bytes(&grant.lineage));
    let lineage = (lineage != id).then_some(lineage);
    Ok(query
        .bind(id)
        .bind(lineage)
        .bind(i64::from(grant.state.rank()))
        .bind(grant.subject.as_str().to_owned())
        .bind(grant.credential.as_str().to_owned())
        .bind(grant.profile.as_str().to_owned())
        .bind(grant.session_id.as_ref().map(|id| id.as_str().to_owned()))
        .bind(<&'static str>::from(grant.mode))
        .bind(grant.created_at.as_millisecond())
        .bind(grant.expires_at.as_millisecond())
        .bind(grant.due_at().map(Timestamp::as_millisecond))
        .bind(grant.superseded_by.as_ref().map(id_bytes))
        .bind(detail(grant)?))
}

/// A grant's detail as it is stored.
fn detail(grant: &Grant) -> Result<String, sqlx::Error> {
    let mut text = Vec::with_capacity(DETAIL_BYTES);
    serde_json::to_writer(&mut text, &Detail::of(grant))
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    String::from_utf8(text).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A row as a grant.
pub(crate) fn grant(row: &SqliteRow) -> Result<Grant, StoreError> {
    let text: String = get(row, "detail")?;
    let detail: Detail<'_> =
        serde_json::from_str(&text).map_err(|error| damaged("detail", error))?;
    let own: Vec<u8> = get(row, "id")?;
    let lineage: Option<Vec<u8>> = get(row, "lineage")?;
    let superseded: Option<Vec<u8>> = get(row, "superseded_by")?;
    Ok(Grant {
        id: grant_id("id", &own)?,
        lineage: lineage_id(lineage.as_deref().unwrap_or(&own))?,
        state: state(get(row, "state")?)?,
        subject: id(row, "subject")?,
        credential: id(row, "credential")?,
        profile: id(row, "profile")?,
        session_id: optional_id(row, "session_id")?,
        mode: parsed(row, "mode")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        refresh_after: millis("detail", detail.0)?,
        secret_last4: detail.1.into_owned(),
        secret_hash: detail.2.into_owned(),
        address: detail.3,
        user_agent: detail.4.map(Into::into),
        request_id: RequestId::new(detail.5).map_err(|error| damaged("detail", error))?,
        upstream_request_id: detail.6.map(Into::into),
        refresh_of: detail.7.map(refresh_of).transpose()?,
        superseded_by: superseded
            .map(|bytes| grant_id("superseded_by", &bytes))
            .transpose()?,
    })
}

fn refresh_of((grant, started): (GrantId, i64)) -> Result<RefreshOf, StoreError> {
    Ok(RefreshOf {
        grant,
        lineage_started_at: millis("detail", started)?,
    })
}

fn grant_id(column: &str, bytes: &[u8]) -> Result<GrantId, StoreError> {
    let text = unpack("gr_", bytes).ok_or_else(|| damaged(column, "not an id"))?;
    GrantId::new(text).map_err(|error| damaged(column, error))
}

pub(crate) fn lineage_id(bytes: &[u8]) -> Result<LineageId, StoreError> {
    let text = unpack("ln_", bytes).ok_or_else(|| damaged("lineage", "not an id"))?;
    LineageId::new(text).map_err(|error| damaged("lineage", error))
}

fn state(rank: i64) -> Result<GrantState, StoreError> {
    const STATES: [GrantState; 5] = [
        GrantState::Active,
        GrantState::Connected,
        GrantState::Expired,
        GrantState::Ended,
        GrantState::Revoked,
    ];
    let found = STATES
        .into_iter()
        .find(|state| i64::from(state.rank()) == rank);
    found.ok_or_else(|| damaged("state", rank))
}
