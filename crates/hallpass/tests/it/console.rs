//! The operator's console from outside: signing in, reading, acting, watching.

mod acting;
mod alerting;
mod events;
mod hostile;
mod numbers;
mod signing_in;

use futures_util::StreamExt;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};
use url::form_urlencoded;

use crate::support::{Answer, Serve, Sim, Site, post, random_hex, send};

/// Profiles and roles of these tests.
const MORE: &str = r#"
[profiles.relayed]
mode = "relay"
modes = ["relay"]
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[roles.caller]
profiles = ["relayed", "interview"]
permissions = ["grants:create"]
budget = { usd_per_day = 5.0, role_usd_per_day = 100.0 }

[roles.auditor]
profiles = []
permissions = ["sessions:read", "alerts:read", "keys:read", "audit:read", "usage:read"]

[roles.accountant]
profiles = []
permissions = ["usage:read"]
"#;

/// A server, its upstream, and keys for it.
struct Place {
    site: Site,
    sim: Sim,
    serve: Serve,
    caller: String,
    operator: String,
    /// May read and do nothing.
    auditor: String,
    /// May read what was used, and nothing else.
    accountant: String,
}

impl Place {
    fn start() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, MORE);
        let caller = site.api_key("caller", "svc");
        let operator = site.api_key("operator", "adm");
        let auditor = site.api_key("auditor", "adm");
        let accountant = site.api_key("accountant", "adm");
        let serve = Serve::start(&site);
        Self {
            site,
            sim,
            serve,
            caller,
            operator,
            auditor,
            accountant,
        }
    }

    /// Sends the sign-in's form as a browser on this machine does.
    async fn try_key(&self, key: &str) -> Answer {
        let own = self.serve.admin_url("");
        let form = form(&self.serve, "/console/sign-in", &[("key", key)]);
        send(form.header("origin", own)).await
    }

    /// Signs in.
    async fn sign_in(&self, key: &str) -> Signed<'_> {
        let answer = self.try_key(key).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        let mut signed = Signed {
            serve: &self.serve,
            cookie: cookie.to_owned(),
            csrf: String::new(),
        };
        let page = signed.get("/console/").await;
        signed.csrf = between(&page.text, "name=\"csrf\" value=\"", "\"").to_owned();
        signed
    }

    async fn mint(&self, body: &Value) -> Answer {
        self.mint_as(&self.caller, body).await
    }

    async fn mint_as(&self, bearer: &str, body: &Value) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, bearer, body)).await
    }

    /// A live session and its client's end.
    async fn session(&self, session_id: &str) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let body = json!({"profile": "relayed", "session_id": session_id});
        let pass = self.mint(&body).await.json();
        let offers = format!(
            "realtime, openai-insecure-api-key.{}",
            pass["value"].as_str().unwrap()
        );
        let url = format!("ws://{}/v1/realtime", self.serve.public);
        let mut request = url.into_client_request().unwrap();
        let offers = HeaderValue::from_str(&offers).unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offers);
        let (mut socket, _) = connect_async(request).await.unwrap();
        // The first event says that it is live.
        socket.next().await.unwrap().unwrap();
        socket
    }

    /// The live sessions, as the API says.
    async fn live(&self) -> Vec<Value> {
        let request = self
            .serve
            .client
            .get(self.serve.admin_url("/api/admin/sessions"));
        let list = send(request.bearer_auth(&self.operator)).await.json();
        list["data"].as_array().unwrap().clone()
    }
}

/// A browser that is signed in.
struct Signed<'a> {
    serve: &'a Serve,
    cookie: String,
    csrf: String,
}

impl Signed<'_> {
    fn client(&self) -> &Client {
        &self.serve.client
    }

    fn reading(&self, path: &str) -> RequestBuilder {
        let request = self.client().get(self.serve.admin_url(path));
        request.header("cookie", &self.cookie)
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.reading(path)).await
    }

    /// Sends a form as one of its pages does.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", self.csrf.as_str())];
        all.extend(fields);
        let form = form(self.serve, path, &all);
        let own = self.serve.admin_url("");
        send(form.header("cookie", &self.cookie).header("origin", own)).await
    }
}

/// A form, less what a browser says of it.
fn form(serve: &Serve, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    serve
        .client
        .post(serve.admin_url(path))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

/// What stands between two texts, the first time.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, rest) = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("{begin} in {text}"));
    rest.split_once(end).unwrap().0
}
