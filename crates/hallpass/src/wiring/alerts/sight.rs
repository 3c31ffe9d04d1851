//! How things are now: upstreams, trail, budgets, ends of keys, and what the
//! board says.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    alert::{Cause, Level, Levels, RuleKind},
    code::Code,
};
use hallpass_upstream::{BreakerState, Pool, TargetStatus};

use super::{
    board::{Board, cause},
    budgets::Budgets,
    expiring::Expiring,
};

/// What is looked at.
pub(super) struct Sight {
    pub(super) pool: Arc<Pool>,
    pub(super) board: Arc<Board>,
    pub(super) budgets: Budgets,
    pub(super) expiring: Expiring,
}

impl Sight {
    /// Looks at everything.
    pub(super) async fn look(&mut self, now: Timestamp, trail_writable: bool) -> Levels {
        let mut known = self.board.levels();
        known.extend(self.pool.status().iter().filter_map(upstream));
        known.extend((!trail_writable).then(unwritable));
        known.extend(self.budgets.look(now));
        known.extend(self.expiring.look(now).await);
        Levels {
            known,
            ..Levels::default()
        }
    }
}

fn upstream(status: &TargetStatus) -> Option<Level> {
    if status.breaker == BreakerState::Closed {
        return None;
    }
    let refused = status.cause == Some(Code::UpstreamKeyRefused);
    let detail = match (status.forced, status.cause) {
        (true, _) => "an operator holds it so",
        (false, Some(code)) => code.as_str(),
        (false, None) => "it failed",
    };
    Some(Level {
        kind: match refused && !status.forced {
            true => RuleKind::UpstreamKeyRefused,
            false => RuleKind::BreakerOpen,
        },
        cause: Cause::from([
            ("upstream".to_owned(), status.name.to_string()),
            ("key".to_owned(), status.key.to_string()),
        ]),
        value: 1.0,
        detail: detail.to_owned(),
    })
}

fn unwritable() -> Level {
    Level {
        kind: RuleKind::AuditFailing,
        cause: cause("part", "writing"),
        value: 1.0,
        detail: "no credential is issued".to_owned(),
    }
}
