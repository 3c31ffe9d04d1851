//! Usage and the trail's counts, added up by what is asked for.

use hallpass_core::{
    ports::StoreError,
    usage::{Grouping, Happening, Tallies, Tally, UsageQuery, UsageTotal, UsageTotals},
};
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteRow};

use super::columns::{COUNTS, usage};
use crate::{
    database::{Database, store_error},
    rows::{damaged, get, parsed},
};

/// Where rows of a question are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Usage,
    Activity,
}

/// Most groups one question is answered with.
const MAX_GROUPS: usize = 10_000;

pub(super) async fn read(
    database: &Database,
    query: &UsageQuery,
) -> Result<UsageTotals, StoreError> {
    let rows = select(query).build().fetch_all(&database.pool).await;
    let rows = rows.map_err(store_error)?;
    let groups = rows.iter().map(|row| total(query, row));
    Ok(query.cut(groups.collect::<Result<_, _>>()?))
}

fn total(query: &UsageQuery, row: &SqliteRow) -> Result<UsageTotal, StoreError> {
    let sessions: i64 = get(row, "sessions")?;
    let names = (0..query.by.len()).map(|place| get(row, &format!("g{place}")));
    Ok(UsageTotal {
        group: names.collect::<Result<_, _>>()?,
        source: parsed(row, "source")?,
        sessions: u64::try_from(sessions).map_err(|_| damaged("sessions", sessions))?,
        usage: usage(row)?,
        activity: tallies(&get::<String>(row, "told")?)?,
    })
}

/// Counts as the question gives them: a list of what, why, how often, for how
/// much.
fn tallies(text: &str) -> Result<Tallies, StoreError> {
    let told: Vec<(String, String, u64, u64)> =
        serde_json::from_str(text).map_err(|error| damaged("activity", error))?;
    let tally = |(activity, reason, times, cost): (String, String, u64, u64)| {
        let happening = Happening {
            activity: activity
                .parse()
                .map_err(|error| damaged("activity", error))?,
            reason,
        };
        let cost = hallpass_core::money::NanoUsd(cost);
        Ok((happening, Tally { times, cost }))
    };
    told.into_iter().map(tally).collect()
}

/// One question over both tables: the groups either of them has, and what each
/// has for them.
fn select(query: &UsageQuery) -> QueryBuilder<Sqlite> {
    let groups = groups(query);
    let (of_usage, of_activity) = (
        columns(query, Table::Usage),
        columns(query, Table::Activity),
    );
    let sums: String = COUNTS
        .iter()
        .map(|count| format!(", SUM({count}) AS {count}"))
        .collect();
    let mut select = QueryBuilder::new(format!(
        "WITH used AS (SELECT {of_usage}, COUNT(DISTINCT session) AS sessions{sums} FROM usage"
    ));
    push_where(&mut select, query);
    select.push(format!(
        " GROUP BY {groups}), counted AS (SELECT {of_activity}, activity, reason, \
         SUM(times) AS times, SUM(cost) AS cost FROM activity"
    ));
    if query.counts_activity() {
        push_where(&mut select, query);
    } else {
        select.push(" WHERE 0");
    }
    let used: String = COUNTS
        .iter()
        .map(|count| format!(", COALESCE(used.{count}, 0) AS {count}"))
        .collect();
    let order = match query.in_time() {
        true => "g0 DESC, ",
        false => "",
    };
    select.push(format!(
        " GROUP BY {groups}, activity, reason), \
         told AS (SELECT {groups}, SUM(times) AS times, \
         json_group_array(json_array(activity, reason, times, cost)) AS told \
         FROM counted GROUP BY {groups}), \
         named AS (SELECT {groups} FROM used UNION SELECT {groups} FROM told) \
         SELECT {groups}, COALESCE(used.sessions, 0) AS sessions{used}, \
         COALESCE(told.told, '[]') AS told \
         FROM named LEFT JOIN used USING ({groups}) LEFT JOIN told USING ({groups}) \
         ORDER BY {order}COALESCE(used.cost, 0) DESC, COALESCE(told.times, 0) DESC, {groups} LIMIT "
    ));
    // One more than is asked for says that there are more.
    let limit = query.limit.clamp(1, MAX_GROUPS).saturating_add(1);
    select.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    select
}

/// `g0, g1, source`: what groups are told apart by.
fn groups(query: &UsageQuery) -> String {
    let names = (0..query.by.len()).map(|place| format!("g{place}, "));
    names.chain(["source".to_owned()]).collect()
}

/// The same, as a table has them.
fn columns(query: &UsageQuery, table: Table) -> String {
    let column = |by: &Grouping| match by {
        by if table == Table::Activity && !by.counts_activity() => "''",
        Grouping::Session => "session",
        Grouping::Subject => "subject",
        Grouping::Role => "role",
        Grouping::Profile => "profile",
        Grouping::Mode => "mode",
        Grouping::Model => "model",
        Grouping::Day => "substr(hour, 1, 10)",
        Grouping::Hour => "hour",
    };
    let columns = query.by.iter().map(column).enumerate();
    let named = columns.map(|(place, column)| format!("{column} AS g{place}, "));
    named.chain(["source".to_owned()]).collect()
}

fn push_where(select: &mut QueryBuilder<Sqlite>, query: &UsageQuery) {
    select.push(" WHERE 1");
    if let Some(from) = query.from {
        select.push(" AND hour >= ").push_bind(from.to_string());
    }
    if let Some(to) = query.to {
        let last = to.or_last().to_string();
        select.push(" AND hour <= ").push_bind(last);
    }
    for (name, text) in query.texts() {
        select.push(" AND ").push(name).push(" = ").push_bind(text);
    }
}
