//! A record's body: everything but its number and its place in the chain.

use std::net::IpAddr;

use hallpass_core::{
    audit::{AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::{Caller, Scheme},
    grant::{Grant, GrantDraft, Mode},
    ids::RoleName,
    request::RequestFacts,
};
use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    escape::LineFormatter,
    line::{MAX_LINE, MAX_SEAL},
    ocsf::{self, Class, Kind, PRODUCT},
};

/// A record is longer than a line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Writes a record's body, still open within `unmapped.hallpass`.
pub(crate) fn encode(kind: Kind, event: &AuditEvent) -> Result<Vec<u8>, TooLarge> {
    let mut body = Vec::with_capacity(1536);
    let mut serializer = serde_json::Serializer::with_formatter(&mut body, LineFormatter);
    // Nothing in a body fails to serialise: no map has keys but texts.
    Body::of(kind, event)
        .serialize(&mut serializer)
        .map_err(|_| TooLarge)?;
    body.truncate(body.len().saturating_sub(CLOSING.len()));
    if body.len() + MAX_SEAL > MAX_LINE {
        return Err(TooLarge);
    }
    Ok(body)
}

/// What closes `hallpass`, `unmapped` and the record; the seal goes before it.
const CLOSING: &str = "}}}";

#[derive(Serialize)]
struct Body<'a> {
    #[serde(serialize_with = "milliseconds")]
    time_dt: Timestamp,
    time: i64,
    category_uid: u32,
    class_uid: u32,
    activity_id: u32,
    type_uid: u32,
    severity_id: u32,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    actor: Actor<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<App>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Entity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<Api<'a>>,
    src_endpoint: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_request: Option<HttpRequest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<[Resource<'a>; 1]>,
    // Last, so that the seal can go on within it.
    unmapped: Unmapped<'a>,
}

impl<'a> Body<'a> {
    fn of(kind: Kind, event: &'a AuditEvent) -> Self {
        let (status_id, status) = ocsf::status(&event.outcome);
        let (code, reason) = code_and_reason(&event.outcome);
        let request = event.request.as_deref();
        let class = kind.class;
        Self {
            time_dt: event.time,
            time: event.time.as_millisecond(),
            category_uid: class.uid() / 1000,
            class_uid: class.uid(),
            activity_id: kind.activity,
            type_uid: kind.type_uid(),
            severity_id: ocsf::severity(kind, &event.outcome),
            status_id,
            status,
            status_code: code,
            status_detail: reason,
            actor: Actor::of(event),
            user: (class == Class::Authentication).then(|| User::of(event)),
            service: (class == Class::Authentication).then_some(Named { name: PRODUCT }),
            app: (class == Class::ApplicationLifecycle).then_some(App::OURS),
            entity: (class == Class::EntityManagement).then(|| Entity::of(kind, event)),
            api: (class == Class::ApiActivity).then(|| Api::of(kind, request)),
            src_endpoint: Endpoint::of(request),
            http_request: request.map(HttpRequest::of),
            resources: grant_id(event).map(|uid| [Resource { kind: "grant", uid }]),
            unmapped: Unmapped {
                hallpass: Ours::of(kind, event, code, reason),
            },
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

fn grant_id(event: &AuditEvent) -> Option<&str> {
    let issued = event.grant.as_ref().map(|grant| grant.id.as_str());
    issued.or_else(|| event.draft.as_ref().map(|draft| draft.id.as_str()))
}

fn milliseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    serializer.serialize_str(&PRINTER.timestamp_to_string(time))
}

/// Who did it: a user, one that is not known, or the server itself.
#[derive(Serialize)]
struct Actor<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'static str>,
}

impl<'a> Actor<'a> {
    fn of(event: &'a AuditEvent) -> Self {
        let by_request = event.caller.is_some() || event.request.is_some();
        Self {
            user: by_request.then(|| User::of(event)),
            app_name: (!by_request).then_some(PRODUCT),
        }
    }
}

#[derive(Serialize)]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a str>,
}

impl<'a> User<'a> {
    fn of(event: &'a AuditEvent) -> Self {
        let caller = event.caller.as_deref();
        let credential = caller.map(|caller| &caller.credential);
        Self {
            uid: caller.map(|caller| caller.subject.as_str()),
            name: caller.is_none().then_some("unknown"),
            credential_uid: credential
                .or(event.credential.as_ref())
                .map(|id| id.as_str()),
        }
    }
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
}

#[derive(Serialize)]
struct App {
    name: &'static str,
    vendor_name: &'static str,
}

impl App {
    const OURS: Self = Self {
        name: PRODUCT,
        vendor_name: PRODUCT,
    };
}

#[derive(Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
}

impl<'a> Entity<'a> {
    fn of(kind: Kind, event: &'a AuditEvent) -> Self {
        let name = if kind.name.starts_with("key.") {
            "API key"
        } else {
            "configuration"
        };
        let key = event.facts.iter().find(|(name, _)| *name == "key");
        Self {
            kind: name,
            name,
            uid: key.map(|(_, id)| id.as_str()),
        }
    }
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Uid<'a>>,
}

impl<'a> Api<'a> {
    fn of(kind: Kind, request: Option<&'a RequestFacts>) -> Self {
        Self {
            operation: kind.name,
            request: request.map(|request| Uid {
                uid: request.id.as_str(),
            }),
        }
    }
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a str,
}

/// Where it came from: an address, one that is not known, or the server itself.
#[derive(Serialize)]
struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
}

impl Endpoint {
    fn of(request: Option<&RequestFacts>) -> Self {
        let ip = request.and_then(|request| request.address);
        let name = match (request, ip) {
            (_, Some(_)) => None,
            (Some(_), None) => Some("unknown"),
            (None, None) => Some(PRODUCT),
        };
        Self { ip, name }
    }
}

#[derive(Serialize)]
struct HttpRequest<'a> {
    uid: &'a str,
    http_method: &'static str,
    url: Url,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<[Header<'a>; 1]>,
}

impl<'a> HttpRequest<'a> {
    fn of(request: &'a RequestFacts) -> Self {
        let origin = request.origin.as_deref().map(|value| Header {
            name: "Origin",
            value,
        });
        Self {
            uid: request.id.as_str(),
            http_method: request.method,
            url: Url {
                path: request.route,
            },
            user_agent: request.user_agent.as_deref(),
            http_headers: origin.map(|origin| [origin]),
        }
    }
}

#[derive(Serialize)]
struct Url {
    path: &'static str,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    uid: &'a str,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    hallpass: Ours<'a>,
}

/// Hallpass's own facts.
#[derive(Serialize)]
struct Ours<'a> {
    action: &'static str,
    phase: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
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
    fn of(
        kind: Kind,
        event: &'a AuditEvent,
        code: Option<&'static str>,
        reason: Option<&'a str>,
    ) -> Self {
        let caller = event.caller.as_deref();
        let announced = event.draft.as_deref().filter(|_| event.grant.is_none());
        Self {
            action: kind.name,
            phase: match event.phase {
                Phase::Intent => "intent",
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
