//! What a run found out, as one JSON value on one line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{agreement::Agreement, faults::Fault, history::Span, model::Verdict};

/// Everything that was held together.
pub(super) struct Report {
    pub(super) seconds: f64,
    pub(super) faults: Vec<(Fault, usize, Span)>,
    pub(super) agreement: Agreement,
    pub(super) admitted: Verdict,
    pub(super) refused: Verdict,
    pub(super) revoked: Verdict,
    pub(super) closed: Verdict,
    /// Live sessions that were opened.
    pub(super) opened: usize,
    /// Beginnings and ends of failure policies that the trails tell.
    pub(super) alarms: usize,
    /// Times at which a replica that knew too little said that it is not ready.
    pub(super) stale_seen: usize,
    /// What else is not as it should be.
    pub(super) wrong: Vec<String>,
}

impl Report {
    /// All that does not hold.
    pub(super) fn violations(&self) -> Vec<String> {
        let verdicts = [&self.admitted, &self.refused, &self.revoked, &self.closed];
        let of_models = verdicts.into_iter().flat_map(|it| it.violations.iter());
        let all = self.agreement.differences.iter().chain(&self.wrong);
        all.chain(of_models).cloned().collect()
    }

    pub(super) fn json(&self) -> Value {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for (fault, ..) in &self.faults {
            *kinds.entry(fault.to_string()).or_default() += 1;
        }
        let agreement = &self.agreement;
        json!({
            "seconds": self.seconds.round(),
            "faults": self.faults.len(),
            "faults_by_kind": kinds,
            "mints": {
                "asked": agreement.requests,
                "secrets": agreement.secrets,
                "refused": agreement.refusals,
                "unknown": agreement.unknown,
                "recorded": agreement.recorded,
                "made_by_openai": agreement.minted,
                "orphans": agreement.orphans,
                "orphans_marked": agreement.marked,
            },
            "limits": {
                "secrets_judged": self.admitted.judged,
                "nearest_to_bound_percent": self.admitted.most,
                "refusals_judged": self.refused.judged,
            },
            "revocations": {
                "requests_judged": self.revoked.judged,
                "last_accepted_ms": self.revoked.most,
                "sessions_opened": self.opened,
                "sessions_judged": self.closed.judged,
                "last_closed_ms": self.closed.most,
            },
            "failure_policies": self.alarms,
            "not_ready_when_stale": self.stale_seen,
            "violations": self.violations(),
        })
    }
}
