//! A mint that was announced: it always gets a final record.

use std::sync::Arc;

use crate::{
    Timestamp,
    audit::{AuditEvent, Outcome, Phase, UpstreamFacts},
    grant::Grant,
    journal::{FailedAttempt, Journal},
    ports::{AuditLog, AuditReceipt, AuditUnavailable, Clock},
};

/// An announced mint, from its durable intent to its outcome.
///
/// When the caller goes away in between, dropping the attempt queues the
/// outcome "abandoned": the trail never holds an intent a living process left
/// unanswered.
pub struct Attempt {
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    intent: Option<Box<AuditEvent>>,
    journal: Journal,
}

impl Attempt {
    /// Writes the intent; durable when this returns.
    ///
    /// # Errors
    ///
    /// [`AuditUnavailable`] when the trail can't be written: nothing may be tried.
    pub(super) async fn announce(
        audit: Arc<dyn AuditLog>,
        clock: Arc<dyn Clock>,
        intent: AuditEvent,
        journal: Journal,
    ) -> Result<Self, AuditUnavailable> {
        let durable = audit.append(intent.clone());
        let mut attempt = Self {
            audit,
            clock,
            intent: Some(Box::new(intent)),
            journal,
        };
        match durable.await {
            Ok(_) => Ok(attempt),
            // It will be in the trail, so dropping the attempt ends it there.
            Err(error @ AuditUnavailable::Late) => Err(error),
            Err(error @ AuditUnavailable::Refused(_)) => {
                attempt.intent = None;
                Err(error)
            }
        }
    }

    /// Writes the outcome; durable when this returns.
    ///
    /// # Errors
    ///
    /// [`AuditUnavailable`] when the trail can't be written: no secret may leave.
    pub(super) async fn close(
        mut self,
        outcome: Outcome,
        grant: Option<Arc<Grant>>,
        upstream: UpstreamFacts,
    ) -> Result<AuditReceipt, AuditUnavailable> {
        let Some(event) = self.finish(outcome, grant, Some(upstream)) else {
            let why = "the attempt was closed before";
            return Err(AuditUnavailable::Refused(why.to_owned()));
        };
        self.audit.append(event).await
    }

    fn finish(
        &mut self,
        outcome: Outcome,
        grant: Option<Arc<Grant>>,
        upstream: Option<UpstreamFacts>,
    ) -> Option<AuditEvent> {
        let mut event = *self.intent.take()?;
        for failed in self.journal.take_failed() {
            // Not awaited: the trail keeps its order, so the outcome is durable
            // only when these are.
            drop(
                self.audit
                    .append(record_of(&event, failed, self.clock.now())),
            );
        }
        event.time = self.clock.now();
        event.phase = Phase::Outcome;
        event.outcome = outcome;
        event.grant = grant;
        event.upstream = upstream;
        Some(event)
    }
}

/// The record of one attempt that another followed.
fn record_of(intent: &AuditEvent, failed: FailedAttempt, now: Timestamp) -> AuditEvent {
    let mut event = intent.clone();
    event.time = now;
    event.phase = Phase::Attempt;
    event.outcome = Outcome::Failed {
        code: failed.code,
        reason: failed.reason,
    };
    event.upstream = Some(failed.upstream);
    event.facts = vec![("duration_ms", failed.duration.as_millis().to_string())];
    event
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let orphan = UpstreamFacts {
            orphan_possible: self.journal.was_sent(),
            ..UpstreamFacts::default()
        };
        if let Some(event) = self.finish(Outcome::Abandoned, None, Some(orphan)) {
            drop(self.audit.append(event));
        }
    }
}
