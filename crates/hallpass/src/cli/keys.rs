//! `hallpass keys`: make, list, revoke and rotate API keys.

use std::path::PathBuf;

use clap::Subcommand;
use hallpass_core::{
    Timestamp,
    ids::{CredentialId, RoleName, Subject},
    key::KeyKind,
    ports::StoredKey,
};

use super::{Stop, block_on, config::Source, say, table};
use crate::wiring::keyring::{Keyring, NewKey};

/// Make, list, revoke and rotate API keys
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and show it, once
    #[command(
        after_help = "Example:\n  hallpass keys create --config hallpass.toml --name backend --role service --expires-in-days 90"
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
        #[arg(long, value_name = "CIDR")]
        network: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List all keys
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
        /// The key's id: the part after hp_svc_ or hp_adm_
        id: String,
    },
    /// Make a successor of a key, which goes on working for a while
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

/// Whose keys.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    source: Source,
    /// The data directory, where there is no configuration file
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data_dir: Option<PathBuf>,
}

impl Place {
    async fn open(self) -> Result<Keyring, Stop> {
        if let Some(data_dir) = self.data_dir {
            let audit_dir = data_dir.join("audit");
            return Keyring::open(&data_dir, &audit_dir).await;
        }
        let config = self.source.load()?.config;
        Keyring::open(&config.server.data_dir, &config.audit.dir).await
    }
}

impl Keys {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::Create {
                    place,
                    name,
                    role,
                    kind,
                    expires_in_days,
                    network,
                    json,
                } => {
                    let new = NewKey {
                        name: Subject::new(name)?,
                        kind,
                        roles: role
                            .into_iter()
                            .map(RoleName::new)
                            .collect::<Result<_, _>>()?,
                        networks: network,
                        expires_in_days,
                    };
                    let keyring = place.open().await?;
                    let made = keyring.create(new).await;
                    keyring.close().await;
                    made.map(|(text, key)| show_new(&text, &key, json))
                }
                Self::List { place, json } => {
                    let keyring = place.open().await?;
                    let keys = keyring.list().await;
                    keyring.close().await;
                    keys.map(|keys| show_all(&keys, json))
                }
                Self::Revoke { place, id } => {
                    let keyring = place.open().await?;
                    let revoked = keyring.revoke(&CredentialId::new(id)?).await;
                    keyring.close().await;
                    revoked.map(|()| say("The key is revoked."))
                }
                Self::Rotate {
                    place,
                    id,
                    overlap_hours,
                    json,
                } => {
                    let keyring = place.open().await?;
                    let made = keyring.rotate(&CredentialId::new(id)?, overlap_hours).await;
                    keyring.close().await;
                    made.map(|(text, key)| show_new(&text, &key, json))
                }
            }
        })
    }
}

fn show_new(text: &str, key: &StoredKey, json: bool) {
    if json {
        say(serde_json::json!({ "key": text, "id": key.id, "name": key.name, "roles": key.roles }));
        return;
    }
    say(text);
    say(format_args!(
        "\nThis key is shown once. Its id is {}; keep the key where the service reads its secrets.",
        key.id
    ));
}

fn show_all(keys: &[StoredKey], json: bool) {
    if json {
        for key in keys {
            say(serde_json::json!({
                "id": key.id, "kind": key.kind.to_string(), "name": key.name, "roles": key.roles,
                "networks": key.networks, "created_at": key.created_at, "expires_at": key.expires_at,
                "revoked_at": key.revoked_at, "last_used_at": key.last_used_at, "replaced_by": key.replaced_by,
            }));
        }
        return;
    }
    let time =
        |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
    let rows = keys.iter().map(|key| {
        let roles: Vec<&str> = key.roles.iter().map(RoleName::as_str).collect();
        [
            key.id.to_string(),
            key.kind.to_string(),
            key.name.to_string(),
            roles.join(" "),
            time(Some(key.created_at)),
            time(key.expires_at),
            time(key.revoked_at),
            time(key.last_used_at),
        ]
    });
    say(table(
        [
            "id",
            "kind",
            "name",
            "roles",
            "created",
            "expires",
            "revoked",
            "last used",
        ],
        rows,
    ));
}
