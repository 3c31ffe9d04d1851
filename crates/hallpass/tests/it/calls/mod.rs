//! Brokered WebRTC calls, from the pass to the hang-up.

mod ends;
mod made;
mod watched;

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{
    Answer, Serve, Sim, Site, post, random_hex, send,
    sim::{fault, no_faults},
    trail::Record,
};

/// An offer that stops at the signalling.
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";

/// A server for calls, and the simulated OpenAI behind it.
struct Calls {
    sim: Sim,
    site: Site,
    serve: Serve,
    /// An API key of the role "caller".
    key: String,
    /// An API key of the role "operator".
    admin: String,
}

/// One call that was made.
struct Called {
    /// The grant.
    grant: String,
    /// Our id of it.
    ours: String,
    /// OpenAI's id of it.
    theirs: String,
}

impl Calls {
    /// Starts both; `profile` are further lines of the profile, `role` of the
    /// role.
    fn start(profile: &str, role: &str) -> Self {
        Self::begin("", profile, role)
    }

    /// Starts both; what the browser's user says is transcribed by a model.
    fn transcribed(model: &str) -> Self {
        let input = format!(r#"input = {{ transcription = {{ model = "{model}" }} }}, "#);
        Self::begin(&input, "", "")
    }

    fn begin(input: &str, profile: &str, role: &str) -> Self {
        let standard_key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&standard_key);
        let more = format!(
            r#"
[profiles.talk]
mode = "call"
modes = ["call"]
overrides = ["audio.output.voice"]
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask.", audio = {{ {input}output = {{ voice = "marin" }} }} }}
{profile}

[roles.caller]
profiles = ["talk"]
permissions = ["grants:create", "grants:read:own"]
{role}
"#
        );
        let site = Site::new(&sim.url, &standard_key, &more);
        let key = site.api_key("caller", "svc");
        let admin = site.api_key("operator", "adm");
        let serve = Serve::start(&site);
        Self {
            sim,
            site,
            serve,
            key,
            admin,
        }
    }

    /// A secret for a call, as it was answered.
    async fn secret(&self) -> Value {
        let url = self.serve.url("/api/generate-client-secret");
        let body = json!({"profile": "talk"});
        let answer = send(post(&self.serve.client, &url, &self.key, &body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// A request for a call.
    fn offer(&self, pass: &str) -> RequestBuilder {
        self.offer_at("", pass)
    }

    /// The same, with a query.
    fn offer_at(&self, query: &str, pass: &str) -> RequestBuilder {
        let url = self.serve.url(&format!("/v1/realtime/calls{query}"));
        let request = self.serve.client.post(url);
        let request = request.bearer_auth(pass).body(OFFER);
        request.header("content-type", "application/sdp")
    }

    async fn call_with(&self, pass: &str) -> Answer {
        send(self.offer(pass)).await
    }

    /// Makes a call that a sideband listens to.
    async fn called(&self) -> Called {
        let called = self.made().await;
        self.until("a sideband listens", |sessions| {
            let mut sidebands = sessions.iter().filter(|it| it["kind"] == "sideband");
            sidebands.any(|it| it["call_id"] == called.theirs.as_str())
        })
        .await;
        called
    }

    /// Makes a call.
    async fn made(&self) -> Called {
        let secret = self.secret().await;
        let answer = self.call_with(secret["value"].as_str().unwrap()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let ours = answer.header("location").rsplit('/').next().unwrap();
        let sessions = self.sessions().await;
        let call = sessions.iter().rfind(|it| it["kind"] == "call").unwrap();
        Called {
            grant: secret["id"].as_str().unwrap().to_owned(),
            ours: ours.to_owned(),
            theirs: call["id"].as_str().unwrap().to_owned(),
        }
    }

    /// The simulator's live sessions, oldest first.
    async fn sessions(&self) -> Vec<Value> {
        let url = format!("{}/_sim/sessions", self.sim.url);
        let answer = send(self.serve.client.get(url)).await.json();
        answer.as_array().unwrap().clone()
    }

    /// Waits until the simulator's sessions are as they should be.
    async fn until(&self, what: &str, done: impl Fn(&[Value]) -> bool) {
        let looking = async {
            while !done(&self.sessions().await) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let looked = tokio::time::timeout(Duration::from_secs(10), looking).await;
        assert!(looked.is_ok(), "{what}: {:?}", self.sessions().await);
    }

    /// Waits until a call is over at the simulator.
    async fn until_over(&self, called: &Called) {
        let over =
            |sessions: &[Value]| !sessions.iter().any(|it| it["id"] == called.theirs.as_str());
        self.until("the call is over", over).await;
    }

    /// Does what a browser does on the data channel.
    async fn says(&self, called: &Called, event: &Value) {
        let url = format!("{}/_sim/calls/{}/events", self.sim.url, called.theirs);
        let answer = send(self.serve.client.post(url).json(event)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }

    /// Asks the admin API.
    async fn admin(&self, path: &str, body: &Value) -> Answer {
        let url = self.serve.admin_url(path);
        send(post(&self.serve.client, &url, &self.admin, body)).await
    }

    async fn fault(&self, spec: Value) {
        fault(&self.serve.client, &self.sim.url, spec).await;
    }

    async fn no_faults(&self) {
        no_faults(&self.serve.client, &self.sim.url).await;
    }

    /// The hang-ups the simulator saw, by their status.
    async fn hangups(&self) -> Vec<Value> {
        let url = format!("{}/_sim/log", self.sim.url);
        let log = send(self.serve.client.get(url)).await.json();
        let entries = log.as_array().unwrap().iter();
        let hangups = entries.filter(|entry| entry["route"] == "hangup");
        hangups.map(|entry| entry["status"].clone()).collect()
    }

    /// Waits for the first record of an action about a call.
    async fn record(&self, called: &Called, action: &str) -> Record {
        let looking = async {
            loop {
                let found = self.site.trail().all().into_iter().find(|record| {
                    // The request that ends one is recorded, too, without what was used.
                    let of_call = action != "session.end" || !fact(record, "call").is_empty();
                    record.action() == action
                        && of_call
                        && record.0.to_string().contains(&called.grant)
                });
                if let Some(record) = found {
                    return record;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let looked = tokio::time::timeout(Duration::from_secs(10), looking).await;
        looked.unwrap_or_else(|_| panic!("no {action} in {:?}", self.site.trail().lines()))
    }

    /// Waits until a call's end is recorded, and gives its reason.
    async fn ended(&self, called: &Called) -> (String, Record) {
        let record = self.record(called, "session.end").await;
        (fact(&record, "reason"), record)
    }
}

/// A fact of a record, as text.
fn fact(record: &Record, name: &str) -> String {
    let facts = &record.0["unmapped"]["hallpass"]["facts"];
    facts[name].as_str().unwrap_or_default().to_owned()
}

fn update(session: &Value) -> Value {
    json!({"type": "session.update", "session": session})
}
