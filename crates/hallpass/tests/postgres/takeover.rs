//! A WebRTC call outlives the replica that made it: another carries it on.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    pair::Node,
    replicas::{House, until},
};
use crate::support::{client, post, send, trail::Record};

/// From a replica's death until another hears its calls.
const TAKEN_OVER: Duration = Duration::from_secs(10);

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";

/// Two replicas, and a call that the first made.
struct Talk {
    house: House,
    a: Node,
    b: Node,
    /// OpenAI's id of the call.
    call: String,
    /// Our id of it.
    session: String,
    grant: String,
}

impl Talk {
    /// Begins a call at the first, whose profile has these lines.
    async fn begin(profile: &str) -> Self {
        let house = House::open();
        let second = house.shared.site("b");
        let talk = format!(
            "[profiles.talk]\nmode = \"call\"\nmodes = [\"call\"]\n{profile}\n\
            session = {{ type = \"realtime\", model = \"gpt-realtime-2.1\", instructions = \"Ask.\" }}\n\
            [roles.service]"
        );
        for site in [&house.first, &second] {
            site.change("[roles.service]", &talk);
            site.change(
                "[roles.service]\nprofiles = [\"interview\"]",
                "[roles.service]\nlimits = { concurrent_sessions = 1 }\nprofiles = [\"*\"]",
            );
        }
        let a = house.shared.start(house.first.clone());
        let b = house.shared.start(second);
        let minted = a.mint(&house.service, &json!({ "profile": "talk" })).await;
        assert_eq!(minted.status, 201, "{}", minted.text);
        let pass = minted.json()["value"].as_str().unwrap().to_owned();
        let grant = minted.json()["id"].as_str().unwrap().to_owned();
        let offer = client().post(a.serve.url("/v1/realtime/calls"));
        let offer = offer.bearer_auth(&pass).body(OFFER);
        let made = send(offer.header("content-type", "application/sdp")).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let session = made.header("location").rsplit('/').next().unwrap();
        let mut talk = Self {
            session: session.to_owned(),
            call: String::new(),
            house,
            a,
            b,
            grant,
        };
        let live = talk.live().await;
        let call = live.iter().find(|it| it["kind"] == "call").unwrap();
        talk.call = call["id"].as_str().unwrap().to_owned();
        until(|| async { talk.sidebands().await == 1 }).await;
        talk
    }

    /// What is live at the simulated OpenAI.
    async fn live(&self) -> Vec<Value> {
        let url = format!("{}/_sim/sessions", self.house.sim.url);
        let live = send(client().get(url)).await.json();
        live.as_array().unwrap().clone()
    }

    async fn sidebands(&self) -> usize {
        let live = self.live().await;
        live.iter().filter(|it| it["kind"] == "sideband").count()
    }

    async fn lasts(&self) -> bool {
        let live = self.live().await;
        live.iter().any(|it| it["id"] == self.call.as_str())
    }

    /// The browser says something, and OpenAI answers.
    async fn says(&self) {
        let url = format!("{}/_sim/calls/{}/events", self.house.sim.url, self.call);
        let item = json!({"type": "conversation.item.create", "item": {
            "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": "Go on"}]}});
        for event in [item, json!({"type": "response.create"})] {
            let said = send(client().post(&url).json(&event)).await;
            assert_eq!(said.status, 204, "{}", said.text);
        }
    }

    /// What the database has of the call's usage.
    async fn used(&self, at: &Node) -> Value {
        let path = format!("/api/admin/usage?by=session&session={}", self.session);
        let answer = at.admin(&self.house.operator, &path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["data"][0].clone()
    }

    async fn responses(&self, at: &Node) -> u64 {
        self.used(at).await["responses"].as_u64().unwrap_or(0)
    }

    /// Waits until a replica carries the call; how long that took.
    async fn carried_by(&self, node: &Node) -> Duration {
        let started = Instant::now();
        let path = "/api/admin/sessions";
        until(|| async {
            let sessions = node.admin(&self.house.operator, path).await.json();
            sessions["data"][0]["id"] == self.session.as_str()
        })
        .await;
        started.elapsed()
    }
}

/// The first record of an action in a replica's trail that has a fact.
async fn recorded(node: &Node, action: &str, name: &str) -> Record {
    let trail = node.site.trail();
    let found = || {
        let mut records = trail.records().into_iter();
        records.find(|record| record.action() == action && !fact(record, name).is_empty())
    };
    until(|| async { found().is_some() }).await;
    found().unwrap()
}

fn fact(record: &Record, name: &str) -> String {
    let facts = &record.0["unmapped"]["hallpass"]["facts"];
    facts[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_replica_was_killed_is_carried_on_metered_and_ended_by_another() {
    let mut talk = Talk::begin("").await;
    talk.says().await;
    until(|| async { talk.responses(&talk.b).await == 1 }).await;
    let killed = Instant::now();
    talk.a.serve.process.kill_9();
    until(|| async { talk.sidebands().await == 0 }).await;
    talk.carried_by(&talk.b).await;
    until(|| async { talk.sidebands().await == 1 }).await;
    assert!(killed.elapsed() < TAKEN_OVER, "{:?}", killed.elapsed());
    assert!(talk.lasts().await, "nobody hung it up");

    // What was used before counts, and what is used now, each once.
    talk.says().await;
    until(|| async { talk.responses(&talk.b).await == 2 }).await;

    // Its place among its caller's sessions is taken.
    let second = talk
        .b
        .mint(&talk.house.service, &json!({ "profile": "talk" }))
        .await;
    let pass = second.json()["value"].as_str().unwrap().to_owned();
    let offer = client().post(talk.b.serve.url("/v1/realtime/calls"));
    let offer = offer.bearer_auth(&pass).body(OFFER);
    let refused = send(offer.header("content-type", "application/sdp")).await;
    assert_eq!(refused.status, 429, "{}", refused.text);

    // A revocation ends it where it is now.
    let path = format!("/api/admin/grants/{}/revoke", talk.grant);
    let url = talk.b.serve.admin_url(&path);
    let revoked = send(post(&client(), &url, &talk.house.operator, &json!({}))).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    until(|| async { !talk.lasts().await }).await;
    let took = recorded(&talk.b, "session.takeover", "call").await;
    assert_eq!(fact(&took, "part"), "took");
    let end = recorded(&talk.b, "session.end", "hang_up_confirmed").await;
    assert_eq!(fact(&end, "reason"), "revoked");
    assert_eq!(fact(&end, "responses"), "2");
    assert_eq!(talk.responses(&talk.b).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_taken_over_ends_when_its_time_is_over() {
    let mut talk = Talk::begin("max_session_seconds = 12").await;
    talk.a.serve.process.kill_9();
    talk.carried_by(&talk.b).await;
    assert!(talk.lasts().await);
    let end = recorded(&talk.b, "session.end", "hang_up_confirmed").await;
    assert_eq!(fact(&end, "reason"), "time_limit");
    assert!(!talk.lasts().await);
    let live_ms: u64 = fact(&end, "live_ms").parse().unwrap();
    let bounds = 11_900..14_000;
    assert!(bounds.contains(&live_ms), "all of its time: {live_ms} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_only_seemed_dead_lets_its_call_go_and_counts_nothing_twice() {
    let talk = Talk::begin("").await;
    talk.a.serve.process.signal(Signal::STOP);
    talk.carried_by(&talk.b).await;
    until(|| async { talk.sidebands().await == 2 }).await;
    // Both hear it: one now, the other when it goes on.
    talk.says().await;
    until(|| async { talk.responses(&talk.b).await == 1 }).await;
    talk.a.serve.process.signal(Signal::CONT);
    let lost = recorded(&talk.a, "session.takeover", "call").await;
    assert_eq!(fact(&lost, "part"), "gave_up");
    until(|| async { talk.sidebands().await == 1 }).await;
    assert!(talk.lasts().await, "who lost it does not hang up");
    talk.says().await;
    until(|| async { talk.responses(&talk.b).await == 2 }).await;
    assert_eq!(talk.responses(&talk.a).await, 2);
}
