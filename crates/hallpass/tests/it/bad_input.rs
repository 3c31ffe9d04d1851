//! Every bad input, on every route that mints: the right answer, nothing
//! minted, one audit record.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Run, Serve, Sim, Site, Trail, random_hex, send, sim};

const GENERATE: &str = "/api/generate-client-secret";
const INTERVIEW: &str = "/api/interview/realtime-token";
const DROP_IN: &str = "/v1/realtime/client_secrets";
/// The routes that take our own body.
const OURS: &[&str] = &[GENERATE, INTERVIEW];
const ALL: &[&str] = &[GENERATE, INTERVIEW, DROP_IN];

/// A server, its upstream, and the credentials callers come with.
struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    key: String,
    reader: String,
    revoked: String,
    expired: String,
}

impl House {
    fn open() -> Self {
        let standard_key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&standard_key);
        let site = Site::new(&sim.url, &standard_key, "");
        let key = site.api_key("service", "svc");
        let reader = site.api_key("reader", "svc");
        let revoked = site.api_key("service", "svc");
        site.run(&["keys", "revoke", revoked.split('_').nth(2).unwrap()])
            .done();
        let made = site.run(&[
            "keys",
            "create",
            "--json",
            "--name",
            "over",
            "--role",
            "service",
            "--expires-in-days",
            "0",
        ]);
        let expired = made.json()["key"].as_str().unwrap().to_owned();
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            key,
            reader,
            revoked,
            expired,
        }
    }

    fn trail(&self) -> Trail {
        self.site.trail()
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.serve.client.post(self.serve.url(path))
    }

    /// Sends a request that must be refused and holds what is true of all.
    async fn refused(&self, row: &Row, path: &str, request: RequestBuilder) -> Answer {
        let what = format!("{} at {path}", row.name);
        let (minted, before) = (self.mints().await, self.trail().records().len());
        let answer = send(request).await;
        assert_eq!(answer.status, row.status, "{what}: {}", answer.text);
        assert_eq!(answer.code(), spoken(row.code, path), "{what}");
        let sentence = answer.sentence();
        assert!(sentence.contains(row.names), "{what}: {sentence}");
        assert!(sentence.ends_with('.'), "{what}: {sentence}");
        assert_eq!(answer.header("x-should-retry"), "false", "{what}");
        assert!(!answer.header("x-request-id").is_empty(), "{what}");

        assert_eq!(self.mints().await, minted, "{what}: OpenAI was asked");
        let records = self.trail().records();
        assert_eq!(records.len(), before + 1, "{what}: one record");
        let record = records.last().unwrap();
        assert_eq!(
            (record.outcome(), record.code()),
            ("refused", row.code),
            "{what}"
        );
        shape_holds(&answer, path, &what);
        answer
    }

    async fn mints(&self) -> usize {
        sim::log(&self.serve.client, &self.sim.url).await.len()
    }
}

/// A code in the words of the route's clients.
fn spoken(code: &'static str, path: &str) -> &'static str {
    match code {
        code if path != DROP_IN => code,
        code if code.ends_with("_credential") => "invalid_api_key",
        "unknown_member" => "unknown_parameter",
        code => code,
    }
}

fn shape_holds(answer: &Answer, path: &str, what: &str) {
    let json = answer.json();
    if path == DROP_IN {
        assert_eq!(json["error"]["type"], "invalid_request_error", "{what}");
        return;
    }
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{what}"
    );
    assert_eq!(json["status"], answer.status, "{what}");
    assert_eq!(json["request_id"], answer.header("x-request-id"), "{what}");
    let wanted = match (path, answer.status) {
        (INTERVIEW, 401) => "Unauthorized",
        _ => json["title"].as_str().unwrap(),
    };
    assert_eq!(json["error"], wanted, "{what}");
}

/// One bad input and what it gets.
struct Row {
    name: &'static str,
    routes: &'static [&'static str],
    status: u16,
    code: &'static str,
    /// What the sentence names.
    names: &'static str,
}

const fn row(
    name: &'static str,
    routes: &'static [&'static str],
    status: u16,
    code: &'static str,
    names: &'static str,
) -> Row {
    Row {
        name,
        routes,
        status,
        code,
        names,
    }
}

fn bodies() -> Vec<(Row, Value)> {
    let expiry =
        |seconds: Value| json!({ "expires_after": { "anchor": "created_at", "seconds": seconds } });
    let member = "expires_after.seconds";
    vec![
        (
            row("a list", ALL, 400, "invalid_json", "JSON object"),
            json!([]),
        ),
        (
            row("an unknown member", ALL, 400, "unknown_member", "\"bogus\""),
            json!({ "bogus": 1 }),
        ),
        (
            row(
                "an unknown member within one",
                ALL,
                400,
                "unknown_member",
                "expires_after.minutes",
            ),
            json!({ "expires_after": { "minutes": 1 } }),
        ),
        (
            row(
                "a member of the wrong kind",
                ALL,
                400,
                "invalid_member",
                "\"session\"",
            ),
            json!({ "session": "realtime" }),
        ),
        (
            row("9 seconds", ALL, 400, "expiry_out_of_range", member),
            expiry(json!(9)),
        ),
        (
            row("7201 seconds", ALL, 400, "expiry_out_of_range", member),
            expiry(json!(7201)),
        ),
        (
            row(
                "a life above the profile's",
                ALL,
                400,
                "expiry_out_of_range",
                member,
            ),
            expiry(json!(601)),
        ),
        (
            row("2^64 seconds", ALL, 400, "expiry_out_of_range", member),
            expiry(json!(1.8446744073709552e19)),
        ),
        (
            row("a negative life", ALL, 400, "expiry_out_of_range", member),
            expiry(json!(-1)),
        ),
        (
            row("half a second", ALL, 400, "invalid_member", member),
            expiry(json!(60.5)),
        ),
        (
            row("a life in words", ALL, 400, "invalid_member", member),
            expiry(json!("60")),
        ),
        (
            row(
                "another anchor",
                ALL,
                400,
                "invalid_member",
                "expires_after.anchor",
            ),
            json!({ "expires_after": { "anchor": "now", "seconds": 60 } }),
        ),
        (
            row(
                "an override that is not allowed",
                ALL,
                403,
                "override_not_allowed",
                "instructions",
            ),
            json!({ "session": { "instructions": "Do as I say." } }),
        ),
        (
            row(
                "an override within one",
                ALL,
                403,
                "override_not_allowed",
                "audio.output.speed",
            ),
            json!({ "session": { "audio": { "output": { "speed": 2 } } } }),
        ),
        (
            row(
                "an unknown profile",
                OURS,
                400,
                "unknown_profile",
                "\"profile\"",
            ),
            json!({ "profile": "nobody" }),
        ),
        (
            row(
                "a profile of another role",
                OURS,
                403,
                "profile_not_allowed",
                "hidden",
            ),
            json!({ "profile": "hidden" }),
        ),
        (
            row(
                "a mode the profile does not have",
                OURS,
                403,
                "mode_not_allowed",
                "relay",
            ),
            json!({ "mode": "relay" }),
        ),
        (
            row("an unknown mode", OURS, 400, "invalid_member", "\"mode\""),
            json!({ "mode": "pigeon" }),
        ),
        (
            row(
                "an empty session id",
                OURS,
                400,
                "invalid_member",
                "\"session_id\"",
            ),
            json!({ "session_id": "" }),
        ),
        (
            row(
                "our member at OpenAI's route",
                &[DROP_IN],
                400,
                "unknown_member",
                "\"profile\"",
            ),
            json!({ "profile": "interview" }),
        ),
    ]
}

#[tokio::test]
async fn a_bad_body_is_refused_by_name() {
    let house = House::open();
    for (row, body) in bodies() {
        for path in row.routes {
            let request = house.post(path).bearer_auth(&house.key).json(&body);
            house.refused(&row, path, request).await;
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let house = House::open();
    let raw = |path: &str, content_type: &str, body: String| {
        let request = house.post(path).bearer_auth(&house.key);
        request.header("content-type", content_type).body(body)
    };
    let json = "application/json";
    let large = json!({ "session": { "instructions": "x".repeat(65 * 1024) } }).to_string();
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let rows = [
        (
            row("half an object", ALL, 400, "invalid_json", "JSON"),
            json,
            "{\"expires_after\":".to_owned(),
        ),
        (
            row("two objects", ALL, 400, "invalid_json", "JSON"),
            json,
            "{}{}".to_owned(),
        ),
        (
            row("a body too deep", ALL, 400, "invalid_json", "JSON"),
            json,
            deep,
        ),
        (
            row("no text", ALL, 400, "invalid_json", "JSON"),
            json,
            "\u{0}\u{1}".to_owned(),
        ),
        (
            row(
                "a form",
                ALL,
                415,
                "unsupported_media_type",
                "application/json",
            ),
            "application/x-www-form-urlencoded",
            "profile=interview".to_owned(),
        ),
        (
            row(
                "plain text",
                ALL,
                415,
                "unsupported_media_type",
                "application/json",
            ),
            "text/plain",
            "{}".to_owned(),
        ),
        (
            row("65 KiB", ALL, 413, "body_too_large", "64 KiB"),
            json,
            large,
        ),
    ];
    for (row, content_type, body) in rows {
        for path in row.routes {
            let request = raw(path, content_type, body.clone());
            house.refused(&row, path, request).await;
        }
    }
}

#[tokio::test]
async fn a_bad_credential_is_refused_and_never_repeated() {
    let house = House::open();
    let foreign = {
        let other = Site::new(&house.sim.url, "", "");
        other.token("user-1", 600)
    };
    let checksum = format!("{}0", &house.key[..house.key.len() - 1]);
    let unknown = house.key.replace("hp_svc_", "hp_adm_");
    let rows = [
        (
            row("no scheme", ALL, 401, "malformed_credential", "credential"),
            "letmein".to_owned(),
        ),
        (
            row(
                "another scheme",
                ALL,
                401,
                "malformed_credential",
                "credential",
            ),
            "Basic dXNlcjpwYXNz".to_owned(),
        ),
        (
            row(
                "half a token",
                ALL,
                401,
                "malformed_credential",
                "credential",
            ),
            "Bearer abc.def".to_owned(),
        ),
        (
            row(
                "a mistyped key",
                ALL,
                401,
                "malformed_credential",
                "credential",
            ),
            format!("Bearer {checksum}"),
        ),
        (
            row(
                "a key of another kind",
                ALL,
                401,
                "malformed_credential",
                "credential",
            ),
            format!("Bearer {unknown}"),
        ),
        (
            row(
                "another app's token",
                ALL,
                401,
                "invalid_credential",
                "credential",
            ),
            format!("Bearer {foreign}"),
        ),
        (
            row(
                "an expired token",
                ALL,
                401,
                "expired_credential",
                "credential",
            ),
            format!("Bearer {}", house.site.token("user-1", -600)),
        ),
        (
            row(
                "an expired key",
                ALL,
                401,
                "expired_credential",
                "credential",
            ),
            format!("Bearer {}", house.expired),
        ),
        (
            row("a revoked key", ALL, 401, "revoked_credential", "revoked"),
            format!("Bearer {}", house.revoked),
        ),
        (
            row(
                "a key that may only read",
                ALL,
                403,
                "permission_denied",
                "grants:create",
            ),
            format!("Bearer {}", house.reader),
        ),
    ];
    for (row, authorization) in rows {
        for path in row.routes {
            let request = house.post(path).header("authorization", &authorization);
            let answer = house.refused(&row, path, request.json(&json!({}))).await;
            let presented = authorization.trim_start_matches("Bearer ");
            assert!(!answer.whole().contains(presented), "{}", row.name);
        }
    }
}

#[tokio::test]
async fn no_credential_is_told_how_to_send_one() {
    let house = House::open();
    let row = row(
        "no credential",
        ALL,
        401,
        "missing_credential",
        "Authorization",
    );
    for path in row.routes {
        let answer = house
            .refused(&row, path, house.post(path).json(&json!({})))
            .await;
        assert!(
            answer.header("www-authenticate").starts_with("Bearer"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_good_person_is_let_in_by_the_same_server() {
    let house = House::open();
    for path in ALL {
        let token = house.site.token("user-1", 600);
        let answer = send(house.post(path).bearer_auth(token).json(&json!({}))).await;
        assert!(answer.status < 300, "{path}: {}", answer.text);
    }
    assert_eq!(house.mints().await, ALL.len());
}

#[tokio::test]
async fn a_method_that_is_not_served_is_refused() {
    let house = House::open();
    let row = row("another method", ALL, 405, "method_not_allowed", "method");
    for path in row.routes {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let request = house.serve.client.request(method, house.serve.url(path));
            let request = request.bearer_auth(&house.key);
            let answer = house.refused(&row, path, request).await;
            assert_eq!(answer.header("allow"), "POST", "{path}");
        }
    }
}

#[tokio::test]
async fn no_bad_input_reaches_the_log_as_a_panic() {
    let house = House::open();
    for (row, body) in bodies() {
        for path in row.routes {
            send(house.post(path).bearer_auth(&house.key).json(&body)).await;
        }
    }
    let metrics = send(house.serve.client.get(house.serve.admin_url("/metrics"))).await;
    assert!(!metrics.text.is_empty());
    let panicked = metrics
        .text
        .lines()
        .find(|line| line.contains("panic") && !line.starts_with('#'));
    assert!(
        panicked.is_none_or(|line| line.ends_with(" 0")),
        "{panicked:?}"
    );
    let verified: Run = crate::support::hallpass([
        "audit".as_ref(),
        "verify".as_ref(),
        house.trail().dir().as_os_str(),
    ]);
    verified.done();
}
