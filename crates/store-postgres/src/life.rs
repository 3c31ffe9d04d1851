//! What happens to grants after they were made, a statement each.

use hallpass_core::{
    Timestamp,
    grant::{GrantEvent, GrantState, LONGEST_SESSION},
    ids::GrantId,
    ports::{StoreError, Withdrawn},
    revocation::Scope,
};
use sqlx::postgres::PgRow;

use crate::{
    grant_rows::{COLUMNS, STATES},
    rows::{limit as most, number, optional_time},
    statement::Statement,
};

/// No secret of OpenAI's lives longer, in milliseconds: two hours, and an hour
/// for clocks that differ.
pub(crate) const LONGEST_SECRET: i64 = 3 * 3600 * 1000;

/// The state of each rank after an event, as the core's machine says: the
/// database looks it up and knows no rule of its own.
fn after(event: GrantEvent) -> Vec<i16> {
    let moved = STATES.map(|state| i16::from(state.after(event).rank()));
    moved.to_vec()
}

/// When a grant that has come to a state is due.
fn due_in(state: &str) -> String {
    let session = LONGEST_SESSION.as_millis();
    format!("CASE {state} WHEN 0 THEN expires_at WHEN 1 THEN expires_at + {session} END")
}

/// Moves one grant on; a row where that changes it.
pub(crate) fn apply(id: &GrantId, event: GrantEvent) -> Statement {
    let next = "($2::smallint[])[state + 1]";
    let due = due_in(next);
    Statement::new(format!(
        "UPDATE grants SET due_at = {due}, state = {next} \
         WHERE id = $1 AND {next} <> state RETURNING {COLUMNS}"
    ))
    .bind(id.as_str())
    .bind(after(event))
}

/// Revokes what a scope reaches, and counts what it could not.
///
/// Sent again after it was done it finds nothing left to revoke: the counts
/// are then those of the second time.
pub(crate) fn withdraw(scope: &Scope, now: Timestamp) -> Statement {
    let at = now.as_millisecond();
    let mut asked = Statement::new("WITH moved AS (UPDATE grants SET due_at = NULL, state = ");
    asked.push_bind(i16::from(GrantState::Revoked.rank()));
    asked.push(" WHERE due_at > ").push_bind(at);
    push_scope(&mut asked, scope);
    asked.push(
        " RETURNING mode), unexpired AS (SELECT expires_at FROM grants \
         WHERE mode = 'direct' AND created_at > ",
    );
    asked.push_bind(at - LONGEST_SECRET);
    asked.push(" AND expires_at > ").push_bind(at);
    push_scope(&mut asked, scope);
    asked.push(
        ") SELECT (SELECT COUNT(*) FROM moved) AS revoked, \
         (SELECT COUNT(*) FROM moved WHERE mode <> 'direct') AS ended, \
         (SELECT COUNT(*) FROM unexpired) AS unexpired, \
         (SELECT MAX(expires_at) FROM unexpired) AS until",
    );
    asked
}

/// What [`withdraw`] did.
pub(crate) fn withdrawn(row: &PgRow) -> Result<Withdrawn, StoreError> {
    Ok(Withdrawn {
        revoked: number(row, "revoked")?,
        ended: number(row, "ended")?,
        unexpired: number(row, "unexpired")?,
        unexpired_until: optional_time(row, "until")?,
    })
}

/// Moves on what is due; replicas that do so at once share the work.
pub(crate) fn expire(now: Timestamp, limit: usize) -> Statement {
    let next = "($1::smallint[])[state + 1]";
    Statement::new(format!(
        "UPDATE grants SET due_at = NULL, state = {next} WHERE id IN \
         (SELECT id FROM grants WHERE due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
    ))
    .bind(after(GrantEvent::Expire))
    .bind(now.as_millisecond())
    .bind(most(limit))
}

/// Removes what ended and was made before a time.
pub(crate) fn prune(before: Timestamp, limit: usize) -> Statement {
    Statement::new(
        "DELETE FROM grants WHERE id IN (SELECT id FROM grants \
         WHERE created_at < $1 AND due_at IS NULL ORDER BY created_at LIMIT $2 \
         FOR UPDATE SKIP LOCKED)",
    )
    .bind(before.as_millisecond())
    .bind(most(limit))
}

fn push_scope(asked: &mut Statement, scope: &Scope) {
    let (column, text) = match scope {
        Scope::All => return,
        Scope::Before(time) => {
            let millis = time.as_millisecond();
            asked.push(" AND created_at < ").push_bind(millis);
            return;
        }
        Scope::Grant(id) => ("id", id.as_str()),
        Scope::Lineage(id) => ("lineage", id.as_str()),
        Scope::Key(id) => ("credential", id.as_str()),
        Scope::Profile(name) => ("profile", name.as_str()),
        Scope::Session(id) => ("session_id", id.as_str()),
        Scope::Subject(subject) => ("subject", subject.as_str()),
    };
    asked.push(" AND ").push(column).push(" = ").push_bind(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_states_is_in_the_order_of_their_ranks() {
        for (rank, state) in (0..).zip(STATES) {
            assert_eq!(state.rank(), rank);
        }
        assert_eq!(after(GrantEvent::Expire), [2, 3, 2, 3, 4]);
        assert_eq!(after(GrantEvent::Revoke), [4, 4, 2, 3, 4]);
    }
}
