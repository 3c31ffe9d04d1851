//! Ending, revoking and lifting from the console, and who may not.

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message;

use super::{Place, form};
use crate::support::send;

/// Every form that does something, and what it would be recorded as.
const FORMS: [(&str, &str); 6] = [
    ("/console/sessions/ls_1/end", "session.end"),
    ("/console/keys/k/revoke", "key.revoke"),
    ("/console/revocations", "revocation.add"),
    ("/console/revocations/rv_1/lift", "revocation.lift"),
    ("/console/upstreams/openai/breaker", "admin.request"),
    ("/console/alerts/al_1/acknowledge", "alert.acknowledge"),
];

#[tokio::test]
async fn the_button_ends_a_session_and_its_user_is_told() {
    let place = Place::start();
    let mut socket = place.session("interview-7").await;
    let signed = place.sign_in(&place.operator).await;
    let page = signed.get("/console/sessions").await;
    assert!(page.text.contains("interview-7"));
    let id = place.live().await[0]["id"].as_str().unwrap().to_owned();
    let action = format!("/console/sessions/{id}/end");
    assert!(
        page.text.contains(&format!("action=\"{action}\"")),
        "{}",
        page.text
    );
    let ended = signed.post(&action, &[("reason", "candidate asked")]).await;
    assert_eq!(ended.header("location"), "/console/sessions?ended=1");
    let close = loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => break frame,
            Some(Ok(_)) => {}
            other => panic!("no close: {other:?}"),
        }
    };
    assert_eq!(u16::from(close.code), 1008);
    let records = place.site.trail().all();
    let record = records
        .iter()
        .find(|it| it.action() == "session.end" && it.fact("reason") == "candidate asked");
    let key = place.operator.split('_').nth(2).unwrap();
    let credential = &record.unwrap().0["unmapped"]["hallpass"]["credential"]["id"];
    assert_eq!(credential, key);
    while !place.live().await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(signed.post(&action, &[]).await.status, 404, "it is over");
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let place = Place::start();
    let _socket = place.session("i-1").await;
    let signed = place.sign_in(&place.operator).await;
    let id = place.live().await[0]["id"].as_str().unwrap().to_owned();
    let action = format!("/console/sessions/{id}/end");
    let own = place.serve.admin_url("");
    let csrf = signed.csrf.as_str();
    let cases: [(&str, &[(&str, &str)]); 7] = [
        (csrf, &[]),
        (csrf, &[("origin", "https://evil.test")]),
        (csrf, &[("origin", "null")]),
        (csrf, &[("origin", &own), ("sec-fetch-site", "cross-site")]),
        (csrf, &[("origin", &own), ("sec-fetch-site", "same-site")]),
        ("", &[("origin", &own)]),
        (
            "AAAA",
            &[("origin", &own), ("sec-fetch-site", "same-origin")],
        ),
    ];
    for (token, headers) in cases {
        let mut request = form(&place.serve, &action, &[("csrf", token)]);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(request.header("cookie", &signed.cookie)).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.text.contains("cross_site_request"));
    }
    assert_eq!(place.live().await.len(), 1, "it lives");
    let refused = place.site.trail().all();
    let refused = refused
        .iter()
        .filter(|it| it.code() == "cross_site_request");
    assert_eq!(refused.count(), cases.len());
}

#[tokio::test]
async fn a_reader_sees_no_button_and_is_refused_all_the_same() {
    let place = Place::start();
    let _socket = place.session("i-1").await;
    let reader = place.sign_in(&place.auditor).await;
    let paths = [
        "/console/",
        "/console/sessions",
        "/console/users",
        "/console/usage",
        "/console/alerts",
        "/console/revocations",
        "/console/keys",
        "/console/audit",
    ];
    for path in paths {
        let page = reader.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert!(!page.text.contains("popovertarget"), "a button in {path}");
        let forms = page.text.matches("method=\"post\"").count();
        assert_eq!(forms, 1, "only the sign-out in {path}");
    }
    assert!(reader.get("/console/sessions").await.text.contains("i-1"));
    for (path, _) in FORMS {
        let answer = reader
            .post(path, &[("kind", "all"), ("state", "open")])
            .await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("permission_denied"), "{path}");
    }
    assert_eq!(place.live().await.len(), 1);
    let key = place.auditor.split('_').nth(2).unwrap();
    for (path, action) in FORMS {
        let records = place.site.trail().all();
        let recorded = records.iter().any(|it| {
            it.action() == action
                && it.code() == "permission_denied"
                && it.0["unmapped"]["hallpass"]["credential"]["id"] == key
        });
        assert!(recorded, "{path} is in the trail");
    }
}

#[tokio::test]
async fn who_may_read_usage_alone_sees_that_alone() {
    let place = Place::start();
    let signed = place.sign_in(&place.accountant).await;
    let overview = signed.get("/console/").await.text;
    assert!(overview.contains("href=\"/console/users\""));
    assert!(overview.contains("href=\"/console/usage\""));
    assert_eq!(signed.get("/console/usage").await.status, 200);
    for hidden in [
        "/console/sessions",
        "/console/audit",
        "/console/keys",
        "/console/revocations",
    ] {
        assert!(
            !overview.contains(&format!("href=\"{hidden}\"")),
            "{hidden}"
        );
        assert_eq!(signed.get(hidden).await.status, 403, "{hidden}");
    }
    assert!(!overview.contains("data-table=\"sessions\""));
    assert_eq!(
        signed.get("/console/events?view=sessions").await.status,
        403
    );
}

#[tokio::test]
async fn a_revocation_says_what_it_reached_and_what_it_could_not() {
    let place = Place::start();
    let _socket = place.session("i-1").await;
    let direct = serde_json::json!({"profile": "interview", "expires_after": {"anchor": "created_at", "seconds": 600}});
    assert_eq!(place.mint(&direct).await.status, 201);
    let signed = place.sign_in(&place.operator).await;
    let wrong = signed
        .post("/console/revocations", &[("kind", "subject")])
        .await;
    assert_eq!(wrong.status, 400);
    let fields = [
        ("kind", "subject"),
        ("target", "caller"),
        ("reason", "case 17"),
    ];
    let added = signed.post("/console/revocations", &fields).await;
    assert_eq!(added.header("location"), "/console/revocations?added=1");
    let page = signed.get("/console/revocations").await.text;
    for says in [
        "2 grants, 1 live session",
        "1 direct secret for",
        "case 17",
        "in force",
    ] {
        assert!(page.contains(says), "{says} in {page}");
    }
    assert_eq!(place.mint(&direct).await.code(), "access_revoked");
    let id = super::between(&page, "/console/revocations/", "/lift").to_owned();
    let lifted = signed
        .post(&format!("/console/revocations/{id}/lift"), &[])
        .await;
    assert_eq!(lifted.header("location"), "/console/revocations?lifted=1");
    assert_eq!(place.mint(&direct).await.status, 201);
    assert!(
        signed
            .get("/console/revocations?show=all")
            .await
            .text
            .contains("lifted")
    );
}

#[tokio::test]
async fn a_breaker_is_held_by_hand() {
    let place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let held = signed
        .post("/console/upstreams/openai/breaker", &[("state", "open")])
        .await;
    assert_eq!(held.status, 303, "{}", held.text);
    assert!(signed.get("/console/").await.text.contains("open, by hand"));
    let direct = serde_json::json!({"profile": "interview"});
    assert_eq!(place.mint(&direct).await.status, 503);
    let wrong = signed
        .post("/console/upstreams/none/breaker", &[("state", "open")])
        .await;
    assert_eq!(wrong.status, 404);
}
