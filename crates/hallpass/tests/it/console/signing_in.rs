//! From a key to a session, and what ends one.

use hallpass_core::key::{ApiKey, KEY_RANDOM_BYTES, KeyKind};

use super::{Place, form};
use crate::support::send;

/// What every page says of what it may load.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

fn wrong_key(number: u8) -> String {
    let key = ApiKey::generate(KeyKind::Adm, &[number; KEY_RANDOM_BYTES]);
    key.expose().to_owned()
}

#[tokio::test]
async fn a_key_becomes_a_session_whose_cookie_no_script_and_no_other_site_can_use() {
    let place = Place::start();
    let answer = place.try_key(&place.operator).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/console/")
    );
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("hallpass-console="), "{cookie}");
    let flags = "; Path=/console; HttpOnly; SameSite=Strict; Max-Age=28800";
    assert!(cookie.ends_with(flags), "{cookie}");
    let secret = place.operator.rsplit('_').next().unwrap();
    assert!(!answer.whole().contains(secret), "the key stays out of it");

    let signed = place.sign_in(&place.operator).await;
    for path in [
        "/console/",
        "/console/sessions",
        "/console/audit",
        "/console/none",
    ] {
        let page = signed.get(path).await;
        assert_eq!(page.header("content-security-policy"), POLICY, "{path}");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert!(!page.text.contains("style=\""), "no inline style in {path}");
        assert!(!page.text.contains(secret));
    }
    let id = place.operator.split('_').nth(2).unwrap();
    let records = place.site.trail().all();
    let mut entries = records.iter().filter(|it| it.action() == "console.sign_in");
    assert!(entries.all(|it| it.0["unmapped"]["hallpass"]["credential"]["id"] == id));
    let routes: Vec<_> = records
        .iter()
        .filter_map(|it| it.0["http_request"]["url"]["path"].as_str())
        .collect();
    assert!(!routes.contains(&"(none)"), "{routes:?}");
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_its_host() {
    let place = Place::start();
    let proxied = form(
        &place.serve,
        "/console/sign-in",
        &[("key", &place.operator)],
    )
    .header("host", "console.example.com")
    .header("origin", "https://console.example.com")
    .header("sec-fetch-site", "same-origin");
    let answer = send(proxied).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-hallpass-console="), "{cookie}");
    let flags = "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=28800";
    assert!(cookie.ends_with(flags), "{cookie}");
    // The same value under the name of plain HTTP is no session.
    let value = cookie.split([';', '=']).nth(1).unwrap();
    let overview = place.serve.admin_url("/console/");
    for (name, status) in [("__Host-hallpass-console", 200), ("hallpass-console", 303)] {
        let request = place.serve.client.get(&overview);
        let answer = send(request.header("cookie", format!("{name}={value}"))).await;
        assert_eq!(answer.status, status, "{name}");
    }
}

#[tokio::test]
async fn over_plain_http_from_elsewhere_no_key_is_taken() {
    let place = Place::start();
    let plain = form(
        &place.serve,
        "/console/sign-in",
        &[("key", &place.operator)],
    )
    .header("host", "console.example.com")
    .header("origin", "http://console.example.com");
    let answer = send(plain).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (403, ""));
    assert!(answer.text.contains("over HTTPS"), "{}", answer.text);
}

#[tokio::test]
async fn what_is_no_admin_key_is_refused_and_guessing_is_slowed() {
    let place = Place::start();
    let token = place.site.token("ada", 600);
    for (key, status, says) in [
        ("", 401, "This is no API key"),
        ("hp_adm_nonsense", 401, "This is no API key"),
        (token.as_str(), 401, "This is no API key"),
        (wrong_key(1).as_str(), 401, "not valid here"),
        (place.caller.as_str(), 403, "No role of this key"),
    ] {
        let answer = place.try_key(key).await;
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (status, ""),
            "{key}"
        );
        assert!(answer.text.contains(says), "{says} in {}", answer.text);
    }
    let mut statuses = Vec::new();
    for number in 2..20 {
        let answer = place.try_key(&wrong_key(number)).await;
        assert_eq!(
            answer.status == 429,
            !answer.header("retry-after").is_empty()
        );
        statuses.push(answer.status);
    }
    assert_eq!((statuses[0], *statuses.last().unwrap()), (401, 429));
}

#[tokio::test]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let place = Place::start();
    let paths = [
        "/console/",
        "/console/sessions",
        "/console/audit/1",
        "/console/keys",
    ];
    for cookie in [
        "",
        "hallpass-console=",
        "hallpass-console=AAAA",
        "hallpass-console=a; hallpass-console=b",
    ] {
        for path in paths {
            let request = place.serve.client.get(place.serve.admin_url(path));
            let answer = send(request.header("cookie", cookie)).await;
            let went = (answer.status, answer.header("location"));
            assert_eq!(went, (303, "/console/sign-in"), "{path} with {cookie}");
        }
    }
    let stream = place
        .serve
        .client
        .get(place.serve.admin_url("/console/events"));
    assert_eq!(send(stream).await.status, 401);
}

#[tokio::test]
async fn a_revoked_key_ends_its_sessions_at_once() {
    let place = Place::start();
    let signed = place.sign_in(&place.auditor).await;
    let keeper = place.sign_in(&place.operator).await;
    let id = place.auditor.split('_').nth(2).unwrap();
    let revoked = keeper
        .post(&format!("/console/keys/{id}/revoke"), &[])
        .await;
    assert_eq!(revoked.header("location"), "/console/keys?revoked=1");
    let answer = signed.get("/console/").await;
    assert_eq!(answer.header("location"), "/console/sign-in?over=1");
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(keeper.get("/console/").await.status, 200);
}

#[tokio::test]
async fn a_revocation_of_the_operator_ends_the_session_too() {
    let place = Place::start();
    let (signed, keeper) = (
        place.sign_in(&place.auditor).await,
        place.sign_in(&place.operator).await,
    );
    let fields = [
        ("kind", "subject"),
        ("target", "auditor"),
        ("reason", "left"),
    ];
    assert_eq!(
        keeper.post("/console/revocations", &fields).await.status,
        303
    );
    assert_eq!(signed.get("/console/").await.status, 303);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_is_recorded() {
    let place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let forged = form(&place.serve, "/console/sign-out", &[("csrf", "x")])
        .header("cookie", &signed.cookie)
        .header("origin", place.serve.admin_url(""));
    assert_eq!(send(forged).await.status, 403);
    assert_eq!(signed.get("/console/").await.status, 200, "still in");
    let out = signed.post("/console/sign-out", &[]).await;
    assert_eq!(out.header("location"), "/console/sign-in");
    assert_eq!(signed.get("/console/").await.status, 303);
    let records = place.site.trail().all();
    assert!(records.iter().any(|it| it.action() == "console.sign_out"));
}
