//! Rows to values and back.

use hallpass_core::{
    Timestamp,
    grant::Grant,
    hash::KeyedHash,
    ids::InvalidId,
    ports::{StoreError, StoredKey},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, sqlite::SqliteRow};

/// The columns of a grant, in the order [`crate::flush`] binds them.
pub(crate) const GRANT_COLUMNS: &str = "id, lineage, state, subject, credential, profile, session_id, mode, \
     created_at, expires_at, refresh_after, secret_last4, secret_hash, address, user_agent, request_id, \
     upstream_request_id";

/// A stored value that can't be read back.
fn damaged(column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError(format!(
        "SQLite: the column {column} holds what Hallpass never wrote: {why}"
    ))
}

pub(crate) fn millis(column: &str, value: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(value).map_err(|error| damaged(column, error))
}

fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|error| damaged(column, error))
}

fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    millis(column, get(row, column)?)
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    get::<Option<i64>>(row, column)?
        .map(|value| millis(column, value))
        .transpose()
}

fn id<T: TryFrom<String, Error = InvalidId>>(
    row: &SqliteRow,
    column: &str,
) -> Result<T, StoreError> {
    T::try_from(get(row, column)?).map_err(|error| damaged(column, error))
}

fn optional_id<T: TryFrom<String, Error = InvalidId>>(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    get::<Option<String>>(row, column)?
        .map(|text| T::try_from(text).map_err(|error| damaged(column, error)))
        .transpose()
}

fn parsed<T: std::str::FromStr>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: String = get(row, column)?;
    text.parse()
        .map_err(|_| damaged(column, format_args!("{text:?}")))
}

pub(crate) fn list_text<T: Serialize>(list: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|error| StoreError(error.to_string()))
}

fn list<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(&get::<String>(row, column)?).map_err(|error| damaged(column, error))
}

pub(crate) fn grant(row: &SqliteRow) -> Result<Grant, StoreError> {
    let address: Option<String> = get(row, "address")?;
    Ok(Grant {
        id: id(row, "id")?,
        lineage: id(row, "lineage")?,
        state: parsed(row, "state")?,
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
        address: address.and_then(|text| text.parse().ok()),
        user_agent: get(row, "user_agent")?,
        request_id: id(row, "request_id")?,
        upstream_request_id: get(row, "upstream_request_id")?,
    })
}

pub(crate) fn key(row: &SqliteRow) -> Result<StoredKey, StoreError> {
    let hash: Vec<u8> = get(row, "hash")?;
    let hash: [u8; 32] = hash
        .try_into()
        .map_err(|_| damaged("hash", "not 32 bytes"))?;
    Ok(StoredKey {
        id: id(row, "id")?,
        kind: parsed(row, "kind")?,
        name: id(row, "name")?,
        hash: KeyedHash::from_bytes(hash),
        roles: list(row, "roles")?,
        networks: list(row, "networks")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        replaced_by: optional_id(row, "replaced_by")?,
    })
}
