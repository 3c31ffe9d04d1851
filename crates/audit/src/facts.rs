//! Hallpass's own facts of a record: `unmapped.hallpass`.

use hallpass_core::{
    audit::{AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::{Caller, Scheme},
    grant::{Grant, GrantDraft, Mode},
    ids::RoleName,
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::ocsf::Kind;

/// Hallpass's own facts.
#[derive(Serialize)]
pub(crate) struct Ours<'a> {
    action: &'static str,
    phase: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Credential<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [RoleName],
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<Draft<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a Grant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<Upstream<'a>>,
    #[serde(skip_serializing_if = "Facts::is_empty")]
    facts: Facts<'a>,
}

impl<'a> Ours<'a> {
    pub(crate) fn of(kind: Kind, event: &'a AuditEvent) -> Self {
        let (code, reason) = code_and_reason(&event.outcome);
        let caller = event.caller.as_deref();
        let announced = event.draft.as_deref().filter(|_| event.grant.is_none());
        Self {
            action: kind.name,
            phase: match event.phase {
                Phase::Intent => "intent",
                Phase::Attempt => "attempt",
                Phase::Outcome => "outcome",
            },
            outcome: outcome_name(&event.outcome),
            code,
            reason,
            credential: Credential::of(event),
            roles: caller.map_or(&[], |caller| &caller.roles),
            tenant: caller.and_then(|caller| Some(caller.tenant.as_ref()?.as_str())),
            session_id: session_id(event),
            draft: announced.map(Draft::of),
            grant: event.grant.as_deref(),
            upstream: event.upstream.as_ref().map(Upstream::of),
            facts: Facts(&event.facts),
        }
    }
}

fn code_and_reason(outcome: &Outcome) -> (Option<&'static str>, Option<&str>) {
    match outcome {
        Outcome::Refused { code, reason } | Outcome::Failed { code, reason } => {
            (Some(code.as_str()), reason.as_deref())
        }
        Outcome::Pending | Outcome::Success | Outcome::Abandoned => (None, None),
    }
}

/// The interview a record belongs to.
fn session_id(event: &AuditEvent) -> Option<&str> {
    let grant = event.grant.as_ref().map(|grant| &grant.session_id);
    let draft = event.draft.as_ref().map(|draft| &draft.session_id);
    let caller = event.caller.as_ref().map(|caller| &caller.session_id);
    let bound = grant.or(draft).and_then(Option::as_ref);
    bound
        .or_else(|| caller.and_then(Option::as_ref))
        .map(|id| id.as_str())
}

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pending => "pending",
        Outcome::Success => "success",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed { .. } => "failed",
        Outcome::Abandoned => "abandoned",
    }
}

#[derive(Serialize)]
struct Credential<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<Scheme>,
    id: &'a str,
}

impl<'a> Credential<'a> {
    fn of(event: &'a AuditEvent) -> Option<Self> {
        let known = |caller: &'a Caller| Self {
            scheme: Some(caller.scheme),
            id: caller.credential.as_str(),
        };
        let refused = event.credential.as_ref();
        event.caller.as_deref().map(known).or_else(|| {
            Some(Self {
                scheme: None,
                id: refused?.as_str(),
            })
        })
    }
}

#[derive(Serialize)]
struct Draft<'a> {
    id: &'a str,
    lineage: &'a str,
    profile: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    mode: Mode,
    expires_after_seconds: u32,
}

impl<'a> Draft<'a> {
    fn of(draft: &'a GrantDraft) -> Self {
        Self {
            id: draft.id.as_str(),
            lineage: draft.lineage.as_str(),
            profile: draft.profile.as_str(),
            session_id: draft.session_id.as_ref().map(|id| id.as_str()),
            mode: draft.mode,
            expires_after_seconds: draft.expires_after_seconds,
        }
    }
}

#[derive(Serialize)]
struct Upstream<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    orphan_possible: bool,
}

impl<'a> Upstream<'a> {
    fn of(facts: &'a UpstreamFacts) -> Self {
        Self {
            name: facts.name.as_deref(),
            request_id: facts.request_id.as_deref(),
            status: facts.status,
            orphan_possible: facts.orphan_possible,
        }
    }
}

struct Facts<'a>(&'a [(&'static str, String)]);

impl Facts<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
