//! A record's body: everything but its number and its place in the chain.

use std::cell::RefCell;

use hallpass_core::{audit::AuditEvent, request::RequestFacts};
use jiff::fmt::temporal::DateTimePrinter;

use crate::{
    facts,
    json::Object,
    line::{MAX_LINE, MAX_SEAL},
    ocsf::{self, Class, Kind, PRODUCT},
};

/// OCSF's times are in milliseconds.
const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// A record is longer than a line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Room that a thread keeps for the bodies it writes, in bytes.
const KEPT_ROOM: usize = 1 << 16;

thread_local! {
    /// Where a thread writes one body after the other: room it used a moment
    /// ago is in the processor's cache, new room is not.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's room for a body.
pub(crate) fn in_room<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    ROOM.with_borrow_mut(|body| {
        body.clear();
        body.shrink_to(KEPT_ROOM);
        write(body)
    })
}

/// Writes a record's body, still open within `unmapped.hallpass`, so that the
/// seal can go on within it.
pub(crate) fn encode(body: &mut Vec<u8>, kind: Kind, event: &AuditEvent) -> Result<(), TooLarge> {
    let mut record = Object::begin(body);
    write_base(&mut record, kind, event);
    write_class(&mut record, kind, event);
    let request = event.request.as_deref();
    // What the server does to itself comes from nowhere.
    if kind.class != Class::ApplicationLifecycle {
        record.object("src_endpoint", |endpoint| write_endpoint(endpoint, request));
    }
    if let Some(request) = request {
        record.object("http_request", |http| write_request(http, request));
    }
    if let Some(uid) = grant_id(event) {
        record.only("resources", |resource| {
            resource.word("type", "grant");
            resource.text("uid", uid);
        });
    }
    let mut hallpass = record.open("unmapped").open("hallpass");
    facts::write(&mut hallpass, kind, event);
    if body.len() + MAX_SEAL > MAX_LINE {
        return Err(TooLarge);
    }
    Ok(())
}

/// What every OCSF event has.
fn write_base(record: &mut Object<'_>, kind: Kind, event: &AuditEvent) {
    let (status_id, status) = ocsf::status(&event.outcome);
    let (code, reason) = facts::code_and_reason(&event.outcome);
    let class = kind.class;
    record.time("time_dt", event.time, &MILLISECONDS);
    record.number("time", event.time.as_millisecond());
    record.number("category_uid", class.uid() / 1000);
    record.number("class_uid", class.uid());
    record.number("activity_id", kind.activity);
    record.number("type_uid", kind.type_uid());
    record.number("severity_id", ocsf::severity(kind, &event.outcome));
    record.number("status_id", status_id);
    record.text_if("status", status);
    record.text_if("status_code", code);
    record.text_if("status_detail", reason);
    record.object("actor", |actor| write_actor(actor, event));
}

/// What the event's class asks for.
fn write_class(record: &mut Object<'_>, kind: Kind, event: &AuditEvent) {
    match kind.class {
        Class::Authentication => {
            record.object("user", |user| write_user(user, event));
            record.object("service", |service| service.word("name", PRODUCT));
        }
        Class::ApplicationLifecycle => record.object("app", |app| {
            app.word("name", PRODUCT);
            app.word("vendor_name", PRODUCT);
        }),
        Class::EntityManagement => {
            record.object("entity", |entity| write_entity(entity, kind, event));
        }
        Class::ApiActivity => record.object("api", |api| api.word("operation", kind.name)),
    }
}

fn grant_id(event: &AuditEvent) -> Option<&str> {
    let issued = event.grant.as_ref().map(|grant| grant.id.as_str());
    issued.or_else(|| event.draft.as_ref().map(|draft| draft.id.as_str()))
}

/// Who did it: a user, one that is not known, or the server itself.
fn write_actor(actor: &mut Object<'_>, event: &AuditEvent) {
    if event.caller.is_some() || event.request.is_some() {
        actor.object("user", |user| write_user(user, event));
    } else {
        actor.word("app_name", PRODUCT);
    }
}

fn write_user(user: &mut Object<'_>, event: &AuditEvent) {
    let caller = event.caller.as_deref();
    match caller {
        Some(caller) => user.text("uid", caller.subject.as_str()),
        None => user.word("name", "unknown"),
    }
    let credential = caller
        .map(|caller| &caller.credential)
        .or(event.credential.as_ref());
    user.text_if("credential_uid", credential.map(|id| id.as_str()));
}

fn write_entity(entity: &mut Object<'_>, kind: Kind, event: &AuditEvent) {
    let name = match kind.name.split_once('.') {
        Some(("key", _)) => "API key",
        Some(("audit_key", _)) => "audit key",
        _ => "configuration",
    };
    entity.word("type", name);
    entity.word("name", name);
    let key = event.facts.iter().find(|(name, _)| *name == "key");
    entity.text_if("uid", key.map(|(_, id)| id.as_str()));
}

/// Where it came from: an address, one that is not known, or the server itself.
fn write_endpoint(endpoint: &mut Object<'_>, request: Option<&RequestFacts>) {
    match (request, request.and_then(|request| request.address)) {
        (_, Some(address)) => endpoint.address("ip", address),
        (Some(_), None) => endpoint.word("name", "unknown"),
        (None, None) => endpoint.word("name", PRODUCT),
    }
}

fn write_request(http: &mut Object<'_>, request: &RequestFacts) {
    http.text("uid", request.id.as_str());
    http.word("http_method", request.method);
    http.object("url", |url| url.word("path", request.route));
    http.text_if("user_agent", request.user_agent.as_deref());
    if let Some(origin) = &request.origin {
        http.only("http_headers", |header| {
            header.word("name", "Origin");
            header.text("value", origin);
        });
    }
}
