//! Hallpass's own facts of a record: `unmapped.hallpass`.

use hallpass_core::{
    audit::{AuditEvent, Outcome, Phase, UpstreamFacts},
    grant::{Grant, GrantDraft},
    ids::RoleName,
};

use jiff::fmt::temporal::DateTimePrinter;

use crate::{json::Object, ocsf::Kind};

/// A grant's times are read back, so they keep every digit.
const EXACT: DateTimePrinter = DateTimePrinter::new();

/// Writes the facts of an event.
pub(crate) fn write(ours: &mut Object<'_>, kind: Kind, event: &AuditEvent) {
    let (code, reason) = code_and_reason(&event.outcome);
    let caller = event.caller.as_deref();
    ours.word("action", kind.name);
    ours.word("phase", phase_name(event.phase));
    ours.word("outcome", outcome_name(&event.outcome));
    ours.text_if("code", code);
    ours.text_if("reason", reason);
    write_credential(ours, event);
    if let Some(caller) = caller.filter(|caller| !caller.roles.is_empty()) {
        ours.texts("roles", caller.roles.iter().map(RoleName::as_str));
    }
    ours.text_if(
        "tenant",
        caller.and_then(|caller| Some(caller.tenant.as_ref()?.as_str())),
    );
    ours.text_if("session_id", session_id(event));
    match (&event.grant, &event.draft) {
        (Some(grant), _) => ours.object("grant", |members| write_grant(members, grant)),
        (None, Some(draft)) => ours.object("draft", |members| write_draft(members, draft)),
        (None, None) => {}
    }
    if let Some(upstream) = &event.upstream {
        ours.object("upstream", |members| write_upstream(members, upstream));
    }
    if !event.facts.is_empty() {
        ours.object("facts", |members| {
            for (name, value) in &event.facts {
                members.text(name, value);
            }
        });
    }
}

/// The stable code of a refusal or failure, and its finer reason.
pub(crate) fn code_and_reason(outcome: &Outcome) -> (Option<&'static str>, Option<&str>) {
    match outcome {
        Outcome::Refused { code, reason } | Outcome::Failed { code, reason } => {
            (Some(code.as_str()), reason.as_deref())
        }
        Outcome::Pending | Outcome::Success | Outcome::Abandoned => (None, None),
    }
}

/// The interview a record belongs to.
pub(crate) fn session_id(event: &AuditEvent) -> Option<&str> {
    let grant = event.grant.as_ref().map(|grant| &grant.session_id);
    let draft = event.draft.as_ref().map(|draft| &draft.session_id);
    let caller = event.caller.as_ref().map(|caller| &caller.session_id);
    let bound = grant.or(draft).and_then(Option::as_ref);
    bound
        .or_else(|| caller.and_then(Option::as_ref))
        .map(|id| id.as_str())
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Intent => "intent",
        Phase::Attempt => "attempt",
        Phase::Outcome => "outcome",
    }
}

pub(crate) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "pending",
        Outcome::Success => "success",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed { .. } => "failed",
        Outcome::Abandoned => "abandoned",
    }
}

/// The credential that was used, or the one that was refused.
fn write_credential(ours: &mut Object<'_>, event: &AuditEvent) {
    if let Some(caller) = &event.caller {
        ours.object("credential", |members| {
            members.word("scheme", caller.scheme.name());
            members.text("id", caller.credential.as_str());
        });
    } else if let Some(id) = &event.credential {
        ours.object("credential", |members| members.text("id", id.as_str()));
    }
}

fn write_draft(members: &mut Object<'_>, draft: &GrantDraft) {
    members.text("id", draft.id.as_str());
    members.text("lineage", draft.lineage.as_str());
    members.text("profile", draft.profile.as_str());
    members.text_if(
        "session_id",
        draft.session_id.as_ref().map(|id| id.as_str()),
    );
    members.word("mode", draft.mode.into());
    members.number("expires_after_seconds", draft.expires_after_seconds);
}

/// A grant, as its own deserialiser reads it.
fn write_grant(members: &mut Object<'_>, grant: &Grant) {
    members.text("id", grant.id.as_str());
    members.text("lineage", grant.lineage.as_str());
    members.word("state", grant.state.into());
    members.text("subject", grant.subject.as_str());
    members.text("credential", grant.credential.as_str());
    members.text("profile", grant.profile.as_str());
    members.text_or_null(
        "session_id",
        grant.session_id.as_ref().map(|id| id.as_str()),
    );
    members.word("mode", grant.mode.into());
    members.time("created_at", grant.created_at, &EXACT);
    members.time("expires_at", grant.expires_at, &EXACT);
    members.time("refresh_after", grant.refresh_after, &EXACT);
    members.text("secret_last4", &grant.secret_last4);
    members.text("secret_hash", &grant.secret_hash);
    match grant.address {
        Some(address) => members.address("address", address),
        None => members.text_or_null("address", None),
    }
    members.text_or_null("user_agent", grant.user_agent.as_deref());
    members.text("request_id", grant.request_id.as_str());
    members.text_or_null("upstream_request_id", grant.upstream_request_id.as_deref());
    if let Some(refreshed) = &grant.refresh_of {
        members.object("refresh_of", |before| {
            before.text("grant", refreshed.grant.as_str());
            before.time("lineage_started_at", refreshed.lineage_started_at, &EXACT);
        });
    }
    members.text_if(
        "superseded_by",
        grant.superseded_by.as_ref().map(|id| id.as_str()),
    );
}

fn write_upstream(members: &mut Object<'_>, facts: &UpstreamFacts) {
    members.text_if("name", facts.name.as_deref());
    members.text_if("request_id", facts.request_id.as_deref());
    if let Some(status) = facts.status {
        members.number("status", status);
    }
    members.truth("orphan_possible", facts.orphan_possible);
}

#[cfg(test)]
mod tests {
    use hallpass_core::{
        Timestamp,
        grant::{GrantState, RefreshOf},
        ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, SessionId, Subject},
    };
    use serde_json::Value;

    use super::*;

    fn grant(full: bool) -> Grant {
        let time = |nanos| Timestamp::new(1_795_383_954, nanos).unwrap();
        Grant {
            id: GrantId::new("gr_1").unwrap(),
            lineage: LineageId::new("ln_1").unwrap(),
            state: GrantState::Active,
            subject: Subject::new("user \"1\"").unwrap(),
            credential: CredentialId::new("app").unwrap(),
            profile: ProfileName::new("interview").unwrap(),
            session_id: full.then(|| SessionId::new("i-1").unwrap()),
            mode: hallpass_core::grant::Mode::Direct,
            created_at: time(123_456_789),
            expires_at: time(0),
            refresh_after: time(500_000_000),
            secret_last4: "abcd".to_owned(),
            secret_hash: "00ff".to_owned(),
            address: full.then(|| "2001:db8::1".parse().unwrap()),
            user_agent: full.then(|| "agent".to_owned()),
            request_id: RequestId::new("req_1").unwrap(),
            upstream_request_id: full.then(|| "up_1".to_owned()),
            refresh_of: full.then(|| RefreshOf {
                grant: GrantId::new("gr_0").unwrap(),
                lineage_started_at: time(1),
            }),
            superseded_by: full.then(|| GrantId::new("gr_2").unwrap()),
        }
    }

    #[test]
    fn a_grant_is_written_as_its_own_serialiser_writes_it() {
        for full in [true, false] {
            let mut out = Vec::new();
            let mut members = Object::begin(&mut out);
            write_grant(&mut members, &grant(full));
            members.end();
            let written: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(written, serde_json::to_value(grant(full)).unwrap());
        }
    }
}
