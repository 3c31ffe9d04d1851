//! Three replicas on PostgreSQL and Redis behind nginx, as `ops/compose/`
//! arranges them.

mod agree;
mod storm;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallpass_testkit::{
    postgres::{self, TestDatabase},
    redis::RedisServer,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::support::{
    Answer, Process, Serve, Sim, Site,
    balancer::{balancer, until_it_answers},
    client, post, random_hex, send,
};

/// How many there are.
const REPLICAS: usize = 3;
/// Mints a day of one person.
const LIMIT: usize = 12;
/// A replica that knows less than this lets nobody through, in seconds.
const STALE: u64 = 10;

const MORE: &str = r#"
[profiles.relayed]
mode = "relay"
modes = ["relay"]
lease_seconds = 60
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[roles.caller]
profiles = ["interview", "relayed"]
permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]
"#;

/// The whole arrangement.
struct Place {
    sim: Sim,
    sites: Vec<Site>,
    /// None while it is down.
    serves: Vec<Option<Serve>>,
    /// nginx before them.
    url: String,
    caller: String,
    operator: String,
    redis: RedisServer,
    _nginx: Process,
    _folder: TempDir,
    _database: TestDatabase,
}

/// What an arrangement is made of, before it is started.
struct Plan {
    redis_url: String,
    postgres_url: String,
    command_ms: u64,
}

impl Place {
    async fn start() -> Self {
        let (redis, database) = (RedisServer::start().await, postgres::database());
        let plan = Plan {
            redis_url: redis.url(),
            postgres_url: database.url(),
            // This machine may do other things, too.
            command_ms: 3000,
        };
        Self::by(&plan, redis, database).await
    }

    async fn by(plan: &Plan, redis: RedisServer, database: TestDatabase) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let install_key = random_hex(16);
        let (first, mut sites) = (Site::new(&sim.url, &key, &more(plan)), Vec::new());
        for number in 0..REPLICAS {
            let site = match number {
                0 => first.clone(),
                _ => Site::new(&sim.url, &key, &more(plan)),
            };
            // All know the same people, and take each other's passes and keys.
            std::fs::write(site.path("jwt-secret"), &first.jwt_secret).unwrap();
            std::fs::write(site.path("installation"), &install_key).unwrap();
            std::fs::write(site.path("postgres"), &plan.postgres_url).unwrap();
            std::fs::write(site.path("redis"), &plan.redis_url).unwrap();
            let own = format!(
                "data_dir = \"data\"\ninstall_key_file = \"installation\"\nreplica = \"r{number}\""
            );
            site.change("data_dir = \"data\"", &own);
            let limits = format!("[roles.person]\nlimits = {{ per_day = {LIMIT} }}\n");
            site.change("[roles.person]\n", &limits);
            sites.push(site);
        }
        let caller = first.api_key("caller", "svc");
        let operator = first.api_key("operator", "adm");
        let mut serves = Vec::new();
        for site in &sites {
            let serve = Serve::start(site);
            let address = format!("\nlisten = \"{}\"", serve.public);
            site.change("\nlisten = \"127.0.0.1:0\"", &address);
            serves.push(Some(serve));
        }
        let folder = tempfile::tempdir().unwrap();
        let servers: Vec<String> = serves
            .iter()
            .flatten()
            .map(|it| it.public.clone())
            .collect();
        let (nginx, url) = balancer(folder.path(), &servers);
        until_it_answers(&url).await;
        Self {
            sim,
            sites,
            serves,
            url,
            caller,
            operator,
            redis,
            _nginx: nginx,
            _folder: folder,
            _database: database,
        }
    }

    /// A replica that is up.
    fn at(&self, number: usize) -> &Serve {
        self.serves[number].as_ref().expect("it is up")
    }

    /// `kill -9`.
    fn kill(&mut self, number: usize) {
        self.serves[number]
            .take()
            .expect("it is up")
            .process
            .kill_9();
    }

    /// Asks a replica to stop, as an orchestrator does, and waits until it has.
    fn stop(&mut self, number: usize) {
        let mut serve = self.serves[number].take().expect("it is up");
        let ended = serve.process.end(Signal::TERM);
        assert_eq!(ended.code(), Some(0));
    }

    fn start_again(&mut self, number: usize) {
        self.serves[number] = Some(Serve::start(&self.sites[number]));
    }

    /// Asks a replica, past nginx.
    async fn ask(&self, replica: usize, path: &str, bearer: &str, body: &Value) -> Answer {
        let url = self.at(replica).url(path);
        send(post(&client(), &url, bearer, body)).await
    }

    async fn mint(&self, replica: usize, bearer: &str, body: &Value) -> Answer {
        self.ask(replica, "/api/generate-client-secret", bearer, body)
            .await
    }

    async fn admin(&self, replica: usize, path: &str) -> Value {
        let request = client().get(self.at(replica).admin_url(path));
        send(request.bearer_auth(&self.operator)).await.json()
    }

    async fn admin_post(&self, replica: usize, path: &str, body: &Value) -> Answer {
        let url = self.at(replica).admin_url(path);
        send(post(&client(), &url, &self.operator, body)).await
    }

    /// A pass made at one replica.
    async fn pass(&self, replica: usize) -> Value {
        let asked = json!({ "profile": "relayed" });
        let answer = self.mint(replica, &self.caller, &asked).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Connects to a replica with a pass, as a browser does.
    async fn connect(&self, replica: usize, pass: &Value) -> Socket {
        let secret = pass["value"].as_str().unwrap();
        let offers = format!("realtime, openai-insecure-api-key.{secret}");
        let url = format!("ws://{}/v1/realtime", self.at(replica).public);
        let mut request = url.into_client_request().unwrap();
        let offers = HeaderValue::from_str(&offers).unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offers);
        Socket(connect_async(request).await.unwrap().0)
    }

    async fn revoke(&self, replica: usize, kind: &str, target: &str) -> Value {
        let body = json!({ "kind": kind, "target": target, "reason": "a test" });
        let answer = self
            .admin_post(replica, "/api/admin/revocations", &body)
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }
}

fn more(plan: &Plan) -> String {
    let command_ms = plan.command_ms;
    format!(
        "[store]\ndurable_file = \"postgres\"\nshared_file = \"redis\"\nreplicas = {REPLICAS}\nshared_timeout_ms = {command_ms}\nrevocations_stale_seconds = {STALE}\n{MORE}"
    )
}

/// A client's end of a relayed session.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next event's type; a close gives its code.
    async fn next(&mut self) -> Result<String, Option<u16>> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    return Ok(event["type"].as_str().unwrap_or_default().to_owned());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads to the end; the code it was closed with.
    async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}

/// Asks again until something is so; how long that took.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}
