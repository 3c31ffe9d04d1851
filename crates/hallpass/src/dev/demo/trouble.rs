//! Trouble on request, by way of the simulator's and the admin API.

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use super::people::Person;
use crate::{cli::Stop, wiring::admin_client::AdminClient};

/// A kind of trouble, or its end.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// OpenAI ends every session, as at its 60 minutes.
    Expire,
    /// Connections fail.
    Drop,
    /// OpenAI answers nothing but 503, and its sessions fail.
    OpenaiDown,
    /// OpenAI is back.
    OpenaiUp,
    /// An operator revokes the person.
    Revoke,
    /// An operator lifts it.
    Lift,
}

/// Who makes it.
pub(super) struct Troublemaker {
    admin: AdminClient,
    client: Client,
    simulator: Option<String>,
}

impl Troublemaker {
    /// Makes trouble at this simulator and through this admin API.
    pub(super) fn new(admin: AdminClient, simulator: Option<String>) -> Result<Self, Stop> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self {
            admin,
            client,
            simulator,
        })
    }

    /// Makes it; the answer says what was done.
    pub(super) async fn make(&self, kind: Kind, person: Person) -> Result<&'static str, Stop> {
        match kind {
            Kind::Expire => {
                self.end_sessions("").await?;
                Ok("OpenAI ended its sessions, as at 60 minutes.")
            }
            Kind::Drop => {
                self.end_sessions("?code=1011").await?;
                Ok("Connections were dropped.")
            }
            Kind::OpenaiDown => {
                let fault = json!({"route": "all", "kind": "status", "status": 503});
                let at = self.simulator_at("faults")?;
                self.client.post(at).body(fault.to_string()).send().await?;
                self.end_sessions("?code=1011").await?;
                Ok("OpenAI is down.")
            }
            Kind::OpenaiUp => {
                let at = self.simulator_at("faults")?;
                self.client.delete(at).send().await?;
                Ok("OpenAI is back.")
            }
            Kind::Revoke => {
                let body = json!({"kind": "subject", "target": person.id, "reason": "asked on the demo page"});
                self.admin.post(&["revocations"], &body).await?;
                Ok("You were revoked.")
            }
            Kind::Lift => {
                self.lift(person).await?;
                Ok("The revocation was lifted.")
            }
        }
    }

    async fn lift(&self, person: Person) -> Result<(), Stop> {
        let all = self.admin.get(&["revocations"], &[]).await?;
        let all = all["data"].as_array().cloned().unwrap_or_default();
        let theirs = all.iter().filter(|each| each["target"] == person.id);
        for id in theirs.filter_map(|each| each["id"].as_str()) {
            let path = ["revocations", id, "lift"];
            self.admin.post(&path, &json!({})).await?;
        }
        Ok(())
    }

    async fn end_sessions(&self, how: &str) -> Result<(), Stop> {
        let all = self.client.get(self.simulator_at("sessions")?);
        let all: Value = all.send().await?.json().await?;
        for id in all.as_array().into_iter().flatten() {
            let id = id["id"].as_str().unwrap_or_default();
            let at = self.simulator_at(&format!("sessions/{id}{how}"))?;
            self.client.delete(at).send().await?;
        }
        Ok(())
    }

    fn simulator_at(&self, path: &str) -> Result<String, Stop> {
        let url = self.simulator.as_ref();
        let url = url.ok_or_else(|| Stop::usage("only the simulator can be told to fail"))?;
        Ok(format!("{url}/_sim/{path}"))
    }
}
