//! Lists of grants: what a filter lets pass, here and in SQL.

use hallpass_core::{
    grant::{Grant, GrantState},
    ids::GrantId,
    ports::GrantFilter,
};
use sqlx::{QueryBuilder, Sqlite};

use crate::{
    grant_rows::{COLUMNS, id_bytes, lineage_bytes},
    life::LONGEST_SECRET,
    runs::RUN,
};

/// The order of lists: by time, to the stored millisecond, then by id.
pub(crate) fn order(grant: &Grant) -> (i64, &GrantId) {
    (grant.created_at.as_millisecond(), &grant.id)
}

/// Whether a filter lets a grant pass.
pub(crate) fn matches(filter: &GrantFilter, grant: &Grant) -> bool {
    let before = filter.before.as_ref();
    before.is_none_or(|(time, id)| order(grant) < (time.as_millisecond(), id))
        && is(filter.subject.as_ref(), Some(&grant.subject))
        && is(filter.session_id.as_ref(), grant.session_id.as_ref())
        && is(filter.profile.as_ref(), Some(&grant.profile))
        && is(filter.lineage.as_ref(), Some(&grant.lineage))
        && filter
            .state
            .is_none_or(|(state, at)| grant.state_at(at) == state)
}

fn is<T: PartialEq>(asked: Option<&T>, found: Option<&T>) -> bool {
    asked.is_none() || asked == found
}

/// The same in SQL, newest first; one subject's grants are looked for in one
/// run after the other.
pub(crate) fn select(filter: &GrantFilter, limit: usize) -> QueryBuilder<Sqlite> {
    select_within(filter, None, limit)
}

/// The same within one run only.
pub(crate) fn select_within(
    filter: &GrantFilter,
    run: Option<i64>,
    limit: usize,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM grants WHERE 1"));
    if let Some(run) = run {
        query.push(format!(" AND {RUN} = ")).push_bind(run);
    }
    if let Some(subject) = &filter.subject {
        query
            .push(" AND subject = ")
            .push_bind(subject.as_str().to_owned());
    }
    if let Some(session_id) = &filter.session_id {
        query
            .push(" AND session_id = ")
            .push_bind(session_id.as_str().to_owned());
    }
    if let Some(profile) = &filter.profile {
        query
            .push(" AND profile = ")
            .push_bind(profile.as_str().to_owned());
    }
    if let Some(lineage) = &filter.lineage {
        let bytes = lineage_bytes(lineage);
        query.push(" AND (lineage = ").push_bind(bytes.clone());
        query
            .push(" OR (lineage IS NULL AND id = ")
            .push_bind(bytes)
            .push("))");
    }
    if let Some((state, at)) = filter.state {
        push_state(&mut query, state, at.as_millisecond());
    }
    if let Some((time, id)) = &filter.before {
        let millis = time.as_millisecond();
        // The first half alone lets the index find the place.
        query.push(" AND created_at <= ").push_bind(millis);
        query.push(" AND (created_at, id) < (").push_bind(millis);
        query.push(", ").push_bind(id_bytes(id)).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
    query.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    query
}

/// The state a grant has at a time, whether or not the timer came by already.
fn push_state(query: &mut QueryBuilder<Sqlite>, state: GrantState, at: i64) {
    if state == GrantState::Active {
        // No active grant is older, so the walk through time ends here.
        query.push(" AND created_at > ");
        query.push_bind(at.saturating_sub(LONGEST_SECRET));
    }
    query.push(" AND CASE WHEN due_at <= ").push_bind(at);
    query.push(" THEN CASE state WHEN 0 THEN 2 ELSE 3 END ELSE state END = ");
    query.push_bind(i64::from(state.rank()));
}
