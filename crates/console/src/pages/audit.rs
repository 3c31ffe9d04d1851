//! The audit trail, searched; the newest first.

use axum::response::Response;
use hallpass_core::{
    Timestamp, audit::Action, code::Code, permission::Permission, ports::StoreError,
    refusal::Refusal,
};
use hallpass_http::AuditQuery;
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    answer::{known, page},
    form::{Fields, address},
    layout::{self, Frame},
    live::State,
    parts::note,
    text::{short, shown},
    trail::TrailRecord,
    visit::Visit,
    when,
};

/// Records on a page.
const PAGE: usize = 50;

/// What may be searched by: the field, what it is called, and what it takes.
const FIELDS: [(&str, &str, &str); 7] = [
    ("subject", "User", ""),
    ("action", "Action", "grant.create"),
    ("session_id", "Interview", ""),
    ("grant", "Grant or lineage", "gr_…"),
    ("address", "Address", "192.0.2.1"),
    ("since", "From (UTC)", "2026-11-23T08:00"),
    ("until", "Before (UTC)", "2026-11-23T09:00"),
];

const OUTCOMES: [&str; 5] = ["success", "refused", "failed", "pending", "abandoned"];

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::AuditRead, Some(Permission::AuditRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let fields = visit.query();
    let found = match read(&fields) {
        Ok(query) => find(&visit, query, &fields).await,
        Err(wrong) => Ok(Found::wrong(wrong)),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let refusal = entered.slip.refuse(unreadable(&error)).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let mut facts = asked(&fields);
    facts.push(("count", found.records.len().to_string()));
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Audit trail",
        place: "/console/audit",
        events: None,
    };
    let status = match found.wrong {
        Some(_) => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let main = show_found(&fields, &found, visit.now());
    known(
        page(status, layout::page(&frame, &operator, &main)),
        operator.name(),
    )
}

/// The refusal where the trail can't be read.
pub(crate) fn unreadable(error: &StoreError) -> Refusal {
    let text = "The trail can't be read now. Try again; `hallpass audit verify` tells whether it is whole.";
    Refusal::new(Code::StoreUnavailable, text).internal(error.to_string())
}

/// What a search found.
#[derive(Default)]
struct Found {
    records: Vec<TrailRecord>,
    /// Where the page after this one begins.
    older: Option<u64>,
    /// The field that could not be read.
    wrong: Option<&'static str>,
}

impl Found {
    fn wrong(field: &'static str) -> Self {
        Self {
            wrong: Some(field),
            ..Self::default()
        }
    }
}

async fn find(visit: &Visit, query: AuditQuery, fields: &Fields) -> Result<Found, StoreError> {
    let before = fields.get("before").and_then(|number| number.parse().ok());
    // One more than is shown tells whether there is another page.
    let wanted = AuditQuery {
        limit: Some(PAGE + 1),
        ..query
    };
    let mut records = visit.console.trail().latest(wanted, before).await?;
    let more = records.len() > PAGE;
    records.truncate(PAGE);
    let last = records.last().filter(|_| more);
    Ok(Found {
        older: last.map(|record| record.sequence),
        records,
        wrong: None,
    })
}

/// Reads the search; names the field at fault.
fn read(fields: &Fields) -> Result<AuditQuery, &'static str> {
    let time = |name: &'static str| match fields.get(name) {
        Some(text) => read_time(text).map(Some).ok_or(name),
        None => Ok(None),
    };
    let address = fields.get("address").map(str::parse).transpose();
    let outcome = fields.text("outcome");
    if outcome
        .as_deref()
        .is_some_and(|word| !OUTCOMES.contains(&word))
    {
        return Err("outcome");
    }
    Ok(AuditQuery {
        subject: fields.text("subject"),
        grant: fields.text("grant"),
        session_id: fields.text("session_id"),
        action: fields.text("action"),
        outcome,
        address: address.map_err(|_| "address")?,
        since: time("since")?,
        until: time("until")?,
        cursor: None,
        limit: None,
    })
}

/// A time as RFC 3339 or as browsers' fields write it, which is UTC then.
fn read_time(text: &str) -> Option<Timestamp> {
    let whole = text.parse::<Timestamp>().ok();
    whole.or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        let utc = jiff::tz::Offset::UTC.to_timestamp(local);
        utc.ok()
    })
}

/// What was asked for, as the trail keeps it.
fn asked(fields: &Fields) -> Vec<(&'static str, String)> {
    let names = FIELDS.iter().map(|(name, ..)| *name).chain(["outcome"]);
    names
        .filter_map(|name| Some((name, fields.text(name)?)))
        .collect()
}

fn show_found(fields: &Fields, found: &Found, now: Timestamp) -> Markup {
    html! {
        (search(fields))
        @if let Some(field) = found.wrong {
            (note("bad", &format!("The field \"{field}\" can't be read. A time is written 2026-11-23T08:00, an address 192.0.2.1.")))
        }
        section.card {
            div.sheet data-empty[found.records.is_empty()] {
                table {
                    caption.unseen { "Records, the newest first" }
                    thead {
                        tr {
                            @for name in ["Time (UTC)", "Action", "Outcome", "User", "Interview", "From"] { th scope="col" { (name) } }
                            th.number scope="col" { "Record" }
                        }
                    }
                    tbody { @for record in &found.records { (row(record, now)) } }
                }
                p.empty { "No record is like that." }
            }
        }
        nav.pages aria-label="Pages" {
            @if fields.get("before").is_some() { a.button href=(page_address(fields, None)) { "Newest" } }
            @if let Some(older) = found.older { a.button href=(page_address(fields, Some(older))) rel="next" { "Older records" } }
        }
    }
}

fn search(fields: &Fields) -> Markup {
    let chosen = fields.get("outcome").unwrap_or("");
    html! {
        form.search.card method="get" action="/console/audit" role="search" aria-label="Audit trail" {
            @for (name, label, example) in FIELDS {
                div {
                    label for=(name) { (label) }
                    input id=(name) name=(name) value=(fields.get(name).unwrap_or("")) placeholder=(example) autocomplete="off" spellcheck="false";
                }
            }
            div {
                label for="outcome" { "Outcome" }
                select #outcome name="outcome" {
                    option value="" selected[chosen.is_empty()] { "any" }
                    @for outcome in OUTCOMES { option value=(outcome) selected[outcome == chosen] { (outcome) } }
                }
            }
            div.buttons {
                button.primary type="submit" { "Search" }
                a.button href="/console/audit" { "Clear" }
            }
        }
    }
}

fn page_address(fields: &Fields, before: Option<u64>) -> String {
    let before = before.map(|number| number.to_string()).unwrap_or_default();
    let names = FIELDS.iter().map(|(name, ..)| *name).chain(["outcome"]);
    let mut pairs: Vec<(&str, &str)> = names
        .filter_map(|name| Some((name, fields.get(name)?)))
        .collect();
    pairs.push(("before", &before));
    address("/console/audit", &pairs)
}

fn row(record: &TrailRecord, now: Timestamp) -> Markup {
    let code = record
        .code
        .as_deref()
        .map(|code| format!(" · {}", shown(code)));
    let href = format!("/console/audit/{}", record.sequence);
    let announced = record.phase != "outcome";
    html! {
        tr {
            td data-label="Time (UTC)" { time datetime=(when::machine(record.time)) title=(when::in_full(record.time)) { (when::at(record.time, now)) } }
            td data-label="Action" { a href=(href) { (short(&record.action)) } }
            td data-label="Outcome" data-state=(judge(&record.outcome).word()) {
                @if announced { (record.phase) } @else { span.state { (short(&record.outcome)) (code.unwrap_or_default()) } }
            }
            (foreign("User", record.subject.as_deref()))
            (foreign("Interview", record.session_id.as_deref()))
            (foreign("From", record.address.map(|address| address.to_string()).as_deref()))
            td.number data-label="Record" { (record.sequence) }
        }
    }
}

fn foreign(label: &str, text: Option<&str>) -> Markup {
    html! {
        td data-label=(label) title=[text.map(shown)] {
            @match text { Some(text) => { bdi { (short(text)) } }, None => { "–" } }
        }
    }
}

/// Whether an outcome is well.
pub(crate) fn judge(outcome: &str) -> State {
    match outcome {
        "success" => State::Good,
        "refused" | "abandoned" => State::Warn,
        "failed" => State::Bad,
        _ => State::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_and_browsers_write_it() {
        let expected: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        for text in [
            "2026-11-23T08:00:00Z",
            "2026-11-23T08:00",
            "2026-11-23 08:00:00",
            "2026-11-23T09:00:00+01:00",
        ] {
            assert_eq!(read_time(text), Some(expected), "{text}");
        }
        assert_eq!(read_time("yesterday"), None);
    }

    #[test]
    fn a_field_that_can_not_be_read_is_named() {
        let wrong = |query| read(&Fields::of_query(Some(query))).unwrap_err();
        assert_eq!(wrong("address=here"), "address");
        assert_eq!(wrong("since=noon"), "since");
        assert_eq!(wrong("outcome=nice"), "outcome");
        let read = read(&Fields::of_query(Some("subject=&outcome=failed"))).unwrap();
        assert_eq!(
            (read.subject, read.outcome.as_deref()),
            (None, Some("failed"))
        );
    }
}
