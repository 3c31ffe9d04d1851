//! API keys of a running server, or of one that is stopped: the same tasks, the
//! same answers.

use std::time::Duration;

use hallpass_api::keys::{KeyAnswer, KeyList, NewKeyAnswer};
use hallpass_core::{
    ids::{CredentialId, RoleName},
    key_issuer::NewKey,
};
use serde_json::{Value, json};

use super::{admin_client::AdminClient, keyring::Keyring};
use crate::cli::Stop;

/// What can be done to keys.
pub(crate) enum Task {
    Create(NewKey),
    List,
    Revoke(CredentialId),
    Rotate(CredentialId, Duration),
}

/// Where it is done.
pub(crate) enum KeyDesk {
    /// Through the admin API.
    Running(AdminClient),
    /// In the data directory; roles are checked where the configuration is known.
    Stopped {
        keyring: Box<Keyring>,
        roles: Option<Vec<String>>,
    },
}

impl KeyDesk {
    /// Does a task; the answer is the admin API's.
    pub(crate) async fn run(&self, task: &Task) -> Result<Value, Stop> {
        match self {
            Self::Running(client) => through_api(client, task).await,
            Self::Stopped { keyring, roles } => {
                if let (Task::Create(new), Some(roles)) = (task, roles) {
                    all_known(&new.roles, roles)?;
                }
                in_directory(keyring, task).await
            }
        }
    }

    /// Writes what waits.
    pub(crate) async fn close(self) {
        if let Self::Stopped { keyring, .. } = self {
            keyring.close().await;
        }
    }
}

async fn through_api(client: &AdminClient, task: &Task) -> Result<Value, Stop> {
    match task {
        Task::Create(new) => {
            let body = json!({
                "name": new.name, "kind": new.kind.to_string(), "roles": new.roles,
                "networks": new.networks, "expires_in_seconds": new.lasts.map(|lasts| lasts.as_secs()),
            });
            client.post(&["keys"], &body).await
        }
        Task::List => client.get(&["keys"], &[]).await,
        Task::Revoke(id) => {
            let path = ["keys", id.as_str(), "revoke"];
            client.post(&path, &json!({})).await
        }
        Task::Rotate(id, overlap) => {
            let path = ["keys", id.as_str(), "rotate"];
            let body = json!({ "overlap_seconds": overlap.as_secs() });
            client.post(&path, &body).await
        }
    }
}

async fn in_directory(keyring: &Keyring, task: &Task) -> Result<Value, Stop> {
    Ok(match task {
        Task::Create(new) => {
            let (key, stored) = keyring.create(new.clone()).await?;
            serde_json::to_value(NewKeyAnswer::new(&key, &stored))?
        }
        Task::List => {
            let keys = keyring.list().await?;
            let data = keys.iter().map(KeyAnswer::new).collect();
            serde_json::to_value(KeyList { data })?
        }
        Task::Revoke(id) => {
            let key = keyring.revoke(id).await?;
            serde_json::to_value(KeyAnswer::new(&key))?
        }
        Task::Rotate(id, overlap) => {
            let (key, stored) = keyring.rotate(id, *overlap).await?;
            serde_json::to_value(NewKeyAnswer::new(&key, &stored))?
        }
    })
}

fn all_known(roles: &[RoleName], known: &[String]) -> Result<(), Stop> {
    let unknown = roles
        .iter()
        .find(|role| !known.iter().any(|name| name == role.as_str()));
    unknown.map_or(Ok(()), |role| {
        Err(Stop::usage(format!(
            "there is no role \"{role}\" in the configuration. There are: {}.",
            known.join(", ")
        )))
    })
}
