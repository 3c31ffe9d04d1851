//! `hallpass dev` on free ports.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Process, Stream, Trail, binary, client, post, send};

/// `dev.json`: every member there is, and none more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DevFile {
    pub(crate) url: String,
    pub(crate) tls_url: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) admin_url: String,
    pub(crate) upstream_url: String,
    pub(crate) api_key: String,
    pub(crate) admin_key: String,
    pub(crate) user_jwt: String,
    pub(crate) session_cookie: SessionCookie,
}

/// The app's session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionCookie {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A running development server.
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) file: DevFile,
    pub(crate) client: Client,
    dir: Arc<TempDir>,
}

/// The command that starts one.
pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = binary();
    command
        .args(["dev", "--port", "0", "--data-dir"])
        .arg(data_dir);
    if let Some(address) = crate::durable(data_dir) {
        command.env("HALLPASS_STORE_DURABLE", address);
    }
    command
}

impl Dev {
    /// Starts one in a directory of its own.
    pub(crate) fn start() -> Self {
        Self::start_in(&Arc::new(tempfile::tempdir().unwrap()))
    }

    /// Starts one in a directory, which may hold an earlier one's records.
    pub(crate) fn start_in(dir: &Arc<TempDir>) -> Self {
        Self::start_as(dir, command(&data_dir(dir)))
    }

    /// Starts one by a command.
    pub(crate) fn start_as(dir: &Arc<TempDir>, command: Command) -> Self {
        let process = Process::start(command);
        // The banner's last line; every socket is bound before its first.
        process.wait_for(Stream::Out, |line| line.contains("Ctrl-C").then_some(()));
        let file = std::fs::read(data_dir(dir).join("dev.json")).unwrap();
        Self {
            process,
            file: serde_json::from_slice(&file).unwrap(),
            client: client(),
            dir: dir.clone(),
        }
    }

    /// The directory, to start another there.
    pub(crate) fn dir(&self) -> Arc<TempDir> {
        self.dir.clone()
    }

    /// Where its records are.
    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(&self.dir)
    }

    pub(crate) fn trail(&self) -> Trail {
        Trail::at(self.data_dir().join("audit"))
    }

    /// An address of the broker.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.file.url)
    }

    /// Asks for a secret with a body.
    pub(crate) async fn mint(&self, bearer: &str, body: &Value) -> Answer {
        let url = self.url("/api/generate-client-secret");
        send(post(&self.client, &url, bearer, body)).await
    }

    /// Asks for a secret as a service, and gets one.
    pub(crate) async fn minted(&self) -> Value {
        let answer = self.mint(&self.file.api_key, &json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Reads an address of the broker as a service.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(self.url(path));
        send(request.bearer_auth(&self.file.api_key)).await
    }

    /// Reads the admin API.
    pub(crate) async fn admin(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.file.admin_url);
        send(self.client.get(url).bearer_auth(&self.file.admin_key)).await
    }

    /// What the simulator saw of mints.
    pub(crate) async fn upstream_log(&self) -> Vec<Value> {
        super::sim::log(&self.client, &self.file.upstream_url).await
    }
}

/// Where a server in this directory keeps its records.
pub(crate) fn data_dir(dir: &TempDir) -> PathBuf {
    dir.path().join("data")
}
