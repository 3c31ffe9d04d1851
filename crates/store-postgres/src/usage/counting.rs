//! What a replica's trail counts: added together with how far it is counted.

use std::{collections::HashMap, ops::Range};

use hallpass_core::usage::{ActivityKey, Tally};

use crate::{
    rows::whole,
    statement::{Statement, storable},
};

/// What a row is found by.
const KEYS: [&str; 8] = [
    "hour", "subject", "profile", "mode", "model", "source", "activity", "reason",
];

pub(super) fn counted(trail: &str) -> Statement {
    Statement::new("SELECT next FROM counted_trails WHERE trail = $1").bind(trail)
}

/// Adds what a range told where the trail is counted up to there, and gives a
/// row then; none where it is not, or no longer.
pub(super) fn count(
    trail: &str,
    range: &Range<u64>,
    counts: &HashMap<ActivityKey, Tally>,
) -> Statement {
    let keys = KEYS.join(", ");
    let text = format!(
        "WITH turn AS (INSERT INTO counted_trails (trail, next) SELECT $1, $3 \
           WHERE $2 = 0 OR EXISTS (SELECT 1 FROM counted_trails WHERE trail = $1) \
           ON CONFLICT (trail) DO UPDATE SET next = excluded.next \
           WHERE counted_trails.next = $2 RETURNING next), \
         fresh AS (SELECT * FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], \
           $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[]) \
           AS fresh ({keys}, times, cost)), \
         added AS (INSERT INTO activity ({keys}, times, cost) SELECT fresh.* FROM fresh, turn \
           ORDER BY {keys} ON CONFLICT ({keys}) DO UPDATE SET \
           times = activity.times + excluded.times, cost = activity.cost + excluded.cost) \
         SELECT next FROM turn"
    );
    let rows: Vec<_> = counts.iter().collect();
    let texts = |text: fn(&ActivityKey) -> String| -> Vec<String> {
        rows.iter().map(|(key, _)| storable(&text(key))).collect()
    };
    let numbers = |number: fn(&Tally) -> u64| -> Vec<i64> {
        rows.iter().map(|(_, tally)| whole(number(tally))).collect()
    };
    Statement::new(text)
        .bind(trail)
        .bind(whole(range.start))
        .bind(whole(range.end))
        .bind(texts(|key| key.hour.to_string()))
        .bind(texts(|key| key.subject.clone()))
        .bind(texts(|key| key.profile.clone()))
        .bind(texts(|key| key.mode.clone()))
        .bind(texts(|key| key.model.clone()))
        .bind(texts(|key| key.source.to_string()))
        .bind(texts(|key| key.happening.activity.to_string()))
        .bind(texts(|key| key.happening.reason.clone()))
        .bind(numbers(|tally| tally.times))
        .bind(numbers(|tally| tally.cost.0))
}
