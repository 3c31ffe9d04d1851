//! Making a call: who may, what OpenAI is asked, what the browser gets.

use serde_json::{Value, json};

use super::{Calls, OFFER};
use crate::support::{post, random_hex, send};

#[tokio::test]
async fn a_pass_makes_one_call_with_the_standard_key_and_the_profiles_session() {
    let calls = Calls::start("", "");
    let secret = calls.secret().await;
    let pass = secret["value"].as_str().unwrap();
    assert!(pass.starts_with("ek_hp_"), "official SDKs take no other");
    assert_eq!(
        secret["connect"]["url"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next(),
        Some("calls")
    );
    let answer = calls.call_with(pass).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/sdp");
    assert!(answer.text.starts_with("v=0\r\n"));
    let ours = answer
        .header("location")
        .strip_prefix("/v1/realtime/calls/");
    assert!(ours.unwrap().starts_with("ls_"), "our id, not OpenAI's");
    let sessions = calls.sessions().await;
    let call = sessions.iter().find(|it| it["kind"] == "call").unwrap();
    assert_eq!(call["session"]["instructions"], "Ask.");
    assert_eq!(call["session"]["audio"]["output"]["voice"], "marin");
    let identifier = call["safety_identifier"].as_str().unwrap();
    assert_eq!(identifier.len(), 64);
    let last_four = &calls.site.standard_key[calls.site.standard_key.len() - 4..];
    assert_eq!(call["credential_last_four"], last_four);
    assert!(!answer.whole().contains(&calls.site.standard_key));
    assert!(!answer.whole().contains(call["id"].as_str().unwrap()));

    let again = calls.call_with(pass).await;
    assert_eq!(
        (again.status, again.code()),
        (401, "invalid_api_key".to_owned())
    );
    assert_eq!(again.header("x-should-retry"), "false");
    assert_eq!(
        calls
            .sessions()
            .await
            .iter()
            .filter(|it| it["kind"] == "call")
            .count(),
        1
    );
    let anomalies = calls.site.trail().all();
    let told = |record: &crate::support::trail::Record| {
        record.action() == "security.anomaly" && record.0.to_string().contains("pass_reused")
    };
    assert!(
        anomalies.iter().any(told),
        "a second use is a security event"
    );
}

#[tokio::test]
async fn whoever_has_no_pass_for_a_call_makes_none() {
    let calls = Calls::start("", "");
    let pass = calls.secret().await["value"].as_str().unwrap().to_owned();
    let direct = {
        let url = calls.serve.url("/api/generate-client-secret");
        let token = calls.site.token("someone", 600);
        send(post(&calls.serve.client, &url, &token, &json!({})))
            .await
            .json()
    };
    let mut forged = pass.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'a' { 'b' } else { 'a' });
    let stranger = format!("ek_hp_{}_{}", random_hex(16), "A".repeat(38));
    for token in [
        forged.as_str(),
        &stranger,
        direct["value"].as_str().unwrap(),
        &calls.key,
        "ek_",
        "",
    ] {
        let answer = calls.call_with(token).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert!(answer.json()["error"]["message"].is_string());
    }
    let url = calls.serve.url("/v1/realtime/calls");
    let bare = calls.serve.client.post(&url).body(OFFER);
    let bare = send(bare.header("content-type", "application/sdp")).await;
    assert_eq!(bare.status, 401);
    assert!(calls.sessions().await.is_empty(), "OpenAI was never asked");
    assert_eq!(
        calls.call_with(&pass).await.status,
        201,
        "and the pass is as good as before"
    );
}

#[tokio::test]
async fn a_bad_offer_costs_no_pass() {
    let calls = Calls::start("", "");
    let pass = calls.secret().await["value"].as_str().unwrap().to_owned();
    let huge = format!("{OFFER}{}", "a=x\r\n".repeat(20_000));
    for (body, status) in [("hello", 400), ("", 400), (huge.as_str(), 413)] {
        let request = calls.offer(&pass).body(body.to_owned());
        assert_eq!(send(request).await.status, status);
    }
    let other = calls.offer_at("?dcid=x", &pass);
    assert_eq!(send(other).await.status, 400);
    let url = calls.serve.url("/v1/realtime/calls");
    let body = json!({"sdp": OFFER, "session": {"instructions": "Obey."}});
    let refused = send(post(&calls.serve.client, &url, &pass, &body)).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(calls.sessions().await.is_empty());
    let body = json!({"sdp": OFFER, "session": {"type": "realtime", "model": "gpt-realtime-2.1"}});
    let made = send(post(&calls.serve.client, &url, &pass, &body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

#[tokio::test]
async fn another_model_is_refused() {
    let calls = Calls::start("", "");
    let pass = calls.secret().await["value"].as_str().unwrap().to_owned();
    let other = calls.offer_at("?model=gpt-realtime", &pass);
    let other = send(other).await;
    assert_eq!(other.status, 403, "{}", other.text);
    let own = calls.offer_at("?model=gpt-realtime-2.1", &pass);
    assert_eq!(send(own).await.status, 201);
}

#[tokio::test]
async fn what_openai_refuses_or_breaks_is_told_in_its_envelope() {
    let calls = Calls::start("", "");
    for (fault, status) in [
        (json!({"kind": "status", "status": 500}), 503),
        (json!({"kind": "status", "status": 401}), 503),
        (json!({"kind": "malformed"}), 502),
        (json!({"kind": "close"}), 502),
        (json!({"kind": "hang"}), 504),
    ] {
        let mut spec = fault.clone();
        spec["route"] = json!("calls");
        calls.fault(spec).await;
        let pass = calls.secret().await;
        let answer = calls.call_with(pass["value"].as_str().unwrap()).await;
        assert_eq!(answer.status, status, "{fault}: {}", answer.text);
        let error = &answer.json()["error"];
        assert!(error["message"].is_string() && error.get("param").is_some());
        calls.no_faults().await;
        // Or the breaker would answer the next one.
        let upstream = "/api/admin/upstreams/openai/breaker";
        let closed = calls.admin(upstream, &json!({"state": "auto"})).await;
        assert_eq!(closed.status, 200, "{}", closed.text);
    }
    assert!(calls.sessions().await.is_empty());
    let ends = calls.site.trail().all();
    let ends = ends
        .iter()
        .filter(|record| record.action() == "session.end");
    assert_eq!(ends.count(), 5, "each is recorded");
}

#[tokio::test]
async fn a_page_of_another_origin_may_call_and_read_the_location() {
    let calls = Calls::start("", "");
    let url = calls.serve.url("/v1/realtime/calls");
    let ask = calls.serve.client.request(reqwest::Method::OPTIONS, url);
    let preflight = send(
        ask.header("origin", "https://app.example.test")
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-openai-agents-sdk",
            ),
    )
    .await;
    assert_eq!(preflight.status, 204);
    let unlisted: Value = json!(preflight.header("access-control-allow-origin"));
    assert_eq!(unlisted, "", "a page that is not listed gets nothing");
}
