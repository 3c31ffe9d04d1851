//! Each credential of `dev.json`, on each route that mints.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, Dev, now, send};

const MINTS: [(&str, u16, &str); 3] = [
    ("/api/generate-client-secret", 201, "value"),
    ("/api/interview/realtime-token", 200, "token"),
    ("/v1/realtime/client_secrets", 200, "value"),
];

async fn opens(dev: &Dev, present: impl Fn(RequestBuilder) -> RequestBuilder) {
    for (path, status, member) in MINTS {
        let request = dev.client.post(dev.url(path));
        let answer = send(present(request).json(&json!({}))).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        let value = answer.json()[member].as_str().unwrap().to_owned();
        assert!(value.starts_with("ek_"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn the_service_key_opens_the_door() {
    let dev = Dev::start();
    opens(&dev, |request| request.bearer_auth(&dev.file.api_key)).await;
}

#[tokio::test]
async fn the_persons_token_opens_the_door() {
    let dev = Dev::start();
    opens(&dev, |request| request.bearer_auth(&dev.file.user_jwt)).await;
}

#[tokio::test]
async fn the_persons_session_opens_the_door_to_the_apps_own_page() {
    let dev = Dev::start();
    let cookie = &dev.file.session_cookie;
    let cookie = format!("{}={}", cookie.name, cookie.value);
    let from = |origin: String, site: &'static str| {
        let cookie = cookie.clone();
        move |request: RequestBuilder| {
            request
                .header("cookie", &cookie)
                .header("origin", &origin)
                .header("sec-fetch-site", site)
        }
    };
    opens(&dev, from(dev.file.url.clone(), "same-origin")).await;

    let foreign = from("https://evil.example".to_owned(), "cross-site");
    let request = dev.client.post(dev.url(MINTS[0].0)).json(&json!({}));
    let answer = send(foreign(request)).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "cross_site_request")
    );
}

fn unix(answer: &Value, member: &str) -> i64 {
    answer[member].as_i64().expect(member)
}

#[tokio::test]
async fn an_answer_says_all_a_page_needs() {
    let dev = Dev::start();
    let body = json!({
        "profile": "interview", "session_id": "interview-7",
        "expires_after": { "anchor": "created_at", "seconds": 90 },
        "session": { "audio": { "output": { "voice": "cedar" } } },
    });
    let asked = now();
    let answer = dev.mint(&dev.file.api_key, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json();
    let life = unix(&json, "expires_at") - asked;
    assert!((89..=95).contains(&life), "{life} seconds");
    assert!(unix(&json, "refresh_after") < unix(&json, "expires_at"));
    assert_eq!(json["session_id"], "interview-7");
    assert_eq!(json["session"]["voice"], "cedar");
    assert_eq!(json["session"]["model"], "gpt-realtime-2.1");
    assert!(json["id"].as_str().unwrap().starts_with("gr_"));
    assert!(json["lineage"].as_str().unwrap().starts_with("ln_"));
    assert!(!answer.text.contains("interviewer"), "no instructions");
}

#[tokio::test]
async fn a_transcription_profile_works_too() {
    let dev = Dev::start();
    let body = json!({ "profile": "transcription" });
    let answer = dev.mint(&dev.file.api_key, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["session"]["type"], "transcription");
}

fn told_to_wait(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (429, "rate_limited")
    );
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(!answer.header("ratelimit").is_empty());
}

#[tokio::test]
async fn a_person_has_limits_and_a_service_has_wide_ones() {
    let dev = Dev::start();
    for _ in 0..5 {
        let answer = dev.mint(&dev.file.user_jwt, &json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let minted = dev.upstream_log().await.len();
    told_to_wait(&dev.mint(&dev.file.user_jwt, &json!({})).await);
    assert_eq!(dev.upstream_log().await.len(), minted);
    for _ in 0..10 {
        dev.minted().await;
    }
}

#[tokio::test]
async fn a_person_sees_their_own_grants_and_no_one_elses() {
    let dev = Dev::start();
    let services = dev.minted().await;
    let own = dev.mint(&dev.file.user_jwt, &json!({})).await.json();
    let as_person = |path: String| {
        let request = dev.client.get(dev.url(&path));
        send(request.bearer_auth(&dev.file.user_jwt))
    };
    let listed = as_person("/api/client-secrets".to_owned()).await.json();
    let ids: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(ids, [&own["id"]]);
    let path = |grant: &Value| format!("/api/client-secrets/{}", grant["id"].as_str().unwrap());
    assert_eq!(as_person(path(&own)).await.status, 200);
    assert_eq!(as_person(path(&services)).await.status, 404);
    assert_eq!(dev.get(&path(&services)).await.status, 200);
}

#[tokio::test]
async fn only_the_operator_opens_the_admin_api() {
    let dev = Dev::start();
    let grant = dev.minted().await;
    let url = format!("{}/api/admin/grants", dev.file.admin_url);
    for (credential, status) in [
        (&dev.file.admin_key, 200),
        (&dev.file.api_key, 200),
        (&dev.file.user_jwt, 403),
    ] {
        let answer = send(dev.client.get(&url).bearer_auth(credential)).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    assert_eq!(send(dev.client.get(&url)).await.status, 401);
    let listed = dev.admin("/api/admin/grants").await.json();
    assert_eq!(listed["data"][0]["id"], grant["id"]);
    // And neither admin API nor metrics are on the public listener.
    for path in ["/api/admin/grants", "/metrics"] {
        assert_eq!(dev.get(path).await.status, 404, "{path}");
    }
}
