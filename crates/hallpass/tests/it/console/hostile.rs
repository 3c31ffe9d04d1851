//! Text that others wrote stays text.

use serde_json::json;

use super::Place;
use crate::support::{post, send};

/// What a hostile user may call themselves: markup, a turned direction, what
/// can't be seen, and more than fits.
const SUBJECT: &str =
    "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\u{202e}gnp.exe\u{200b}";
const AGENT: &str = "</pre></td><svg onload=alert(3)>";

/// What no page may hold as it is.
const RAW: [&str; 6] = [
    "<script>alert",
    "<img src=x",
    "<svg onload",
    "\"'&<",
    "\u{202e}",
    "\u{200b}",
];

/// A page less what stands in its fields, which is what the operator typed.
fn without_fields(page: &str) -> String {
    let mut parts = page.split(" value=\"");
    let mut rest = parts.next().unwrap_or("").to_owned();
    for part in parts {
        rest.push_str(part.split_once('"').map_or("", |(_, after)| after));
    }
    rest
}

#[tokio::test]
async fn hostile_names_agents_and_interviews_are_shown_and_do_nothing() {
    let place = Place::start();
    let long = "x".repeat(256);
    for (subject, session_id) in [(SUBJECT, SUBJECT), (&long, &long)] {
        let token = place.site.token(subject, 600);
        let url = place.serve.url("/api/generate-client-secret");
        let body = json!({"session_id": session_id});
        let request = post(&place.serve.client, &url, &token, &body);
        let answer = send(request.header("user-agent", AGENT)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let _socket = place.session(SUBJECT).await;
    let signed = place.sign_in(&place.operator).await;
    let fields = [("kind", "subject"), ("target", SUBJECT), ("reason", AGENT)];
    assert_eq!(
        signed.post("/console/revocations", &fields).await.status,
        303
    );
    // The users are counted a moment after they were recorded.
    for path in ["/console/users", "/console/usage?by=subject"] {
        while !signed.get(path).await.text.contains("&lt;script&gt;") {
            // Each look is a record, and a page of the trail shows fifty.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    let records = place.site.trail().all();
    let mint = records
        .iter()
        .find(|it| it.action() == "grant.create" && !it.is_intent())
        .unwrap()
        .sequence();
    let search = format!(
        "/console/audit?subject={}",
        url::form_urlencoded::byte_serialize(SUBJECT.as_bytes()).collect::<String>()
    );
    let record = format!("/console/audit/{mint}");
    let paths = [
        "/console/",
        "/console/sessions",
        "/console/users",
        "/console/usage?by=subject",
        "/console/audit",
        &search,
        &record,
        "/console/revocations",
    ];
    for path in paths {
        let page = signed.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let text = without_fields(&page.text);
        for raw in RAW {
            assert!(!text.contains(raw), "{raw} in {path}: {text}");
        }
        assert!(
            page.text.contains("&lt;script&gt;alert(1)"),
            "{path}: {}",
            page.text
        );
    }
    let page = signed.get(&record).await.text;
    assert!(page.contains("\\u{202e}gnp.exe\\u{200b}"), "{page}");
    assert!(page.contains("&lt;svg onload"), "the agent, too");
}

#[tokio::test]
async fn a_hostile_address_is_answered_and_shown_as_text() {
    let place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for (path, status) in [
        (
            format!("/console/audit?subject={hostile}&action={hostile}"),
            200,
        ),
        (format!("/console/audit?since={hostile}"), 400),
        ("/console/audit?address=here".to_owned(), 400),
        (format!("/console/audit?before={hostile}"), 200),
        (format!("/console/audit/{hostile}"), 404),
        ("/console/audit/18446744073709551615".to_owned(), 404),
        (format!("/console/?range={hostile}"), 200),
        (format!("/console/usage?range={hostile}&by={hostile}"), 200),
        (
            format!("/console/revocations?kind={hostile}&target={hostile}"),
            200,
        ),
        (format!("/console/{hostile}"), 404),
    ] {
        let page = signed.get(&path).await;
        assert_eq!(page.status, status, "{path}: {}", page.text);
        assert!(!page.text.contains("<script>alert"), "{path}");
    }
}

#[tokio::test]
async fn a_record_that_was_changed_is_said_to_be() {
    let place = Place::start();
    for _ in 0..3 {
        place.mint(&json!({"profile": "interview"})).await;
    }
    let signed = place.sign_in(&place.operator).await;
    let trail = place.site.trail();
    let record = trail
        .all()
        .into_iter()
        .find(|it| it.action() == "grant.create");
    let number = record.unwrap().sequence();
    // Signed within a second, and good.
    let good = loop {
        let page = signed.get(&format!("/console/audit/{number}")).await.text;
        if page.contains("Signed: it is among the") {
            break page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(
        good.contains("It was not changed since it was written."),
        "{good}"
    );
    assert!(good.contains("Chain: it and the record before it fit."));

    let segment = trail.segments().remove(0);
    let text = std::fs::read_to_string(&segment).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let place_of = usize::try_from(number).unwrap();
    lines[place_of] = lines[place_of].replacen("\"caller\"", "\"callex\"", 1);
    std::fs::write(&segment, lines.join("\n") + "\n").unwrap();
    let bad = signed.get(&format!("/console/audit/{number}")).await.text;
    assert!(bad.contains("It is not what was written."), "{bad}");
    assert!(bad.contains("the record was changed: its hash does not match"));
}
