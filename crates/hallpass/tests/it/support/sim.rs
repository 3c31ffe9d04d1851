//! `hallpass sim`, and the controls every simulator has.

use reqwest::Client;
use serde_json::Value;

use super::{Process, Stream, binary, send};

/// A running simulator that takes one key.
pub(crate) struct Sim {
    /// Ends when it is dropped.
    _process: Process,
    /// Its address, without a path.
    pub(crate) url: String,
}

impl Sim {
    pub(crate) fn start(key: &str) -> Self {
        let mut command = binary();
        command
            .args(["sim", "--listen", "127.0.0.1:0"])
            .env("HALLPASS_SIM_KEY", key);
        let process = Process::start(command);
        let url = process.wait_for(Stream::Out, |line| {
            let (_, rest) = line.split_once("http://")?;
            Some(format!("http://{}", rest.split_once('/')?.0))
        });
        Self {
            _process: process,
            url,
        }
    }
}

/// Makes a simulator fail.
pub(crate) async fn fault(client: &Client, url: &str, fault: Value) {
    let answer = send(client.post(format!("{url}/_sim/faults")).json(&fault)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

/// Ends all faults.
pub(crate) async fn no_faults(client: &Client, url: &str) {
    let answer = send(client.delete(format!("{url}/_sim/faults"))).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

/// The mints a simulator saw.
pub(crate) async fn log(client: &Client, url: &str) -> Vec<Value> {
    let answer = send(client.get(format!("{url}/_sim/log"))).await.json();
    let mints = answer.as_array().unwrap().iter();
    mints
        .filter(|entry| entry["route"] == "client_secrets")
        .cloned()
        .collect()
}
