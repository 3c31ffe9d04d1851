//! Three replicas on PostgreSQL and Redis behind nginx, as `ops/compose/`
//! arranges them.

mod agree;
mod storm;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallpass_testkit::{
    chaos::ChaosProxy,
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

/// What the replicas stand on.
struct Ground {
    sim: Sim,
    standard_key: String,
    redis: RedisServer,
    database: Database,
}

/// Where the replicas keep what lasts.
enum Database {
    /// On the server all tests share.
    Shared(TestDatabase),
    /// On one that may be stopped.
    Own(postgres::Server),
}

/// The ways one replica goes.
#[derive(Clone)]
struct Road {
    redis: String,
    postgres: String,
    upstream: String,
}

/// How the replicas are started.
struct Plan {
    /// One for each.
    roads: Vec<Road>,
    /// The limits of everyone with a token.
    limits: String,
    command_ms: u64,
    /// A replica that knows less of revocations lets nobody through, in seconds.
    stale: u64,
    /// When the breaker of their upstream opens, and for how long; as by
    /// default where it says nothing.
    breaker: &'static str,
    /// Whether nginx reaches them through proxies that break.
    fronted: bool,
}

/// The whole arrangement.
struct Place {
    ground: Ground,
    sites: Vec<Site>,
    /// None while it is down.
    serves: Vec<Option<Serve>>,
    /// Between nginx and each, where that may break.
    fronts: Vec<ChaosProxy>,
    /// nginx before them.
    url: String,
    caller: String,
    operator: String,
    _nginx: Process,
    _folder: TempDir,
}

impl Ground {
    /// With a database of the shared server, or one of its own.
    async fn new(own_database: bool) -> Self {
        let standard_key = format!("sk-{}", random_hex(16));
        Self {
            sim: Sim::start(&standard_key),
            standard_key,
            redis: RedisServer::start().await,
            database: match own_database {
                true => Database::Own(postgres::Server::start()),
                false => Database::Shared(postgres::database()),
            },
        }
    }

    /// The ways there without anything between.
    fn road(&self) -> Road {
        Road {
            redis: self.redis.url(),
            postgres: match &self.database {
                Database::Shared(database) => database.url(),
                Database::Own(server) => server.database("hallpass"),
            },
            upstream: self.sim.url.clone(),
        }
    }
}

impl Place {
    async fn start() -> Self {
        let ground = Ground::new(false).await;
        Self::by(&Plan::straight(&ground), ground).await
    }

    async fn by(plan: &Plan, ground: Ground) -> Self {
        let sites = plan.sites(&ground.standard_key);
        let caller = sites[0].api_key("caller", "svc");
        let operator = sites[0].api_key("operator", "adm");
        let (mut serves, mut fronts, mut behind) = (Vec::new(), Vec::new(), Vec::new());
        for site in &sites {
            let serve = Serve::start(site);
            let address = format!("\nlisten = \"{}\"", serve.public);
            site.change("\nlisten = \"127.0.0.1:0\"", &address);
            if plan.fronted {
                let front = ChaosProxy::start(serve.public.parse().unwrap()).await;
                behind.push(front.address().to_string());
                fronts.push(front);
            } else {
                behind.push(serve.public.clone());
            }
            serves.push(Some(serve));
        }
        let folder = tempfile::tempdir().unwrap();
        let (nginx, url) = balancer(folder.path(), &behind);
        until_it_answers(&url).await;
        Self {
            ground,
            sites,
            serves,
            fronts,
            url,
            caller,
            operator,
            _nginx: nginx,
            _folder: folder,
        }
    }

    /// The database server, where it may be stopped.
    fn own_database(&mut self) -> &mut postgres::Server {
        match &mut self.ground.database {
            Database::Own(server) => server,
            Database::Shared(_) => panic!("others use it, too"),
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
        let socket = self.try_connect(replica, pass).await;
        socket.expect("the replica takes connections")
    }

    async fn try_connect(&self, replica: usize, pass: &Value) -> Option<Socket> {
        let secret = pass["value"].as_str().unwrap();
        let offers = format!("realtime, openai-insecure-api-key.{secret}");
        let url = format!("ws://{}/v1/realtime", self.at(replica).public);
        let mut request = url.into_client_request().unwrap();
        let offers = HeaderValue::from_str(&offers).unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offers);
        Some(Socket(connect_async(request).await.ok()?.0))
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

impl Plan {
    /// Everything at once, and nothing between.
    fn straight(ground: &Ground) -> Self {
        Self {
            roads: vec![ground.road(); REPLICAS],
            limits: format!("{{ per_day = {LIMIT} }}"),
            // This machine may do other things, too.
            command_ms: 3000,
            stale: STALE,
            breaker: "",
            fronted: false,
        }
    }

    /// A folder for each replica. All know the same people, and take each
    /// other's passes and keys.
    fn sites(&self, standard_key: &str) -> Vec<Site> {
        let (install_key, jwt_secret) = (random_hex(16), random_hex(32));
        let mut sites = Vec::new();
        for (number, road) in self.roads.iter().enumerate() {
            let mut site = Site::new(&road.upstream, standard_key, &self.more());
            site.jwt_secret.clone_from(&jwt_secret);
            for (file, text) in [
                ("jwt-secret", &jwt_secret),
                ("installation", &install_key),
                ("postgres", &road.postgres),
                ("redis", &road.redis),
            ] {
                std::fs::write(site.path(file), text).unwrap();
            }
            let own = format!(
                "data_dir = \"data\"\ninstall_key_file = \"installation\"\nreplica = \"r{number}\""
            );
            site.change("data_dir = \"data\"", &own);
            let upstream = format!("timeout_ms = 2000\n{}", self.breaker);
            site.change("timeout_ms = 2000", &upstream);
            let person = format!(
                "[roles.person]\nlimits = {}\nprofiles = [\"interview\", \"relayed\"]",
                self.limits
            );
            site.change("[roles.person]\nprofiles = [\"interview\"]", &person);
            sites.push(site);
        }
        sites
    }

    fn more(&self) -> String {
        let (
            Self {
                command_ms, stale, ..
            },
            replicas,
        ) = (self, self.roads.len());
        format!(
            "[store]\ndurable_file = \"postgres\"\nshared_file = \"redis\"\nreplicas = {replicas}\nshared_timeout_ms = {command_ms}\nrevocations_stale_seconds = {stale}\n{MORE}"
        )
    }
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
