//! Minting and the other HTTP routes, against OpenAI's recorded replies.

use crate::support::{
    START, Sim, assert_same_shape, fixture, mint_request, post, realtime, request, standard_key,
};
use serde_json::{Value, json};

#[tokio::test]
async fn answers_a_realtime_mint_in_openai_s_shape() {
    let sim = Sim::start().await;
    let body =
        json!({"session": {"type": "realtime", "instructions": "You are a friendly assistant."}});
    let answer = sim.mint(&body).await;
    assert_eq!(answer.status(), 200);
    let mut wanted = fixture("client_secrets.response.realtime");
    let given = answer.json();
    assert_same_shape(&given, &wanted);
    wanted["session"]["id"] = given["session"]["id"].clone();
    assert_eq!(given["session"], wanted["session"]);
    assert_eq!(given["expires_at"], START + 600);
    let value = given["value"].as_str().unwrap();
    assert_eq!(value.len(), 35);
    assert!(value.starts_with("ek_") && value[3..].bytes().all(|it| it.is_ascii_hexdigit()));
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert!(answer.header("openai-processing-ms").parse::<u64>().is_ok());
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    sim.stop().await;
}

#[tokio::test]
async fn answers_a_transcription_mint_in_openai_s_shape() {
    let sim = Sim::start().await;
    let body = json!({"session": {"type": "transcription", "audio": {"input": {
        "transcription": {"model": "gpt-live-transcribe"}, "turn_detection": null,
    }}}});
    let answer = sim.mint(&body).await.json();
    assert_same_shape(&answer, &fixture("client_secrets.response.transcription"));
}

#[tokio::test]
async fn accepts_every_recorded_request() {
    let sim = Sim::start().await;
    for name in ["minimal", "realtime", "transcription"] {
        let body = fixture(&format!("client_secrets.request.{name}"));
        let answer = sim.mint(&body).await;
        assert_eq!(answer.status(), 200, "{name}: {}", answer.text());
        let wanted = body["session"]["audio"]["input"]["noise_reduction"].clone();
        assert_eq!(
            answer.json()["session"]["audio"]["input"]["noise_reduction"],
            wanted
        );
    }
}

#[tokio::test]
async fn never_checks_the_model() {
    let sim = Sim::start().await;
    let body = json!({"session": {"type": "realtime", "model": "gpt-live-1"}});
    assert_eq!(sim.mint(&body).await.status(), 200);
}

#[tokio::test]
async fn refuses_with_openai_s_words() {
    let sim = Sim::start().await;
    let refused = |body: Value| {
        let sim = &sim;
        async move {
            let answer = sim.mint(&body).await;
            (answer.status(), answer.json())
        }
    };
    let flat = refused(json!({"model": "gpt-realtime"})).await;
    assert_eq!(flat, (400, fixture("http_error.400.unknown_parameter")));
    let no_anchor = refused(json!({"expires_after": {"seconds": 60}})).await;
    assert_eq!(no_anchor, (400, fixture("http_error.400.missing_anchor")));
    for (body, code, param) in [
        (
            expiry(9),
            "integer_below_min_value",
            "expires_after.seconds",
        ),
        (
            expiry(7201),
            "integer_above_max_value",
            "expires_after.seconds",
        ),
        (
            json!({"expires_after": {"anchor": "now"}}),
            "invalid_value",
            "expires_after.anchor",
        ),
        (
            json!({"session": {"type": "voice"}}),
            "invalid_value",
            "session.type",
        ),
        (
            json!({"session": {"model": "x"}}),
            "missing_required_parameter",
            "session.type",
        ),
        (
            json!({"session": {"type": "realtime", "x": 1}}),
            "unknown_parameter",
            "session.x",
        ),
        (
            json!({"session": {"type": "transcription", "model": "x"}}),
            "unknown_parameter",
            "session.model",
        ),
        (json!({"session": 1}), "invalid_type", "session"),
    ] {
        let (status, error) = refused(body.clone()).await;
        assert_eq!(status, 400, "{body}");
        assert_eq!(error["error"]["code"], code, "{body}");
        assert_eq!(error["error"]["param"], param, "{body}");
    }
}

fn expiry(seconds: u64) -> Value {
    json!({"expires_after": {"anchor": "created_at", "seconds": seconds}})
}

#[tokio::test]
async fn takes_the_shortest_and_the_longest_expiry() {
    let sim = Sim::start().await;
    for seconds in [10, 7200] {
        assert_eq!(
            sim.mint(&expiry(seconds)).await.json()["expires_at"],
            START + seconds
        );
    }
}

#[tokio::test]
async fn checks_the_standard_key() {
    let sim = Sim::with(|config| config.standard_keys = vec![standard_key()]).await;
    let path = "/v1/realtime/client_secrets";
    assert_eq!(sim.mint(&realtime()).await.status(), 200);
    let none = sim.call(post(path).json(&realtime())).await;
    assert_eq!(
        (none.status(), none.json()),
        (401, fixture("http_error.401.missing_auth"))
    );
    let other = ["sk-", "proj-", "0123456789zzzzAAAA"].concat();
    let wrong = sim.call(post(path).key(&other).json(&realtime())).await;
    assert_eq!(
        (wrong.status(), wrong.json()),
        (401, fixture("http_error.401.invalid_api_key"))
    );
    let secret = sim.secret(&realtime()).await;
    let ephemeral = sim.call(post(path).key(&secret).json(&realtime())).await;
    assert_eq!(ephemeral.status(), 401);
}

#[tokio::test]
async fn refuses_what_is_no_json_request() {
    let sim = Sim::start().await;
    let path = "/v1/realtime/client_secrets";
    let text = post(path)
        .key(&standard_key())
        .header("content-type", "text/plain")
        .body("{}");
    let answer = sim.call(text).await;
    assert_eq!(
        (answer.status(), answer.json()["error"]["code"].clone()),
        (400, json!("unsupported_content_type"))
    );
    for body in ["{", "\"x\"", "[]", "nul", &"[".repeat(5000)] {
        let broken = post(path)
            .key(&standard_key())
            .header("content-type", "application/json; charset=utf-8");
        let answer = sim.call(broken.body(body)).await;
        assert_eq!(answer.status(), 400, "{body:.20}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    let large = "x".repeat(2 * 1024 * 1024);
    let answer = sim
        .mint(&json!({"session": {"type": "realtime", "instructions": large}}))
        .await;
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn the_beta_is_gone() {
    let sim = Sim::start().await;
    let wanted = fixture("http_error.400.legacy_invalid_beta");
    for path in [
        "/v1/realtime/sessions",
        "/v1/realtime/transcription_sessions",
        "/v1/realtime",
    ] {
        let answer = sim
            .call(post(path).key(&standard_key()).json(&json!({})))
            .await;
        assert_eq!(
            (answer.status(), answer.json()),
            (400, wanted.clone()),
            "{path}"
        );
    }
    let answer = sim
        .call(mint_request(&realtime()).header("openai-beta", "realtime=v1"))
        .await;
    assert_eq!((answer.status(), answer.json()), (400, wanted));
}

#[tokio::test]
async fn unknown_routes_and_methods_get_an_envelope() {
    let sim = Sim::start().await;
    let answer = sim.call(request("GET", "/v1/nothing")).await;
    assert_eq!(answer.status(), 404);
    assert_eq!(
        answer.json()["error"]["message"],
        "Invalid URL (GET /v1/nothing)"
    );
    let answer = sim
        .call(request("GET", "/v1/realtime/client_secrets"))
        .await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert_eq!(sim.call(request("GET", "/v1/realtime")).await.status(), 426);
}

#[tokio::test]
async fn browsers_may_ask_from_anywhere() {
    let sim = Sim::start().await;
    let preflight = request("OPTIONS", "/v1/realtime/calls")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        );
    let answer = sim.call(preflight).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "authorization,content-type"
    );
}

#[tokio::test]
async fn logs_every_request() {
    let sim = Sim::start().await;
    let minted = sim
        .call(mint_request(&realtime()).header("openai-safety-identifier", "user-7"))
        .await;
    sim.call(post("/v1/realtime/client_secrets")).await;
    let log = sim.call(request("GET", "/_sim/log")).await.json();
    assert_eq!(
        log.as_array().unwrap().len(),
        2,
        "the control routes are not logged"
    );
    let value = minted.json()["value"].as_str().unwrap().to_owned();
    assert_eq!(
        log[0],
        json!({
            "sequence": 0,
            "time": "2027-01-15T08:00:00Z",
            "method": "POST",
            "route": "client_secrets",
            "path": "/v1/realtime/client_secrets",
            "credential_last_four": "AAAA",
            "status": 200,
            "request_id": minted.header("x-request-id"),
            "safety_identifier": "user-7",
            "secret_last_four": value[value.len() - 4..],
            "fault": null,
        })
    );
    assert_eq!(log[1]["status"], 401);
    let latest = sim.call(request("GET", "/_sim/log?limit=1")).await.json();
    assert_eq!(latest[0]["sequence"], 1);
    assert_eq!(sim.call(request("DELETE", "/_sim/log")).await.status(), 204);
    assert!(sim.simulator.log().is_empty());
}
