//! `hallpass grants`: a running server's grants, through its admin API.

use clap::Subcommand;
use hallpass_core::grant::GrantState;
use serde_json::Value;

use super::{Stop, block_on, revocations::show_effect, say, table};
use crate::wiring::admin_client::{AdminClient, Place};

/// Read and revoke the grants of a running server
#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// List grants, newest first
    #[command(after_help = "Example:
  HALLPASS_URL=http://127.0.0.1:8788 HALLPASS_ADMIN_KEY=hp_adm_… hallpass grants list --subject user-42")]
    List {
        #[command(flatten)]
        place: Place,
        /// Only this subject's
        #[arg(long)]
        subject: Option<String>,
        /// Only of this interview
        #[arg(long)]
        session_id: Option<String>,
        /// Only of this profile
        #[arg(long)]
        profile: Option<String>,
        /// Only in this state: active, connected, expired, revoked or ended
        #[arg(long)]
        state: Option<GrantState>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one grant
    #[command(after_help = "Example:\n  hallpass grants show gr_0f3b5c6d7e8f90123456789abcdef012")]
    Show {
        #[command(flatten)]
        place: Place,
        /// The grant's id
        id: String,
    },
    /// Revoke one grant
    #[command(
        after_help = "Example:\n  hallpass grants revoke gr_0f3b5c6d7e8f90123456789abcdef012 --reason \"secret leaked\""
    )]
    Revoke {
        #[command(flatten)]
        place: Place,
        /// The grant's id
        id: String,
        /// Why, for the trail
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Grants {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::List {
                    place,
                    subject,
                    session_id,
                    profile,
                    state,
                    limit,
                    json,
                } => {
                    let filters = [
                        ("subject", subject),
                        ("session_id", session_id),
                        ("profile", profile),
                        ("state", state.map(|state| state.to_string())),
                    ];
                    let grants = list(&place.client()?, &filters, limit).await?;
                    show_all(&grants, json);
                    Ok(())
                }
                Self::Show { place, id } => {
                    let grant = place.client()?.get(&["grants", &id], &[]).await?;
                    say(format_args!("{grant:#}"));
                    Ok(())
                }
                Self::Revoke {
                    place,
                    id,
                    reason,
                    json,
                } => {
                    let body = serde_json::json!({ "reason": reason });
                    let path = ["grants", &id, "revoke"];
                    let answer = place.client()?.post(&path, &body).await?;
                    show_effect(&answer, json);
                    Ok(())
                }
            }
        })
    }
}

/// Follows the pages until there are enough.
async fn list(
    client: &AdminClient,
    filters: &[(&'static str, Option<String>)],
    limit: usize,
) -> Result<Vec<Value>, Stop> {
    let mut grants = Vec::new();
    let mut cursor: Option<String> = None;
    while grants.len() < limit {
        let page_size = (limit - grants.len()).min(200).to_string();
        let mut query = vec![("limit", page_size)];
        query.extend(
            filters
                .iter()
                .filter_map(|(name, value)| Some((*name, value.clone()?))),
        );
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let mut page = client.get(&["grants"], &query).await?;
        if let Value::Array(data) = page["data"].take() {
            grants.extend(data);
        }
        match page["next_cursor"].take() {
            Value::String(next) => cursor = Some(next),
            _ => break,
        }
    }
    Ok(grants)
}

fn show_all(grants: &[Value], json: bool) {
    if json {
        grants.iter().for_each(say);
        return;
    }
    let text = |grant: &Value, name: &str| match &grant[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let time = |grant: &Value, name: &str| {
        let time = grant[name]
            .as_i64()
            .and_then(|seconds| hallpass_core::Timestamp::from_second(seconds).ok());
        time.map_or_else(|| "-".to_owned(), |time| time.to_string())
    };
    let rows = grants.iter().map(|grant| {
        [
            text(grant, "id"),
            text(grant, "state"),
            text(grant, "subject"),
            text(grant, "profile"),
            text(grant, "mode"),
            time(grant, "created_at"),
            time(grant, "expires_at"),
            format!("…{}", text(grant, "secret_last4")),
        ]
    });
    say(table(
        [
            "id", "state", "subject", "profile", "mode", "created", "expires", "secret",
        ],
        rows,
    ));
}
