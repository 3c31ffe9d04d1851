//! The columns of usage, and rows to values and back.

use hallpass_core::{
    money::NanoUsd,
    ports::StoreError,
    usage::{Account, Tokens, Usage, UsageKey},
};
use sqlx::postgres::PgRow;

use crate::{
    rows::{damaged, get, id, number, parsed, whole},
    statement::{Statement, storable},
};

/// What a row is found by.
pub(crate) const KEYS: [&str; 8] = [
    "hour", "session", "subject", "role", "profile", "mode", "model", "source",
];

/// What is counted, in the order [`counts`] gives it.
pub(crate) const COUNTS: [&str; 14] = [
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

/// What a row of the release before is found by.
const DAY_KEYS: &str = "day, session, subject, role, profile, model, source";

/// Rows, those of their days and the sums of their accounts, in one statement
/// that one replica's batch goes through once: the batch's number is raised
/// with it. Rows of a session that another replica has taken over are left
/// out. Gives the new sums.
pub(super) fn write(incarnation: &str, batch: i64, rows: &[(UsageKey, Usage)]) -> Statement {
    let keys = KEYS.join(", ");
    let counted = COUNTS.join(", ");
    let arrays = (1..=KEYS.len()).map(|n| format!("${n}::text[]"));
    let numbers = (KEYS.len() + 1..=KEYS.len() + COUNTS.len()).map(|n| format!("${n}::bigint[]"));
    let arrays: Vec<String> = arrays.chain(numbers).collect();
    let text = format!(
        "WITH turn AS (UPDATE replicas SET usage_batch = $23 \
           WHERE incarnation = $24 AND usage_batch < $23 RETURNING 1), \
         fresh AS (SELECT left(hour, 10) AS day, fresh.* FROM unnest({arrays}) \
           AS fresh ({keys}, {counted}), turn \
           WHERE NOT EXISTS (SELECT 1 FROM call_takers AS taker \
             WHERE taker.session = fresh.session AND taker.incarnation <> $24)), \
         kept AS (INSERT INTO usage_hours ({keys}, {counted}) SELECT {keys}, {counted} FROM fresh \
           ORDER BY {keys} ON CONFLICT ({keys}) DO UPDATE SET {kept}), \
         days AS (INSERT INTO usage ({DAY_KEYS}, {counted}, by_hour) \
           SELECT {DAY_KEYS}, {sums}, true FROM fresh WHERE source = 'measured' \
           GROUP BY {DAY_KEYS} ORDER BY {DAY_KEYS} \
           ON CONFLICT ({DAY_KEYS}) DO UPDATE SET {of_day} WHERE usage.by_hour), \
         accounts AS (SELECT day, 'subject' AS kind, subject AS account, {counted} FROM fresh \
           WHERE source = 'measured' \
           UNION ALL SELECT day, 'role', role, {counted} FROM fresh WHERE source = 'measured') \
         INSERT INTO usage_sums (day, kind, account, {counted}) \
         SELECT day, kind, account, {sums} FROM accounts GROUP BY day, kind, account \
         ORDER BY day, kind, account ON CONFLICT (day, kind, account) DO UPDATE SET {summed} \
         RETURNING *",
        arrays = arrays.join(", "),
        kept = added_to("usage_hours"),
        of_day = added_to("usage"),
        summed = added_to("usage_sums"),
        sums = sums(),
    );
    let mut write = Statement::new(text)
        .bind(column(rows, |key| key.hour.to_string()))
        .bind(column(rows, |key| storable(&key.session)))
        .bind(column(rows, |key| key.subject.to_string()))
        .bind(column(rows, |key| key.role.to_string()))
        .bind(column(rows, |key| key.profile.to_string()))
        .bind(column(rows, |key| mode(key).to_owned()))
        .bind(column(rows, |key| storable(&key.model)))
        .bind(column(rows, |key| key.source.to_string()));
    for index in 0..COUNTS.len() {
        let counted = rows.iter().map(|(_, usage)| whole(counts(usage)[index]));
        write = write.bind(counted.collect::<Vec<i64>>());
    }
    write.bind(batch).bind(incarnation)
}

/// The mode as it is kept: empty where it is not known.
pub(crate) fn mode(key: &UsageKey) -> &'static str {
    key.mode.map_or("", Into::into)
}

fn column(rows: &[(UsageKey, Usage)], text: impl Fn(&UsageKey) -> String) -> Vec<String> {
    rows.iter().map(|(key, _)| text(key)).collect()
}

fn added_to(table: &str) -> String {
    let sums = COUNTS.map(|count| format!("{count} = {table}.{count} + excluded.{count}"));
    sums.join(", ")
}

/// The sums of all counts, each under its own name.
pub(crate) fn sums() -> String {
    COUNTS
        .map(|count| format!("SUM({count})::bigint AS {count}"))
        .join(", ")
}

pub(crate) const fn counts(usage: &Usage) -> [u64; 14] {
    let tokens = &usage.tokens;
    [
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
    ]
}

/// A row's counts.
pub(crate) fn usage(row: &PgRow) -> Result<Usage, StoreError> {
    Ok(Usage {
        responses: number(row, "responses")?,
        transcriptions: number(row, "transcriptions")?,
        tokens: Tokens {
            input_text: number(row, "input_text")?,
            input_audio: number(row, "input_audio")?,
            input_image: number(row, "input_image")?,
            cached_text: number(row, "cached_text")?,
            cached_audio: number(row, "cached_audio")?,
            cached_image: number(row, "cached_image")?,
            output_text: number(row, "output_text")?,
            output_audio: number(row, "output_audio")?,
        },
        transcribed_ms: number(row, "transcribed_ms")?,
        live_ms: number(row, "live_ms")?,
        cost: NanoUsd(number(row, "cost")?),
        unpriced: number(row, "unpriced")?,
    })
}

/// A row's day and account.
pub(super) fn account(row: &PgRow) -> Result<(jiff::civil::Date, Account), StoreError> {
    let kind: String = get(row, "kind")?;
    let account = match kind.as_str() {
        "subject" => Account::Subject(id(row, "account")?),
        "role" => Account::Role(id(row, "account")?),
        _ => return Err(damaged("kind", kind)),
    };
    Ok((day(row)?, account))
}

fn day(row: &PgRow) -> Result<jiff::civil::Date, StoreError> {
    let day: String = get(row, "day")?;
    day.parse().map_err(|error| damaged("day", error))
}

/// A row's key.
pub(crate) fn key(row: &PgRow) -> Result<UsageKey, StoreError> {
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
