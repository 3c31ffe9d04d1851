//! Calls whose peer connection comes up: data channel, sound, sidebands.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::{
    browser::Browser,
    support::{Sim, Socket, post, realtime, request, standard_key},
};

/// A simulator, a browser with an open data channel, and the call's id.
struct Called {
    sim: Sim,
    browser: Browser,
    id: String,
}

async fn offered(sim: &Sim, query: &str) -> (Browser, String) {
    let mut browser = Browser::new().await;
    let offer = post(&format!("/v1/realtime/calls{query}"))
        .key(&standard_key())
        .header("content-type", "application/sdp")
        .body(&browser.offer);
    let answer = sim.call(offer).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    browser.accept(&answer.text());
    let id = answer
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    (browser, id)
}

async fn called(sim: Sim) -> Called {
    let (mut browser, id) = offered(&sim, "").await;
    assert_eq!(browser.event().await["type"], "session.created");
    Called { sim, browser, id }
}

impl Called {
    async fn attach(&self) -> Socket {
        attach(&self.sim, &self.id).await.unwrap()
    }

    async fn post(&self, path: &str) -> u16 {
        self.sim
            .call(post(path).key(&standard_key()))
            .await
            .status()
    }
}

async fn attach(sim: &Sim, id: &str) -> Result<Socket, Error> {
    let bearer = format!("Bearer {}", standard_key());
    let query = format!("?call_id={id}");
    let attached = sim.try_socket(&query, &[("authorization", &bearer)]).await;
    attached.map(|(socket, _)| socket)
}

fn types(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    let mut kinds: Vec<_> = kinds.collect();
    kinds.dedup();
    kinds
}

fn says(text: &str) -> Value {
    json!({"type": "conversation.item.create", "item": {
        "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}],
    }})
}

#[tokio::test]
async fn a_browser_talks_over_the_data_channel_and_hears_a_tone() {
    let mut call = called(Sim::start().await).await;
    call.browser.send(&says("Good morning"));
    call.browser.send(&json!({"type": "response.create"}));
    let events = call.browser.until("output_audio_buffer.stopped").await;
    let kinds = types(&events);
    assert!(!kinds.contains(&"response.output_audio.delta"), "{kinds:?}");
    let place = |kind: &str| kinds.iter().position(|it| *it == kind).expect(kind);
    assert!(place("response.created") < place("output_audio_buffer.started"));
    assert!(place("output_audio_buffer.started") < place("response.done"));
    let done = events.iter().find(|event| event["type"] == "response.done");
    let usage = &done.unwrap()["response"]["usage"];
    assert!(
        usage["output_token_details"]["audio_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert!(call.browser.heard > 0, "no sound came");
    let listed = &call.sim.simulator.sessions()[0];
    assert!(listed.connected);
    assert_eq!(
        Some(listed.output_tokens),
        usage["output_tokens"].as_u64(),
        "what is listed is what was reported"
    );
}

#[tokio::test]
async fn what_the_browser_says_is_counted_and_can_be_committed() {
    let mut call = called(Sim::start().await).await;
    call.browser.speak(10);
    let ordered = json!({"type": "input_audio_buffer.commit"});
    // Sound and events travel apart: ask until the sound has arrived.
    loop {
        call.browser.send(&ordered);
        if call.browser.event().await["type"] == "input_audio_buffer.committed" {
            break;
        }
    }
    assert!(call.sim.simulator.sessions()[0].audio_in_ms >= 100);
}

#[tokio::test]
async fn a_data_channel_agreed_on_outside_is_taken() {
    let sim = Sim::start().await;
    let (mut browser, _) = offered(&sim, "?dcid=notanumber").await;
    assert_eq!(browser.event().await["type"], "session.created");
}

#[tokio::test]
async fn a_sideband_attaches_once_the_browser_is_connected() {
    let sim = Sim::start().await;
    let (mut browser, id) = offered(&sim, "").await;
    let Err(Error::Http(refused)) = attach(&sim, &id).await else {
        panic!("attached to a call that is not live");
    };
    assert_eq!(refused.status(), 404);
    assert_eq!(browser.event().await["type"], "session.created");
    attach(&sim, &id).await.unwrap();
}

#[tokio::test]
async fn browser_and_sidebands_share_one_session() {
    let mut call = called(Sim::start().await).await;
    let (mut one, mut two) = (call.attach().await, call.attach().await);
    let drift = json!({"type": "session.update",
        "session": {"type": "realtime", "instructions": "Say yes to everything."}});
    call.browser.send(&drift);
    for sideband in [&mut one, &mut two] {
        let seen = sideband.event().await;
        assert_eq!(seen["type"], "session.updated");
        assert_eq!(seen["session"]["instructions"], "Say yes to everything.");
    }
    assert_eq!(call.browser.event().await["type"], "session.updated");
    let set_back = json!({"type": "session.update",
        "session": {"type": "realtime", "instructions": "Ask about the weather."}});
    one.send(&set_back).await;
    let seen = call.browser.event().await;
    assert_eq!(seen["session"]["instructions"], "Ask about the weather.");
    call.browser.send(&says("Hello"));
    call.browser.send(&json!({"type": "response.create"}));
    let heard = two.until("response.done").await;
    let usage = &heard.last().unwrap()["response"]["usage"];
    assert!(usage["total_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_hangup_closes_the_peer_connection_and_the_sidebands() {
    let mut call = called(Sim::start().await).await;
    let mut sideband = call.attach().await;
    let path = format!("/v1/realtime/calls/{}/hangup", call.id);
    assert_eq!(call.post(&path).await, 200);
    assert_eq!(call.post(&path).await, 404);
    assert_eq!(sideband.close().await.unwrap().0, 1000);
    call.browser.closed().await;
}

#[tokio::test]
async fn an_expired_session_says_so_to_all() {
    let mut call = called(Sim::start().await).await;
    let mut sideband = call.attach().await;
    let path = format!("/_sim/sessions/{}", call.id);
    assert_eq!(call.sim.call(request("DELETE", &path)).await.status(), 204);
    let told = call.browser.until("error").await;
    assert_eq!(told.last().unwrap()["error"]["code"], "session_expired");
    call.browser.closed().await;
    assert_eq!(sideband.event().await["error"]["code"], "session_expired");
    assert_eq!(sideband.close().await.unwrap().0, 1001);
}

#[tokio::test]
async fn a_session_ends_at_its_limit() {
    let limit = |config: &mut hallpass_sim::SimulatorConfig| {
        config.session_limit = Duration::from_secs(1);
    };
    let mut call = called(Sim::with(limit).await).await;
    let told = call.browser.until("error").await;
    assert_eq!(told.last().unwrap()["error"]["code"], "session_expired");
}

#[tokio::test]
async fn a_browser_that_leaves_takes_the_call_but_not_the_sideband() {
    let mut call = called(Sim::start().await).await;
    let mut sideband = call.attach().await;
    call.browser.leave();
    let path = format!("/v1/realtime/calls/{}/hangup", call.id);
    while call
        .sim
        .simulator
        .sessions()
        .iter()
        .any(|it| it.kind == "call")
    {
        call.sim.call(request("GET", "/_sim/sessions")).await;
    }
    assert_eq!(call.post(&path).await, 404);
    sideband.send(&json!({"type": "response.create"})).await;
    let silent = tokio::time::timeout(Duration::from_millis(100), sideband.event()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test]
async fn sidebands_can_be_dropped_and_attach_again() {
    let call = called(Sim::start().await).await;
    let path = format!("/_sim/calls/{}/sidebands", call.id);
    let mut cut = call.attach().await;
    let ended = call.sim.call(request("DELETE", &path)).await;
    assert_eq!(ended.json(), json!({"ended": 1}));
    assert_eq!(cut.close().await, None, "no close frame");
    let mut closed = call.attach().await;
    let path = format!("{path}?code=1011&reason=gone");
    call.sim.call(request("DELETE", &path)).await;
    assert_eq!(closed.close().await, Some((1011, "gone".to_owned())));
    call.attach().await;
}

#[tokio::test]
async fn drift_can_be_made_where_no_browser_is_connected() {
    let sim = Sim::start().await;
    let secret = sim.secret(&realtime()).await;
    let offer =
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    let offer = post("/v1/realtime/calls")
        .key(&secret)
        .header("content-type", "application/sdp")
        .body(offer);
    let answer = sim.call(offer).await;
    let id = answer
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {secret}");
    let query = format!("?call_id={id}");
    let mut sideband = sim.socket(&query, &[("authorization", &bearer)]).await;
    let event = json!({"type": "session.update",
        "session": {"type": "realtime", "instructions": "Drift."}});
    let path = format!("/_sim/calls/{id}/events");
    assert_eq!(sim.call(post(&path).json(&event)).await.status(), 204);
    assert_eq!(sideband.event().await["session"]["instructions"], "Drift.");
    let bad = sim.call(post(&path).json(&json!([]))).await;
    assert_eq!(bad.status(), 400);
    let unknown = sim
        .call(post("/_sim/calls/rtc_no/events").json(&event))
        .await;
    assert_eq!(unknown.status(), 404);
    let left = request("DELETE", &format!("/_sim/calls/{id}/browser"));
    assert_eq!(sim.call(left).await.status(), 204);
}

#[tokio::test]
async fn no_offer_ends_the_simulator() {
    let sim = Sim::start().await;
    let browser = Browser::new().await;
    let lines: Vec<_> = browser.offer.split_inclusive("\r\n").collect();
    let offers = (0..lines.len()).flat_map(|at| {
        let without = lines
            .iter()
            .enumerate()
            .filter(move |(index, _)| *index != at);
        let twice = lines.iter().take(at + 1).chain(&lines[at..]);
        let long = format!("{}{}\r\n", lines[at].trim_end(), "9".repeat(300));
        [
            without.map(|(_, line)| *line).collect::<String>(),
            twice.copied().collect(),
            lines[..at].concat() + &long + &lines[at + 1..].concat(),
            browser.offer[..at * browser.offer.len() / lines.len()].to_owned(),
        ]
    });
    for offer in offers {
        let request = post("/v1/realtime/calls")
            .key(&standard_key())
            .header("content-type", "application/sdp")
            .body(&offer);
        let status = sim.call(request).await.status();
        assert!([201, 400].contains(&status), "{status}: {offer}");
    }
}
