//! Usage and the trails' counts, added up by what is asked for.

use hallpass_core::{
    money::NanoUsd,
    ports::StoreError,
    usage::{Grouping, Happening, Tallies, Tally, UsageQuery, UsageTotal},
};
use sqlx::postgres::PgRow;

use super::columns::{COUNTS, sums, usage};
use crate::{
    rows::{damaged, get, limit, number, parsed},
    statement::Statement,
};

/// Where rows of a question are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Usage,
    Activity,
}

/// Most groups one question is answered with.
const MAX_GROUPS: usize = 10_000;

/// One question over both tables: the groups either of them has, and what each
/// has for them.
pub(super) fn select(query: &UsageQuery) -> Statement {
    let groups = groups(query);
    let (of_usage, of_activity) = (
        columns(query, Table::Usage),
        columns(query, Table::Activity),
    );
    let mut asked = Statement::new(format!(
        "WITH used AS (SELECT {of_usage}, COUNT(DISTINCT session) AS sessions, {} FROM usage_told",
        sums()
    ));
    push_where(&mut asked, query);
    asked.push(&format!(
        " GROUP BY {groups}), counted AS (SELECT {of_activity}, activity, reason, \
         SUM(times)::bigint AS times, SUM(cost)::bigint AS cost FROM activity"
    ));
    if query.counts_activity() {
        push_where(&mut asked, query);
    } else {
        asked.push(" WHERE false");
    }
    let used = COUNTS.map(|count| format!(", COALESCE(used.{count}, 0) AS {count}"));
    let order = match query.in_time() {
        true => "g0 DESC, ",
        false => "",
    };
    asked.push(&format!(
        " GROUP BY {groups}, activity, reason), \
         told AS (SELECT {groups}, SUM(times) AS times, \
         json_agg(json_build_array(activity, reason, times, cost))::text AS told \
         FROM counted GROUP BY {groups}), \
         named AS (SELECT {groups} FROM used UNION SELECT {groups} FROM told) \
         SELECT {groups}, COALESCE(used.sessions, 0) AS sessions{used}, \
         COALESCE(told.told, '[]') AS told \
         FROM named LEFT JOIN used USING ({groups}) LEFT JOIN told USING ({groups}) \
         ORDER BY {order}COALESCE(used.cost, 0) DESC, COALESCE(told.times, 0) DESC, {groups} LIMIT ",
        used = used.concat(),
    ));
    // One more than is asked for says that there are more.
    asked.push_bind(limit(query.limit.clamp(1, MAX_GROUPS).saturating_add(1)));
    asked
}

pub(super) fn total(query: &UsageQuery, row: &PgRow) -> Result<UsageTotal, StoreError> {
    let names = (0..query.by.len()).map(|place| get(row, &format!("g{place}")));
    Ok(UsageTotal {
        group: names.collect::<Result<_, _>>()?,
        source: parsed(row, "source")?,
        sessions: number(row, "sessions")?,
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
        let activity = activity.parse();
        let happening = Happening {
            activity: activity.map_err(|error| damaged("activity", error))?,
            reason,
        };
        let cost = NanoUsd(cost);
        Ok((happening, Tally { times, cost }))
    };
    told.into_iter().map(tally).collect()
}

/// `g0, g1, source`: what groups are told apart by.
fn groups(query: &UsageQuery) -> String {
    let names = (0..query.by.len()).map(|place| format!("g{place}, "));
    names.chain(["source".to_owned()]).collect()
}

/// The same, as a table has them.
fn columns(query: &UsageQuery, table: Table) -> String {
    let column = |by: &Grouping| match by {
        by if table == Table::Activity && !by.counts_activity() => "''::text COLLATE \"C\"",
        Grouping::Session => "session",
        Grouping::Subject => "subject",
        Grouping::Role => "role",
        Grouping::Profile => "profile",
        Grouping::Mode => "mode",
        Grouping::Model => "model",
        Grouping::Day => "left(hour, 10)",
        Grouping::Hour => "hour",
    };
    let columns = query.by.iter().map(column).enumerate();
    let named = columns.map(|(place, column)| format!("{column} AS g{place}, "));
    named.chain(["source".to_owned()]).collect()
}

fn push_where(asked: &mut Statement, query: &UsageQuery) {
    asked.push(" WHERE true");
    if let Some(from) = query.from {
        asked.push(" AND hour >= ").push_bind(from.to_string());
    }
    if let Some(to) = query.to {
        let last = to.or_last().to_string();
        asked.push(" AND hour <= ").push_bind(last);
    }
    for (name, text) in query.texts() {
        asked.push(" AND ").push(name).push(" = ").push_bind(text);
    }
}
