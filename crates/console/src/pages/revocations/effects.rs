//! What revocations did, as the trail says.

use std::collections::{BTreeMap, HashMap};

use hallpass_core::{Timestamp, revocation::Revocation};
use hallpass_http::AuditQuery;

use crate::{
    live::{Cell, State},
    text::count,
    trail::TrailDesk,
    when,
};

/// What makes revocations.
const ACTIONS: [&str; 2] = ["revocation.add", "grant.revoke"];
/// Records read of each; the trail may hold more of an action than there are
/// revocations, for asking again is recorded too.
const MOST: usize = 1000;

/// The facts of the record that put each revocation in force.
pub(super) struct Effects(HashMap<String, BTreeMap<String, String>>);

/// Finds the records of some revocations. Where the trail can't be read the
/// page says that it is not known.
pub(super) async fn of(trail: &dyn TrailDesk, listed: &[Revocation]) -> Effects {
    let mut found = HashMap::new();
    let Some(oldest) = listed.iter().map(|one| one.created_at).min() else {
        return Effects(found);
    };
    for action in ACTIONS {
        let wanted = AuditQuery {
            action: Some(action.to_owned()),
            outcome: Some("success".to_owned()),
            // Records are timed a moment after what they tell of, and in whole
            // milliseconds.
            since: Some(oldest - std::time::Duration::from_secs(1)),
            limit: Some(MOST),
            ..AuditQuery::default()
        };
        let records = trail.latest(wanted, None).await.unwrap_or_default();
        for record in records {
            // The oldest wins, and is read last: later ones asked again.
            if let Some(id) = record.facts.get("revocation") {
                found.insert(id.clone(), record.facts);
            }
        }
    }
    Effects(found)
}

impl Effects {
    /// What a revocation reached, and what it could not.
    pub(super) fn of(&self, id: &str, now: Timestamp) -> (Cell, Cell) {
        let Some(facts) = self.0.get(id) else {
            return (Cell::of("not known"), Cell::of("not known"));
        };
        let number = |name: &str| {
            let text = facts.get(name).map_or("0", String::as_str);
            text.parse::<u64>().unwrap_or(0)
        };
        let reached = format!(
            "{}, {}",
            count(number("revoked"), "grant"),
            count(number("sessions_ended"), "live session")
        );
        (
            Cell::of(reached),
            beyond(number("unexpired_secrets"), facts, now),
        )
    }
}

fn beyond(secrets: u64, facts: &BTreeMap<String, String>, now: Timestamp) -> Cell {
    if secrets == 0 {
        return Cell::of("nothing").is(State::Good);
    }
    let until = facts.get("unexpired_until");
    let until: Option<Timestamp> = until.and_then(|time| time.parse().ok());
    let secrets = count(secrets, "direct secret");
    match until {
        Some(end) if end <= now => {
            let text = format!("{secrets}, over {}", when::at(end, now));
            Cell::of(text).whole(when::in_full(end))
        }
        Some(end) => {
            let text = format!("{secrets} for {} more", when::until(end, now));
            Cell::of(text).whole(when::in_full(end)).is(State::Warn)
        }
        None => Cell::of(secrets).is(State::Warn),
    }
}
