//! Rows to values and back.

use hallpass_core::{
    Timestamp,
    hash::KeyedHash,
    ids::InvalidId,
    ports::{StoreError, StoredKey},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, sqlite::SqliteRow};

/// A stored value that can't be read back.
pub(crate) fn damaged(column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError(format!(
        "SQLite: the column {column} holds what Hallpass never wrote: {why}"
    ))
}

pub(crate) fn millis(column: &str, value: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(value).map_err(|error| damaged(column, error))
}

pub(crate) fn get<'r, T>(row: &'r SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|error| damaged(column, error))
}

pub(crate) fn time(row: &SqliteRow, column: &str) -> Result<Timestamp, StoreError> {
    millis(column, get(row, column)?)
}

pub(crate) fn optional_time(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<Timestamp>, StoreError> {
    get::<Option<i64>>(row, column)?
        .map(|value| millis(column, value))
        .transpose()
}

pub(crate) fn id<T: TryFrom<String, Error = InvalidId>>(
    row: &SqliteRow,
    column: &str,
) -> Result<T, StoreError> {
    T::try_from(get(row, column)?).map_err(|error| damaged(column, error))
}

pub(crate) fn optional_id<T: TryFrom<String, Error = InvalidId>>(
    row: &SqliteRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    get::<Option<String>>(row, column)?
        .map(|text| T::try_from(text).map_err(|error| damaged(column, error)))
        .transpose()
}

pub(crate) fn parsed<T: std::str::FromStr>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
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
