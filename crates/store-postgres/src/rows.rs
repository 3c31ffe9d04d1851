//! Rows to values and back.

use hallpass_core::{Timestamp, ids::InvalidId, ports::StoreError};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Decode, Postgres, Row, Type, postgres::PgRow};

/// A stored value that can't be read back.
pub(crate) fn damaged(column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError(format!(
        "PostgreSQL: the column {column} holds what Hallpass never wrote: {why}"
    ))
}

pub(crate) fn millis(column: &str, value: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(value).map_err(|error| damaged(column, error))
}

pub(crate) fn get<'r, T>(row: &'r PgRow, column: &str) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(|error| damaged(column, error))
}

/// A number that is never below zero.
pub(crate) fn number(row: &PgRow, column: &str) -> Result<u64, StoreError> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| damaged(column, number))
}

pub(crate) fn time(row: &PgRow, column: &str) -> Result<Timestamp, StoreError> {
    millis(column, get(row, column)?)
}

pub(crate) fn optional_time(row: &PgRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    get::<Option<i64>>(row, column)?
        .map(|value| millis(column, value))
        .transpose()
}

pub(crate) fn id<T: TryFrom<String, Error = InvalidId>>(
    row: &PgRow,
    column: &str,
) -> Result<T, StoreError> {
    T::try_from(get(row, column)?).map_err(|error| damaged(column, error))
}

pub(crate) fn optional_id<T: TryFrom<String, Error = InvalidId>>(
    row: &PgRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    get::<Option<String>>(row, column)?
        .map(|text| T::try_from(text).map_err(|error| damaged(column, error)))
        .transpose()
}

pub(crate) fn parsed<T: std::str::FromStr>(row: &PgRow, column: &str) -> Result<T, StoreError> {
    let text: String = get(row, column)?;
    text.parse()
        .map_err(|_| damaged(column, format_args!("{text:?}")))
}

pub(crate) fn list_text<T: Serialize>(list: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|error| StoreError(error.to_string()))
}

pub(crate) fn list<T: DeserializeOwned>(row: &PgRow, column: &str) -> Result<Vec<T>, StoreError> {
    serde_json::from_str(&get::<String>(row, column)?).map_err(|error| damaged(column, error))
}

/// A keyed hash's 32 bytes.
pub(crate) fn hash(
    row: &PgRow,
    column: &str,
) -> Result<hallpass_core::hash::KeyedHash, StoreError> {
    let bytes: Vec<u8> = get(row, column)?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| damaged(column, "not 32 bytes"))?;
    Ok(hallpass_core::hash::KeyedHash::from_bytes(bytes))
}

/// A count as the driver binds it.
pub(crate) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many, as the core counts.
pub(crate) fn how_many(affected: u64) -> usize {
    usize::try_from(affected).unwrap_or(usize::MAX)
}

/// A limit as the driver binds it.
pub(crate) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
