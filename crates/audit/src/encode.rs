//! A record's body: everything but its number and its place in the chain.

use std::net::IpAddr;

use hallpass_core::{audit::AuditEvent, request::RequestFacts};
use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Serialize, Serializer};

use crate::{
    escape::LineFormatter,
    facts::Ours,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
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
    api: Option<Api>,
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
        let hallpass = Ours::of(kind, event);
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
            status_code: hallpass.code,
            status_detail: hallpass.reason,
            actor: Actor::of(event),
            user: (class == Class::Authentication).then(|| User::of(event)),
            service: (class == Class::Authentication).then_some(Named { name: PRODUCT }),
            app: (class == Class::ApplicationLifecycle).then_some(App::OURS),
            entity: (class == Class::EntityManagement).then(|| Entity::of(kind, event)),
            api: (class == Class::ApiActivity).then_some(Api {
                operation: kind.name,
            }),
            src_endpoint: Endpoint::of(request),
            http_request: request.map(HttpRequest::of),
            resources: grant_id(event).map(|uid| [Resource { kind: "grant", uid }]),
            unmapped: Unmapped { hallpass },
        }
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
        let name = match kind.name.split_once('.') {
            Some(("key", _)) => "API key",
            Some(("audit_key", _)) => "audit key",
            _ => "configuration",
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
struct Api {
    operation: &'static str,
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
