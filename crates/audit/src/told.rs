//! A look at a record without its line: what the line will say.

use std::borrow::Cow;

use hallpass_core::audit::{AuditEvent, Outcome, Phase};
use jiff::Timestamp;

use crate::{
    facts::code_and_reason,
    stored::OutcomeKind,
    summary::{Facts, RecordSummary},
};

impl<'a> RecordSummary<'a> {
    /// What [`RecordSummary::of`] reads of an event's line.
    pub(crate) fn told(event: &'a AuditEvent) -> Option<Self> {
        if event.phase != Phase::Outcome {
            return None;
        }
        let (grant, draft) = (event.grant.as_deref(), event.draft.as_deref());
        let caller = event.caller.as_deref();
        let subject = grant.map(|grant| &grant.subject);
        let subject = subject.or_else(|| caller.map(|caller| &caller.subject));
        let profile = grant.map(|grant| &grant.profile);
        let profile = profile.or_else(|| draft.map(|draft| &draft.profile));
        let mode = grant.map(|grant| grant.mode);
        let mode = mode.or_else(|| draft.map(|draft| draft.mode));
        let facts = Facts::Told(&event.facts);
        Some(Self {
            // A line tells milliseconds.
            time: Timestamp::from_millisecond(event.time.as_millisecond()).ok()?,
            action: Some(event.action),
            outcome: kind(&event.outcome),
            code: code_and_reason(&event.outcome).0.map(Cow::Borrowed),
            subject: subject.map(|it| Cow::Borrowed(it.as_str())),
            scheme: caller.map(|caller| Cow::Borrowed(caller.scheme.name())),
            profile: profile
                .map(|it| Cow::Borrowed(it.as_str()))
                .or_else(|| facts.get("profile")),
            mode: mode
                .map(|it| Cow::Borrowed(it.into()))
                .or_else(|| facts.get("mode")),
            is_request: event.request.is_some(),
            facts,
        })
    }
}

const fn kind(outcome: &Outcome) -> OutcomeKind {
    match outcome {
        Outcome::Pending => OutcomeKind::Pending,
        Outcome::Success => OutcomeKind::Success,
        Outcome::Refused { .. } => OutcomeKind::Refused,
        Outcome::Failed { .. } => OutcomeKind::Failed,
        Outcome::Abandoned => OutcomeKind::Abandoned,
    }
}
