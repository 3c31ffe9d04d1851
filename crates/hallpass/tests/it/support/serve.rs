//! `hallpass serve` by a configuration file.

use std::{path::PathBuf, process::Command, sync::Arc};

use hallpass_auth::jwt::sign_hs256;
use reqwest::Client;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Process, Run, Stream, Trail, binary, client, now, random_hex};

const ISSUER: &str = "https://app.example.test";

/// A directory with a configuration, a JWT secret and records.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) dir: Arc<TempDir>,
    /// The standard key of the environment.
    pub(crate) standard_key: String,
    /// What tokens are signed with.
    pub(crate) jwt_secret: String,
}

impl Site {
    /// Writes a configuration for an upstream, with further lines.
    pub(crate) fn new(upstream: &str, standard_key: &str, more: &str) -> Self {
        let site = Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            standard_key: standard_key.to_owned(),
            jwt_secret: random_hex(32),
        };
        std::fs::write(site.path("jwt-secret"), &site.jwt_secret).unwrap();
        std::fs::write(site.path("hallpass.toml"), configuration(upstream, more)).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command on this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("hallpass.toml"))
            .env("OPENAI_API_KEY", &self.standard_key);
        if let Some(address) = crate::durable(self.dir.path()) {
            command.env("HALLPASS_STORE_DURABLE", address);
        }
        if let Some(address) = crate::shared(self.dir.path()) {
            command.env("HALLPASS_STORE_SHARED", address);
            // As in the replicas' tests: this machine may do other things, too.
            command.env("HALLPASS_STORE_SHARED_TIMEOUT_MS", "3000");
        }
        command
    }

    /// Runs a command on this configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments), "")
    }

    /// Makes an API key and gives its text.
    pub(crate) fn api_key(&self, role: &str, kind: &str) -> String {
        let made = self.run(&[
            "keys", "create", "--json", "--name", role, "--role", role, "--kind", kind,
        ]);
        made.json()["key"].as_str().unwrap().to_owned()
    }

    /// A user's token, for a number of seconds from now.
    pub(crate) fn token(&self, subject: &str, seconds: i64) -> String {
        let claims = json!({
            "iss": ISSUER, "aud": "hallpass", "sub": subject,
            "iat": now() - 3600, "exp": now() + seconds,
        });
        sign_hs256(&SecretString::from(self.jwt_secret.clone()), &claims).unwrap()
    }

    /// The configuration's text.
    pub(crate) fn configuration(&self) -> String {
        std::fs::read_to_string(self.path("hallpass.toml")).unwrap()
    }

    /// Changes the configuration's text.
    pub(crate) fn change(&self, from: &str, to: &str) {
        let text = self.configuration();
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(self.path("hallpass.toml"), text.replace(from, to)).unwrap();
    }

    pub(crate) fn trail(&self) -> Trail {
        Trail::at(self.path("data/audit"))
    }
}

fn configuration(upstream: &str, more: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
data_dir = "data"
drain_delay_seconds = 0

[[upstream]]
name = "openai"
base_url = "{upstream}/v1"
timeout_ms = 2000

[[auth.jwt]]
name = "app"
issuer = "{ISSUER}"
audience = "hallpass"
algorithms = ["HS256"]
secret_file = "jwt-secret"
max_lifetime_seconds = 86400

[auth]
default_role = "person"

[profiles.interview]
modes = ["direct"]
max_expires_after_seconds = 600
overrides = ["audio.output.voice"]
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask.", audio = {{ output = {{ voice = "marin" }} }} }}

[profiles.hidden]
modes = ["direct"]
session = {{ type = "realtime", model = "gpt-realtime-2.1" }}

[roles.person]
profiles = ["interview"]
permissions = ["grants:create", "grants:read:own"]

[roles.reader]
profiles = ["interview"]
permissions = ["grants:read:own"]

[roles.service]
profiles = ["interview"]
permissions = ["grants:*"]

[roles.operator]
profiles = ["*"]
permissions = ["*"]

[limits]
per_address_per_minute = 1000000

{more}
"#
    )
}

/// A running server.
pub(crate) struct Serve {
    pub(crate) process: Process,
    /// Where the public listener is, host and port.
    pub(crate) public: String,
    /// Where the admin listener is, host and port.
    pub(crate) admin: String,
    pub(crate) client: Client,
}

impl Serve {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(site: &Site) -> Self {
        Self::start_by(site.command(&["serve"]))
    }

    /// Starts a server by a command and waits until it listens.
    pub(crate) fn start_by(command: Command) -> Self {
        let process = Process::start(command);
        let (public, admin) = process.wait_for(Stream::Err, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let at = |name: &str| Some(line[name].as_str()?.to_owned());
            (line["message"] == "serving").then_some((at("public")?, at("admin")?))
        });
        Self {
            process,
            public,
            admin,
            client: client(),
        }
    }

    /// How often the log says something by now.
    pub(crate) fn told(&self, text: &str) -> usize {
        self.process.text(Stream::Err).matches(text).count()
    }

    /// Waits until the log has said something so often.
    pub(crate) fn until_told(&self, text: &str, times: usize) {
        let mut told = 0;
        self.process.wait_for(Stream::Err, |line| {
            told += line.matches(text).count();
            (told >= times).then_some(())
        });
    }

    /// A plain address of the public listener.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    /// A plain address of the admin listener.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }
}
