//! Lists of grants.

use hallpass_core::{grant::GrantState, ports::GrantFilter};

use crate::{grant_rows::COLUMNS, life::LONGEST_SECRET, rows, statement::Statement};

/// Most grants one list gives.
const MAX_PAGE: usize = 500;

/// What a filter lets pass, newest first.
pub(crate) fn select(filter: &GrantFilter) -> Statement {
    let mut asked = Statement::new(format!("SELECT {COLUMNS} FROM grants WHERE true"));
    let texts = [
        ("subject", filter.subject.as_ref().map(|it| it.as_str())),
        (
            "session_id",
            filter.session_id.as_ref().map(|it| it.as_str()),
        ),
        ("profile", filter.profile.as_ref().map(|it| it.as_str())),
        ("lineage", filter.lineage.as_ref().map(|it| it.as_str())),
    ];
    for (column, text) in texts {
        let Some(text) = text else { continue };
        asked.push(" AND ").push(column).push(" = ").push_bind(text);
    }
    if let Some((state, at)) = filter.state {
        push_state(&mut asked, state, at.as_millisecond());
    }
    if let Some((time, id)) = &filter.before {
        let millis = time.as_millisecond();
        asked.push(" AND (created_at, id) < (").push_bind(millis);
        asked.push(", ").push_bind(id.as_str()).push(")");
    }
    asked.push(" ORDER BY created_at DESC, id DESC LIMIT ");
    asked.push_bind(rows::limit(filter.limit.clamp(1, MAX_PAGE)));
    asked
}

/// The state a grant has at a time, whether or not the timer came by already.
fn push_state(asked: &mut Statement, state: GrantState, at: i64) {
    if state == GrantState::Active {
        // No active grant is older, so the walk through time ends here.
        asked.push(" AND created_at > ");
        asked.push_bind(at.saturating_sub(LONGEST_SECRET));
    }
    asked.push(" AND CASE WHEN due_at <= ").push_bind(at);
    asked.push(" THEN CASE state WHEN 0 THEN 2 ELSE 3 END ELSE state END = ");
    asked.push_bind(i32::from(state.rank()));
}
