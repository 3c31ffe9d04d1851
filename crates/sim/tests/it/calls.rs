//! WebRTC calls, hangup and sideband.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Answer, Outgoing, Sim, fixture, post, realtime, request, standard_key};

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";

fn offer(key: &str) -> Outgoing {
    post("/v1/realtime/calls")
        .key(key)
        .header("content-type", "application/sdp")
        .body(OFFER)
}

fn unified(session: &str) -> Outgoing {
    let part = |name: &str, kind: &str, body: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n{body}\r\n"
        )
    };
    let sdp = part("sdp", "application/sdp", OFFER);
    let session = part("session", "application/json", session);
    post("/v1/realtime/calls")
        .key(&standard_key())
        .header("content-type", "multipart/form-data; boundary=b")
        .header("openai-safety-identifier", "user-7")
        .body(&format!("{sdp}{session}--b--\r\n"))
}

fn call_id(answer: &Answer) -> String {
    assert_eq!(answer.status(), 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/sdp");
    let id = answer
        .header("location")
        .strip_prefix("/v1/realtime/calls/")
        .unwrap();
    assert!(id.starts_with("rtc_u1_") && id.len() == 39, "{id}");
    id.to_owned()
}

fn hangup(id: &str, key: &str) -> Outgoing {
    post(&format!("/v1/realtime/calls/{id}/hangup")).key(key)
}

#[tokio::test]
async fn a_secret_opens_a_call_with_its_session() {
    let sim = Sim::start().await;
    let secret = sim.secret(&realtime()).await;
    let answer = sim.call(offer(&secret)).await;
    let id = call_id(&answer);
    assert!(answer.text().starts_with("v=0\r\n"));
    let listed = sim.call(request("GET", "/_sim/sessions")).await.json();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["kind"]),
        (&json!(id), &json!("call"))
    );
    assert_eq!(listed[0]["session"]["model"], "gpt-realtime-2.1");
}

#[tokio::test]
async fn a_standard_key_opens_a_unified_call_and_hangs_up_once() {
    let sim = Sim::start().await;
    let session = &fixture("calls.http")["unified"]["request"]["parts"]["session"]["body"];
    let id = call_id(&sim.call(unified(&session.to_string())).await);
    let listed = sim.simulator.sessions();
    assert_eq!(listed[0].safety_identifier.as_deref(), Some("user-7"));
    assert_eq!(listed[0].session["audio"]["output"]["voice"], "marin");
    let gone = (404, fixture("http_error.404.call_id_not_found"));
    let other = ["sk-", "another-0123456789"].concat();
    let foreign = sim.call(hangup(&id, &other)).await;
    assert_eq!((foreign.status(), foreign.json()), gone);
    let first = sim.call(hangup(&id, &standard_key())).await;
    assert_eq!((first.status(), first.text()), (200, String::new()));
    let second = sim.call(hangup(&id, &standard_key())).await;
    assert_eq!((second.status(), second.json()), gone);
    assert!(sim.simulator.sessions().is_empty());
}

#[tokio::test]
async fn refuses_bad_calls() {
    let sim = Sim::start().await;
    let key = standard_key();
    let code = |answer: Answer| (answer.status(), answer.json()["error"]["code"].clone());
    let none = post("/v1/realtime/calls")
        .header("content-type", "application/sdp")
        .body(OFFER);
    assert_eq!(code(sim.call(none).await), (401, Value::Null));
    assert_eq!(
        code(sim.call(offer("ek_unknown")).await),
        (401, json!("invalid_api_key"))
    );
    assert_eq!(
        code(sim.call(offer(&key).body("hello")).await),
        (400, json!("invalid_offer"))
    );
    let typed = post("/v1/realtime/calls").key(&key).json(&json!({}));
    assert_eq!(
        code(sim.call(typed).await),
        (400, json!("unsupported_content_type"))
    );
    assert_eq!(
        code(sim.call(unified("{\"x\":1}")).await),
        (400, json!("unknown_parameter"))
    );
    assert_eq!(code(sim.call(unified("{")).await), (400, Value::Null));
    let model = unified("{\"type\":\"realtime\",\"model\":\"gpt-nope\"}");
    assert_eq!(code(sim.call(model).await), (400, json!("invalid_model")));
    let cut = unified("{}").body("--b\r\nContent-Disposition: form-data; name=\"sdp\"\r\n\r\nv=0");
    assert_eq!(code(sim.call(cut).await), (400, json!("invalid_multipart")));
    assert!(sim.simulator.sessions().is_empty());
}

#[tokio::test]
async fn a_sideband_listens_with_the_creating_key_until_the_hangup() {
    let sim = Sim::start().await;
    let id = call_id(&sim.call(offer(&standard_key())).await);
    let query = format!("?call_id={id}");
    let bearer = format!("Bearer {}", standard_key());
    let mut socket = sim.socket(&query, &[("authorization", &bearer)]).await;
    socket
        .send(&json!({"type": "session.update", "session": {"type": "realtime"}}))
        .await;
    assert_eq!(socket.event().await["type"], "session.updated");
    assert_eq!(sim.call(hangup(&id, &standard_key())).await.status(), 200);
    assert_eq!(socket.close().await.unwrap().0, 1000);
}

#[tokio::test]
async fn a_sideband_of_an_unknown_call_is_refused_on_the_upgrade() {
    let sim = Sim::start().await;
    let id = call_id(&sim.call(offer(&sim.secret(&realtime()).await)).await);
    let bearer = format!("Bearer {}", standard_key());
    let auth = [("authorization", bearer.as_str())];
    for query in ["?call_id=rtc_u1_none".to_owned(), format!("?call_id={id}")] {
        let Err(Error::Http(response)) = sim.try_socket(&query, &auth).await else {
            panic!("the upgrade was not refused");
        };
        assert_eq!(response.status(), 404);
        let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
        assert_eq!(body, fixture("http_error.404.call_id_not_found"));
    }
}
