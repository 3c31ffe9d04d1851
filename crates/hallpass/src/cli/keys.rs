//! `hallpass keys`: make, list, revoke and rotate API keys.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use hallpass_core::{
    Timestamp,
    ids::{CredentialId, RoleName, Subject},
    key::KeyKind,
    key_issuer::NewKey,
};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value;

use super::{Stop, block_on, config::Source, say, table};
use crate::wiring::{
    admin_client::{AdminClient, secret},
    key_desk::{KeyDesk, Task},
    keyring::Keyring,
};

/// Seconds of an hour and of a day.
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Where a server's admin listener is by default.
const ADMIN_ADDRESS: &str = "http://127.0.0.1:8788";

/// Make, list, revoke and rotate API keys
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and show it, once
    #[command(
        after_help = "Example:\n  hallpass keys create --config hallpass.toml --name backend --role service --expires-in-days 90\n\nA running server:\n  HALLPASS_ADMIN_KEY=hp_adm_… hallpass keys create --url http://127.0.0.1:8788 --name backend --role service"
    )]
    Create {
        #[command(flatten)]
        place: Place,
        /// Who will use it; the subject of its callers
        #[arg(long)]
        name: String,
        /// A role it gives; may be given several times
        #[arg(long, required = true)]
        role: Vec<String>,
        /// svc for a service, adm for an operator
        #[arg(long, default_value = "svc")]
        kind: KeyKind,
        /// Days until it ends; without it, it does not end
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
        /// A network it may be used from, as CIDR; may be given several times
        #[arg(long, value_name = "CIDR", value_parser = network)]
        network: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all keys
    #[command(after_help = "Example:\n  hallpass keys list --config hallpass.toml")]
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Withdraw a key
    #[command(after_help = "Example:\n  hallpass keys revoke --config hallpass.toml 4ZxQ0b1cYw2e")]
    Revoke {
        #[command(flatten)]
        place: Place,
        /// The key's id: the part between its kind and its secret
        id: String,
    },
    /// Make a successor of a key, which goes on working for a while
    #[command(
        after_help = "Example:\n  hallpass keys rotate --config hallpass.toml --overlap-hours 48 4ZxQ0b1cYw2e"
    )]
    Rotate {
        #[command(flatten)]
        place: Place,
        /// The key's id
        id: String,
        /// Hours the old key goes on working
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Whose keys: a running server's where its admin key is given, else those of
/// the data directory.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    source: Source,
    /// The data directory of a server that does not run, where there is no configuration file
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A running server's admin address; needs the admin key
    #[arg(long, env = "HALLPASS_URL")]
    url: Option<Url>,
    /// An API key whose role may manage keys; better in the environment than here
    #[arg(long, env = "HALLPASS_ADMIN_KEY", hide_env_values = true, value_parser = secret)]
    admin_key: Option<SecretString>,
}

impl Place {
    async fn open(self) -> Result<KeyDesk, Stop> {
        if let Some(data_dir) = self.data_dir {
            let audit_dir = data_dir.join("audit");
            let keyring = Box::new(Keyring::open(&data_dir, &audit_dir).await?);
            return Ok(KeyDesk::Stopped {
                keyring,
                roles: None,
            });
        }
        match (self.url, self.admin_key) {
            (url, Some(key)) => {
                let url = url.map_or_else(|| Url::parse(ADMIN_ADDRESS), Ok)?;
                Ok(KeyDesk::Running(AdminClient::new(url, key)?))
            }
            (Some(_), None) => Err(Stop::usage(
                "a server's address is given and no key. Set HALLPASS_ADMIN_KEY, or leave the address out to work on the data directory.",
            )),
            (None, None) => {
                let config = self.source.load()?.config;
                let keyring = Box::new(Keyring::of(&config).await?);
                let roles = Some(config.roles.into_keys().collect());
                Ok(KeyDesk::Stopped { keyring, roles })
            }
        }
    }
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            let (place, task, json) = self.parts()?;
            let desk = place.open().await?;
            let done = desk.run(&task).await;
            desk.close().await;
            show(&task, &done?, json);
            Ok(())
        })
    }

    /// Where, what, and whether as JSON.
    fn parts(self) -> Result<(Place, Task, bool), Stop> {
        Ok(match self {
            Self::Create {
                place,
                name,
                role,
                kind,
                expires_in_days,
                network,
                json,
            } => {
                let roles = role.into_iter().map(RoleName::new);
                let new = NewKey {
                    name: Subject::new(name)?,
                    kind,
                    roles: roles.collect::<Result<_, _>>()?,
                    networks: network,
                    lasts: expires_in_days.map(|days| Duration::from_secs(u64::from(days) * DAY)),
                };
                (place, Task::Create(new), json)
            }
            Self::List { place, json } => (place, Task::List, json),
            Self::Revoke { place, id } => (place, Task::Revoke(CredentialId::new(id)?), false),
            Self::Rotate {
                place,
                id,
                overlap_hours,
                json,
            } => {
                let overlap = Duration::from_secs(u64::from(overlap_hours) * HOUR);
                (place, Task::Rotate(CredentialId::new(id)?, overlap), json)
            }
        })
    }
}

fn network(text: &str) -> Result<String, &'static str> {
    let wanted = "not an address or a network such as 10.0.0.0/8";
    hallpass_auth::is_network(text)
        .then(|| text.to_owned())
        .ok_or(wanted)
}

fn show(task: &Task, answer: &Value, json: bool) {
    match task {
        Task::Create(_) | Task::Rotate(..) if json => say(answer),
        Task::Create(_) | Task::Rotate(..) => show_new(answer),
        Task::Revoke(_) => say("The key is revoked."),
        Task::List => show_all(answer, json),
    }
}

fn show_new(answer: &Value) {
    say(text(&answer["key"]));
    say(format_args!(
        "\nThis key is shown once. Its id is {}; keep the key where the service reads its secrets.",
        text(&answer["id"])
    ));
}

fn show_all(answer: &Value, json: bool) {
    let keys = answer["data"].as_array().map_or(&[][..], Vec::as_slice);
    if json {
        keys.iter().for_each(say);
        return;
    }
    let columns = [
        "id",
        "kind",
        "name",
        "roles",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ];
    let rows = keys
        .iter()
        .map(|key| columns.map(|column| text(&key[column])));
    let heads = columns.map(|column| column.trim_end_matches("_at"));
    say(table(heads, rows));
}

/// A member for people: times to the second, lists with spaces.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::String(text) => text
            .parse::<Timestamp>()
            .map_or_else(|_| text.clone(), |time| format!("{time:.0}")),
        other => other.to_string(),
    }
}
