//! The columns of usage, and rows to values and back.

use hallpass_core::{
    money::NanoUsd,
    ports::StoreError,
    usage::{Tokens, Usage, UsageKey},
};
use sqlx::{
    Sqlite,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::rows::{damaged, get, id, parsed};

/// What a row is found by.
pub(crate) const KEYS: &str = "hour, session, subject, role, profile, mode, model, source";

/// What is counted, in the order [`bind_counts`] binds it.
pub(super) const COUNTS: [&str; 14] = [
    "responses",
    "transcriptions",
    "input_text",
    "input_audio",
    "input_image",
    "cached_text",
    "cached_audio",
    "cached_image",
    "output_text",
    "output_audio",
    "transcribed_ms",
    "live_ms",
    "cost",
    "unpriced",
];

/// Adds to a row, or makes it.
pub(super) fn upsert() -> String {
    let sums: Vec<String> = COUNTS
        .iter()
        .map(|count| format!("{count} = {count} + excluded.{count}"))
        .collect();
    format!(
        "INSERT INTO usage ({KEYS}, {}) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?{}) \
         ON CONFLICT ({KEYS}) DO UPDATE SET {}",
        COUNTS.join(", "),
        ", ?".repeat(COUNTS.len()),
        sums.join(", "),
    )
}

pub(super) fn bind_counts<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    usage: &Usage,
) -> Query<'q, Sqlite, SqliteArguments> {
    let tokens = &usage.tokens;
    let counts = [
        usage.responses,
        usage.transcriptions,
        tokens.input_text,
        tokens.input_audio,
        tokens.input_image,
        tokens.cached_text,
        tokens.cached_audio,
        tokens.cached_image,
        tokens.output_text,
        tokens.output_audio,
        usage.transcribed_ms,
        usage.live_ms,
        usage.cost.0,
        usage.unpriced,
    ];
    counts.into_iter().fold(query, |query, count| {
        query.bind(i64::try_from(count).unwrap_or(i64::MAX))
    })
}

pub(crate) fn usage(row: &SqliteRow) -> Result<Usage, StoreError> {
    Ok(Usage {
        responses: count(row, "responses")?,
        transcriptions: count(row, "transcriptions")?,
        tokens: Tokens {
            input_text: count(row, "input_text")?,
            input_audio: count(row, "input_audio")?,
            input_image: count(row, "input_image")?,
            cached_text: count(row, "cached_text")?,
            cached_audio: count(row, "cached_audio")?,
            cached_image: count(row, "cached_image")?,
            output_text: count(row, "output_text")?,
            output_audio: count(row, "output_audio")?,
        },
        transcribed_ms: count(row, "transcribed_ms")?,
        live_ms: count(row, "live_ms")?,
        cost: NanoUsd(count(row, "cost")?),
        unpriced: count(row, "unpriced")?,
    })
}

/// The mode as it is kept: empty where it is not known.
pub(super) fn mode(key: &UsageKey) -> &'static str {
    key.mode.map_or("", Into::into)
}

pub(crate) fn key(row: &SqliteRow) -> Result<UsageKey, StoreError> {
    let mode: String = get(row, "mode")?;
    let mode = (!mode.is_empty()).then(|| mode.parse());
    Ok(UsageKey {
        hour: parsed(row, "hour")?,
        session: get(row, "session")?,
        subject: id(row, "subject")?,
        role: id(row, "role")?,
        profile: id(row, "profile")?,
        mode: mode.transpose().map_err(|error| damaged("mode", error))?,
        model: get(row, "model")?,
        source: parsed(row, "source")?,
    })
}

fn count(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    let count: i64 = get(row, column)?;
    u64::try_from(count).map_err(|_| damaged(column, count))
}
