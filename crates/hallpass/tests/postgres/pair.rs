//! Two replicas on one database, each with a data directory of its own.

use hallpass_testkit::postgres::{TestDatabase, database};
use serde_json::Value;

use crate::support::{Answer, Serve, Site, client, post, random_hex, send};

/// What the replicas of a pair share.
pub(crate) struct Shared {
    pub(crate) database: TestDatabase,
    redis: String,
    upstream: String,
    standard_key: String,
    jwt_secret: String,
    install_key: Vec<u8>,
}

/// A replica that may be started again.
pub(crate) struct Node {
    pub(crate) site: Site,
    pub(crate) serve: Serve,
}

impl Shared {
    pub(crate) fn new(upstream: &str, standard_key: &str) -> Self {
        Self {
            database: database(),
            redis: hallpass_testkit::redis::database(),
            upstream: upstream.to_owned(),
            standard_key: standard_key.to_owned(),
            jwt_secret: random_hex(32),
            install_key: random_hex(16).into_bytes(),
        }
    }

    /// A configuration of a replica of this name.
    pub(crate) fn site(&self, name: &str) -> Site {
        let redis = &self.redis;
        let store = format!(
            "[store]\ndurable_file = \"durable\"\nshared = \"{redis}\"\nreplicas = 2\nshared_timeout_ms = 3000\n"
        );
        let mut site = Site::new(&self.upstream, &self.standard_key, &store);
        std::fs::write(site.path("durable"), self.database.url()).unwrap();
        std::fs::write(site.path("jwt-secret"), &self.jwt_secret).unwrap();
        std::fs::write(site.path("install-key"), &self.install_key).unwrap();
        site.jwt_secret.clone_from(&self.jwt_secret);
        site.change(
            "data_dir = \"data\"",
            &format!(
                "data_dir = \"data\"\nreplica = \"{name}\"\ninstall_key_file = \"install-key\""
            ),
        );
        site
    }

    /// A running replica of this name.
    pub(crate) fn node(&self, name: &str) -> Node {
        self.start(self.site(name))
    }

    /// A running replica on a configuration.
    pub(crate) fn start(&self, site: Site) -> Node {
        let serve = Serve::start_by(command(&site, &["serve"]));
        Node { site, serve }
    }
}

impl Node {
    /// Starts it again on its data directory.
    pub(crate) fn restart(&mut self) {
        self.serve = Serve::start_by(command(&self.site, &["serve"]));
    }

    /// Asks for a secret.
    pub(crate) async fn mint(&self, bearer: &str, body: &Value) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&client(), &url, bearer, body)).await
    }

    /// Reads the public listener.
    pub(crate) async fn get(&self, bearer: &str, path: &str) -> Answer {
        send(client().get(self.serve.url(path)).bearer_auth(bearer)).await
    }

    /// Sends to the public listener.
    pub(crate) async fn post(&self, bearer: &str, path: &str, body: &Value) -> Answer {
        send(post(&client(), &self.serve.url(path), bearer, body)).await
    }

    /// Sends to the admin listener.
    pub(crate) async fn admin_post(&self, bearer: &str, path: &str, body: &Value) -> Answer {
        send(post(&client(), &self.serve.admin_url(path), bearer, body)).await
    }

    /// Reads the admin listener.
    pub(crate) async fn admin(&self, bearer: &str, path: &str) -> Answer {
        send(client().get(self.serve.admin_url(path)).bearer_auth(bearer)).await
    }
}

/// A command on a replica's configuration, whose stores its file names.
pub(crate) fn command(site: &Site, arguments: &[&str]) -> std::process::Command {
    let mut command = site.command(arguments);
    command.env_remove("HALLPASS_STORE_DURABLE");
    command.env_remove("HALLPASS_STORE_SHARED");
    command.env_remove("HALLPASS_STORE_SHARED_TIMEOUT_MS");
    command
}

/// Makes an API key and gives its text.
pub(crate) fn api_key(site: &Site, role: &str, kind: &str) -> String {
    let arguments = [
        "keys", "create", "--json", "--name", role, "--role", role, "--kind", kind,
    ];
    let made = crate::support::Run::of(command(site, &arguments), "");
    made.json()["key"].as_str().unwrap().to_owned()
}
