//! Every way a call ends, and that it surely does.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Calls, fact};
use crate::support::{Serve, send};

#[tokio::test]
async fn a_revocation_hangs_up() {
    let calls = Calls::start("", "");
    let called = calls.called().await;
    let revoked = calls
        .admin(
            &format!("/api/admin/grants/{}/revoke", called.grant),
            &json!({}),
        )
        .await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    calls.until_over(&called).await;
    let (reason, record) = calls.ended(&called).await;
    assert_eq!(reason, "revoked");
    assert_eq!(fact(&record, "hang_up_confirmed"), "true");
    assert_eq!(calls.hangups().await, [json!(200)]);
}

#[tokio::test]
async fn a_call_is_listed_and_ended_by_an_operator() {
    let calls = Calls::start("", "");
    let called = calls.called().await;
    let url = calls.serve.admin_url("/api/admin/sessions");
    let list = send(calls.serve.client.get(url).bearer_auth(&calls.admin)).await;
    let listed = &list.json()["data"][0];
    assert_eq!(listed["id"], called.ours.as_str());
    assert_eq!(listed["mode"], "call");
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "operator");
    assert_eq!(calls.admin(&path, &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_call_ends_at_its_time_limit() {
    let calls = Calls::start("max_session_seconds = 1", "");
    let called = calls.made().await;
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "time_limit");
}

#[tokio::test]
async fn a_call_in_which_nobody_speaks_ends() {
    let calls = Calls::start("idle_seconds = 1", "");
    let called = calls.made().await;
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "idle");
}

#[tokio::test]
async fn a_lease_is_renewed_by_its_caller_and_ends_the_call_when_it_is_not() {
    let calls = Calls::start("lease_seconds = 1", "");
    let called = calls.made().await;
    let url = calls
        .serve
        .url(&format!("/api/sessions/{}/renew", called.ours));
    let renewed = send(calls.serve.client.post(&url).bearer_auth(&calls.key)).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "lease_expired");
    let late = send(calls.serve.client.post(&url).bearer_auth(&calls.key)).await;
    assert!(late.status == 404 || late.status == 409, "{}", late.text);
}

#[tokio::test]
async fn a_budget_that_is_used_up_ends_the_call_and_refuses_the_next() {
    let calls = Calls::start("", "budget = { usd_per_day = 0.000001 }");
    let called = calls.called().await;
    let item = json!({"type": "conversation.item.create", "item": {
        "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Speak for a long time"}]}});
    calls.says(&called, &item).await;
    calls
        .says(&called, &json!({"type": "response.create"}))
        .await;
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "budget");
    let url = calls.serve.url("/api/generate-client-secret");
    let body = json!({"profile": "talk"});
    let next = crate::support::post(&calls.serve.client, &url, &calls.key, &body);
    let mint = send(next).await;
    let refused = match mint.status {
        201 => {
            calls
                .call_with(mint.json()["value"].as_str().unwrap())
                .await
                .status
        }
        status => status,
    };
    assert_eq!(refused, 429);
}

#[tokio::test]
async fn one_at_a_time_where_the_role_says_so() {
    let calls = Calls::start("", "limits = { concurrent_sessions = 1 }");
    let called = calls.called().await;
    let pass = calls.secret().await["value"].as_str().unwrap().to_owned();
    let second = calls.call_with(&pass).await;
    assert_eq!(second.status, 429, "{}", second.text);
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    calls.ended(&called).await;
    assert_eq!(
        calls.call_with(&pass).await.status,
        201,
        "the refusal cost no pass"
    );
}

#[tokio::test]
async fn a_hang_up_that_fails_is_tried_again_until_it_is_sure() {
    let calls = Calls::start("", "");
    let called = calls.called().await;
    let fails = json!({"route": "hangup", "kind": "status", "status": 500, "times": 2});
    calls.fault(fails).await;
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    let (_, record) = calls.ended(&called).await;
    assert_eq!(fact(&record, "hang_up_attempts"), "3");
    assert_eq!(calls.hangups().await, [json!(500), json!(500), json!(200)]);
}

#[tokio::test]
async fn a_call_that_is_over_already_is_hung_up() {
    let calls = Calls::start("", "");
    let called = calls.called().await;
    let url = format!("{}/_sim/calls/{}/browser", calls.sim.url, called.theirs);
    assert_eq!(send(calls.serve.client.delete(url)).await.status, 204);
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    let (_, record) = calls.ended(&called).await;
    assert_eq!(fact(&record, "hang_up_confirmed"), "true");
    assert_eq!(calls.hangups().await, [json!(404)]);
}

#[tokio::test]
async fn a_call_is_hung_up_while_its_sideband_still_waits() {
    let calls = Calls::start("", "");
    calls
        .fault(json!({"route": "websocket", "kind": "status", "status": 404}))
        .await;
    let called = calls.made().await;
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "operator");
}

#[tokio::test]
async fn the_end_at_openai_is_the_end_here() {
    let calls = Calls::start("", "");
    let called = calls.called().await;
    let url = format!("{}/_sim/sessions/{}", calls.sim.url, called.theirs);
    assert_eq!(send(calls.serve.client.delete(url)).await.status, 204);
    assert_eq!(calls.ended(&called).await.0, "upstream_closed");
}

#[tokio::test]
async fn a_call_that_outlives_its_server_is_carried_on_by_the_next() {
    let mut calls = Calls::start("", "");
    let called = calls.called().await;
    calls.serve.process.kill_9();
    calls
        .until("its sideband is gone", |sessions| {
            !sessions.iter().any(|it| it["kind"] == "sideband")
        })
        .await;
    calls.serve = Serve::start(&calls.site);
    calls
        .until("a sideband listens again", |sessions| {
            sessions.iter().any(|it| it["kind"] == "sideband")
        })
        .await;
    assert_eq!(
        fact(&calls.record(&called, "session.takeover").await, "part"),
        "took"
    );
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    calls.until_over(&called).await;
    assert_eq!(calls.ended(&called).await.0, "operator");
    assert_eq!(calls.hangups().await, [json!(200)]);
}

#[tokio::test]
async fn a_call_that_can_not_be_carried_on_is_hung_up_by_the_next() {
    let mut calls = Calls::start("", "");
    let called = calls.called().await;
    calls.serve.process.kill_9();
    // The next server has no such profile.
    calls.site.change("[profiles.talk]", "[profiles.speak]");
    calls
        .site
        .change("profiles = [\"talk\"]", "profiles = [\"speak\"]");
    calls
        .fault(json!({"route": "hangup", "kind": "status", "status": 503, "times": 1}))
        .await;
    calls.serve = Serve::start(&calls.site);
    calls.until_over(&called).await;
    let (reason, _) = calls.ended(&called).await;
    assert_eq!(reason, "orphaned");
    assert_eq!(calls.hangups().await, [json!(503), json!(200)]);

    // The end is recorded before the call is forgotten: this waits for both.
    let status = calls.serve.process.end(Signal::TERM);
    assert!(status.success(), "{status}");
    calls.serve = Serve::start(&calls.site);
    let status = calls.serve.process.end(Signal::TERM);
    assert!(status.success(), "{status}");
    assert_eq!(calls.hangups().await.len(), 2, "what is over is forgotten");
}

#[tokio::test]
async fn a_call_that_ended_while_no_server_ran_is_over_for_the_next() {
    let mut calls = Calls::start("", "");
    let called = calls.called().await;
    calls.serve.process.kill_9();
    let url = format!("{}/_sim/sessions/{}", calls.sim.url, called.theirs);
    assert_eq!(send(calls.serve.client.delete(url)).await.status, 204);
    calls.serve = Serve::start(&calls.site);
    calls.record(&called, "session.takeover").await;
    let path = format!("/api/admin/sessions/{}/end", called.ours);
    assert_eq!(calls.admin(&path, &json!({})).await.status, 200);
    assert_eq!(calls.ended(&called).await.0, "operator");
    assert_eq!(calls.hangups().await, [json!(404)]);
}

#[tokio::test]
async fn a_server_that_stops_hangs_up_first() {
    let mut calls = Calls::start("", "");
    let called = calls.called().await;
    let status = calls.serve.process.end(Signal::TERM);
    assert!(status.success(), "{status}");
    let url = format!("{}/_sim/sessions", calls.sim.url);
    let left: Value = send(calls.serve.client.get(url)).await.json();
    assert_eq!(left, json!([]));
    assert_eq!(calls.ended(&called).await.0, "drain");
}
