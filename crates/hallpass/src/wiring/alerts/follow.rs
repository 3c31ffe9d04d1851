//! The trail, read as it becomes durable: signals for the engine.

use std::{iter::repeat_n, path::Path, time::Duration};

use hallpass_audit::{Progress, ReadError, RecordFollower, RecordSummary};
use hallpass_core::{
    Timestamp,
    alert::{Cause, RuleKind, Signal},
    anomaly::Anomaly,
    audit::Action,
    caller::Scheme,
    usage::Activity,
};

use super::board::cause;

/// Records read at once.
const BATCH: usize = 4096;
/// Records before the present ones that are looked at after a start, so that
/// windows are not empty.
const LOOKED_BACK: u64 = 200_000;
/// Most mints one record stands for here; the share of failures is then what
/// it is.
const MOST_TIMES: usize = 1000;

/// What some records told.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) signals: Vec<Signal>,
    /// How many durable records were not read.
    pub(super) behind: u64,
    /// Whether there may be more.
    pub(super) more: bool,
}

/// Reads a trail from a place on.
pub(super) struct TrailSight {
    follower: RecordFollower,
    trail: Progress,
    /// How far back a signal matters.
    window: Duration,
}

impl TrailSight {
    /// Looks from a record on, and at some before it.
    pub(super) fn new(dir: &Path, trail: Progress, window: Duration) -> Self {
        let from = trail.durable().saturating_sub(LOOKED_BACK);
        Self {
            follower: RecordFollower::new(dir, from, &trail),
            trail,
            window,
        }
    }

    /// Reads what is durable, up to a batch.
    pub(super) fn read(&mut self, now: Timestamp) -> Result<Batch, ReadError> {
        let durable = self.trail.durable();
        let mut batch = Batch::default();
        let mut read = 0;
        while read < BATCH {
            let Some((_, record)) = self.follower.next_record(durable)? else {
                break;
            };
            read += 1;
            let Some(seen) = record.summary() else {
                continue;
            };
            let age = Duration::try_from(now.duration_since(seen.time)).unwrap_or_default();
            if age <= self.window {
                let told = signal(&seen).map(|(signal, times)| repeat_n(signal, times));
                batch.signals.extend(told.into_iter().flatten());
            }
        }
        batch.behind = durable.saturating_sub(self.follower.next_sequence());
        batch.more = read == BATCH;
        Ok(batch)
    }

    /// Ends when so many records wait that they are worth a step.
    pub(super) async fn plenty(&self) {
        self.follower.plenty().await;
    }
}

/// What a record means to the engine, and how often: a crowd that was turned
/// away is one record.
fn signal(seen: &RecordSummary<'_>) -> Option<(Signal, usize)> {
    let at = seen.time;
    if seen.action == Some(Action::Anomaly) {
        let (kind, cause) = anomaly(seen.fact("anomaly")?, seen.fact("about")?);
        return Some((Signal::Event { at, kind, cause }, 1));
    }
    let counted = seen.counted()?;
    let failed = match counted.happening.activity {
        Activity::Minted => false,
        Activity::MintFailed => true,
        _ => return None,
    };
    let machine = seen.scheme.as_deref() == Some(Scheme::ApiKey.name());
    let subject = seen.subject.as_deref().filter(|_| !machine);
    let signal = Signal::Mint {
        at,
        user: subject.map(str::to_owned),
        failed,
    };
    let times = usize::try_from(counted.tally.times).unwrap_or(MOST_TIMES);
    Some((signal, times.min(MOST_TIMES)))
}

fn anomaly(name: &str, about: &str) -> (RuleKind, Cause) {
    let mut cause = cause("about", about);
    if name == <&str>::from(Anomaly::PassReused) {
        return (RuleKind::PassReused, cause);
    }
    if name == <&str>::from(Anomaly::RefusalBurst) {
        return (RuleKind::RefusalsBurst, cause);
    }
    cause.insert("anomaly".to_owned(), name.to_owned());
    (RuleKind::SuspiciousUse, cause)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(ours: &serde_json::Value, route: &str) -> String {
        json!({
            "time": 1_795_381_200_000_i64,
            "actor": {"user": {"uid": "caller"}},
            "http_request": {"url": {"path": route}},
            "unmapped": {"hallpass": ours},
        })
        .to_string()
    }

    #[test]
    fn a_machine_is_no_user_and_an_anomaly_has_its_rule() {
        let mint = |scheme: &str| {
            let ours = json!({"action": "grant.create", "phase": "outcome", "outcome": "success",
                "credential": {"scheme": scheme, "id": "x"}, "grant": {"subject": "user-1"}});
            let line = line(&ours, "/api/generate-client-secret");
            match signal(&RecordSummary::of(line.as_bytes()).unwrap()) {
                Some((Signal::Mint { user, .. }, 1)) => user,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(mint("jwt").as_deref(), Some("user-1"));
        assert_eq!(mint("api_key"), None);
        assert_eq!(anomaly("pass_reused", "gr_1").0, RuleKind::PassReused);
        assert_eq!(anomaly("refusal_burst", "x").0, RuleKind::RefusalsBurst);
        let (kind, cause) = anomaly("subject_networks", "subject a");
        assert_eq!(kind, RuleKind::SuspiciousUse);
        assert_eq!(cause["anomaly"], "subject_networks");
    }
}
