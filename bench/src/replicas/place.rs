//! Replicas of Hallpass, or one on its own.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::stores::Stores;
use crate::{
    load::{Target, Watched},
    peers::{free_address, request, text},
    process::Server,
    users::{AUDIENCE, ISSUER, OPERATOR, ROLE, random_secret},
    wire::Connection,
};

const READY_WITHIN: Duration = Duration::from_secs(30);
const PATH: &str = "/api/generate-client-secret";
const BODY: &str = r#"{"profile":"interview"}"#;

/// What every replica is started with.
pub(super) struct Setting {
    pub(super) upstream: SocketAddr,
    pub(super) key: String,
    pub(super) jwt_secret: String,
    pub(super) tokens: Vec<String>,
    pub(super) core: Option<usize>,
    pub(super) hallpass: PathBuf,
    /// `direct` or `relay`.
    pub(super) mode: &'static str,
}

/// A replica that is ready.
pub(super) struct Replica {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// Some of them.
pub(super) struct Place {
    pub(super) replicas: Vec<Replica>,
    pub(super) targets: Vec<Arc<Target>>,
}

impl Place {
    /// One by itself, on SQLite and memory.
    pub(super) async fn embedded(setting: &Setting, folder: &Path) -> Result<Self> {
        let replica = Replica::start(setting, &folder.join("embedded"), "", "").await?;
        Ok(Self::of(vec![replica], setting))
    }

    /// So many on PostgreSQL and Redis, both empty.
    pub(super) async fn distributed(
        setting: &Setting,
        stores: &Stores,
        folder: &Path,
        (name, count): (&str, usize),
    ) -> Result<Self> {
        let key = folder.join("install-key");
        if !key.exists() {
            let secret = random_secret()?;
            fs::write(&key, &secret[..32])?;
        }
        let (database, redis) = (stores.database(name)?, stores.empty_redis()?);
        let store = format!(
            "[store]\ndurable = \"{database}\"\nshared = \"{redis}\"\nreplicas = {count}\n"
        );
        let mut replicas = Vec::new();
        for number in 0..count {
            let folder = folder.join(format!("{name}-r{number}"));
            let own = format!(
                "install_key_file = \"{}\"\nreplica = \"r{number}\"\n",
                text(&key)?
            );
            replicas.push(Replica::start(setting, &folder, &own, &store).await?);
        }
        Ok(Self::of(replicas, setting))
    }

    fn of(replicas: Vec<Replica>, setting: &Setting) -> Self {
        let target = |replica: &Replica| {
            let address = replica.address;
            let requests = setting.tokens.iter();
            let requests = requests.map(|token| request(PATH, address, token, BODY));
            Arc::new(Target {
                address,
                requests: requests.collect(),
            })
        };
        Self {
            targets: replicas.iter().map(target).collect(),
            replicas,
        }
    }

    /// Whose processor time is counted while it is driven.
    pub(super) fn watched<'a>(&'a self, stores: &'a Stores) -> Watched<'a> {
        Watched {
            servers: self.replicas.iter().map(|it| &it.server).collect(),
            beside: vec![&stores.postgres, &stores.redis],
        }
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        let mut replicas = self.replicas.iter_mut();
        replicas.try_for_each(|replica| replica.server.stop())
    }
}

impl Replica {
    async fn start(setting: &Setting, folder: &Path, own: &str, store: &str) -> Result<Self> {
        fs::create_dir_all(folder.join("data"))?;
        let (address, admin) = (free_address()?, free_address()?);
        let file = folder.join("hallpass.toml");
        let data = folder.join("data");
        let listens = format!(
            "listen = \"{address}\"\nadmin_listen = \"{admin}\"\ndata_dir = \"{}\"\n{own}",
            text(&data)?
        );
        fs::write(&file, configuration(setting, &listens, store))?;
        let mut command = Command::new(&setting.hallpass);
        command.arg("serve").arg("--config").arg(&file);
        let log = folder.join("output.log");
        let mut replica = Self {
            server: Server::start(&command, setting.core, &log)?,
            address,
            admin,
        };
        let ready = replica.until_ready().await;
        ready.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(replica)
    }

    async fn until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            self.server.check_alive()?;
            if self.is_ready().await.unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("a replica is not ready")
    }

    async fn is_ready(&self) -> Result<bool> {
        let address = self.address;
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let mut connection = Connection::open(address).await?;
        Ok(connection.exchange(request.as_bytes()).await?.status == 200)
    }
}

/// Everything on as in production; only the limits are too wide to be hit.
fn configuration(setting: &Setting, listens: &str, store: &str) -> String {
    let Setting {
        upstream,
        key,
        jwt_secret,
        mode,
        ..
    } = setting;
    format!(
        r#"[server]
{listens}max_connections = 4096
# One address may hold a thousand connections, unless it is a proxy.
trusted_proxies = ["127.0.0.1/32"]
drain_delay_seconds = 0
drain_seconds = 2

{store}
[limits]
per_address_per_minute = 1000000000

[log]
format = "json"
level = "info"

[[upstream]]
name = "openai"
base_url = "http://{upstream}/v1"
api_key = "{key}"

[[auth.jwt]]
name = "bench"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["HS256"]
secret = "{jwt_secret}"
claims = {{ roles = "roles" }}

[profiles.interview]
mode = "{mode}"
modes = ["{mode}"]
expires_after_seconds = 60
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "You are a friendly interviewer.", audio = {{ output = {{ voice = "marin" }} }} }}

[roles.{ROLE}]
profiles = ["interview"]
permissions = ["grants:create", "grants:read:own"]
limits = {{ per_minute = 1000000000, per_hour = 1000000000, per_day = 1000000000 }}

[roles.{OPERATOR}]
profiles = ["*"]
permissions = ["*"]
"#
    )
}
