//! A relayed session from outside: passes, guard, meter and every way to end.

mod chaos;
mod ends;
mod limits;
mod refused;
mod talk;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::CloseFrame},
};

use crate::support::{Answer, Serve, Sim, Site, post, random_hex, send};

/// Profiles and roles of these tests.
const MORE: &str = r#"
[profiles.relayed]
mode = "relay"
modes = ["relay"]
max_expires_after_seconds = 600
overrides = ["audio.output.voice"]
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask one question.", audio = { output = { voice = "marin" } } }

[profiles.leased]
mode = "relay"
modes = ["relay"]
lease_seconds = 3
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[profiles.short]
mode = "relay"
modes = ["relay"]
max_session_seconds = 2
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[profiles.silent]
mode = "relay"
modes = ["relay"]
idle_seconds = 1
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[profiles.dictation]
mode = "relay"
modes = ["relay"]
session = { type = "transcription", audio = { input = { transcription = { model = "gpt-live-transcribe" } } } }

[roles.one]
profiles = ["relayed"]
permissions = ["grants:create"]
limits = { concurrent_sessions = 1 }

[roles.poor]
profiles = ["relayed"]
permissions = ["grants:create"]
budget = { usd_per_day = 0.002 }

[roles.careful]
profiles = ["relayed"]
permissions = ["grants:create"]
budget = { usd_per_session = 0.05 }

[roles.caller]
profiles = ["relayed", "leased", "short", "silent", "dictation"]
permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]
"#;

/// A server, its upstream, and who may do what there.
pub(super) struct Place {
    site: Site,
    sim: Sim,
    serve: Serve,
    caller: String,
    operator: String,
}

impl Place {
    fn start() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, MORE);
        let caller = site.api_key("caller", "svc");
        let operator = site.api_key("operator", "adm");
        let serve = Serve::start(&site);
        Self {
            site,
            sim,
            serve,
            caller,
            operator,
        }
    }

    async fn mint_as(&self, bearer: &str, body: &Value) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, bearer, body)).await
    }

    /// A key of somebody who has a role.
    async fn key_of(&self, role: &str) -> String {
        let body = json!({"name": role, "kind": "svc", "roles": [role]});
        let made = self.admin_post("/api/admin/keys", &body).await;
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// A pass for a profile.
    async fn pass(&self, profile: &str) -> Value {
        let answer = self
            .mint_as(&self.caller, &json!({ "profile": profile }))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// A live session of a profile, and the grant it was opened with.
    async fn session(&self, profile: &str) -> (Socket, Value) {
        let pass = self.pass(profile).await;
        let mut socket = self.open(&pass).await;
        let created = socket.event().await;
        assert_eq!(created["type"], "session.created", "{created}");
        (socket, pass)
    }

    /// Connects as a browser does that hears events of ours.
    async fn open_ours(&self, pass: &Value) -> Socket {
        let secret = pass["value"].as_str().unwrap();
        let offers = format!("realtime, openai-insecure-api-key.{secret}, hallpass.v1");
        self.connect("", &[("sec-websocket-protocol", &offers)])
            .await
    }

    /// Connects as a browser does.
    async fn open(&self, pass: &Value) -> Socket {
        let secret = pass["value"].as_str().unwrap();
        let offers = format!("realtime, openai-insecure-api-key.{secret}");
        self.connect("", &[("sec-websocket-protocol", &offers)])
            .await
    }

    async fn connect(&self, query: &str, headers: &[(&'static str, &str)]) -> Socket {
        let url = format!("ws://{}/v1/realtime{query}", self.serve.public);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let (socket, _) = connect_async(request).await.unwrap();
        Socket(socket)
    }

    async fn admin(&self, path: &str) -> Value {
        let request = self.serve.client.get(self.serve.admin_url(path));
        send(request.bearer_auth(&self.operator)).await.json()
    }

    async fn admin_post(&self, path: &str, body: &Value) -> Answer {
        let url = self.serve.admin_url(path);
        send(post(&self.serve.client, &url, &self.operator, body)).await
    }

    async fn revoke(&self, kind: &str, target: Option<&str>) -> Value {
        let body = json!({ "kind": kind, "target": target });
        self.admin_post("/api/admin/revocations", &body)
            .await
            .json()
    }

    async fn live(&self) -> Vec<Value> {
        let list = self.admin("/api/admin/sessions").await;
        list["data"].as_array().unwrap().clone()
    }

    /// Waits until no session is live: what was opened has been let go.
    async fn empty(&self) {
        while !self.live().await.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// What the simulator says of its sessions.
    async fn upstream(&self) -> Vec<Value> {
        let url = format!("{}/_sim/sessions?ended=true", self.sim.url);
        let all = send(self.serve.client.get(url)).await.json();
        all.as_array().or(all["data"].as_array()).unwrap().clone()
    }

    /// The record of a session's end.
    fn end_of(&self, grant: &Value) -> Option<crate::support::trail::Record> {
        let mut records = self.site.trail().all().into_iter();
        records.find(|record| {
            record.action() == "session.end" && record.grant_id() == grant["id"].as_str().unwrap()
        })
    }

    /// Waits for the record of a session's end.
    async fn ended(&self, grant: &Value) -> crate::support::trail::Record {
        loop {
            if let Some(record) = self
                .end_of(grant)
                .filter(|record| !record.fact("reason").is_empty())
            {
                return record;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// A client's end of a session.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn send(&mut self, event: Value) {
        self.0.send(Message::text(event.to_string())).await.unwrap();
    }

    /// The next event; the close is no event.
    async fn event(&mut self) -> Value {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no event: {other:?}"),
            }
        }
    }

    /// The next event of a type.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Everything until the close, and the close.
    async fn rest(mut self) -> (Vec<Value>, Option<CloseFrame>) {
        let mut events = Vec::new();
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => events.push(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    let _ = self.0.next().await;
                    return (events, frame);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return (events, None),
            }
        }
    }

    /// The error before the close, and the close's code and reason.
    async fn refusal(self) -> (Value, u16, String) {
        let (events, close) = self.rest().await;
        let close = close.expect("a close");
        let error = events.last().cloned().unwrap_or_default();
        (
            error["error"]["code"].clone(),
            close.code.into(),
            close.reason.to_string(),
        )
    }

    /// One turn: something said, and the response to it.
    async fn turn(&mut self, text: &str) -> Value {
        let content = json!([{"type": "input_text", "text": text}]);
        let item = json!({"type": "message", "role": "user", "content": content});
        self.send(json!({"type": "conversation.item.create", "item": item}))
            .await;
        self.send(json!({"type": "response.create"})).await;
        self.next("response.done").await
    }
}
