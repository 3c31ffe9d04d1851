//! `hallpass sessions`: a running server's live sessions, through its admin API.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Stop, block_on, say, table};
use crate::wiring::admin_client::Place;

/// Read and end the live sessions of a running server
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List live sessions, newest first
    #[command(after_help = "Example:
  HALLPASS_URL=http://127.0.0.1:8788 HALLPASS_ADMIN_KEY=hp_adm_… hallpass sessions list --subject user-42")]
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
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End a live session; its client is told
    #[command(
        after_help = "Example:\n  hallpass sessions end ls_0f3b5c6d7e8f90123456789abcdef012 --reason \"asked by the candidate\""
    )]
    End {
        #[command(flatten)]
        place: Place,
        /// Its id, or that of its grant
        id: String,
        /// Why, for the trail
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Sessions {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::List {
                    place,
                    subject,
                    session_id,
                    profile,
                    json,
                } => {
                    let filters = [
                        ("subject", subject),
                        ("session_id", session_id),
                        ("profile", profile),
                    ];
                    let query: Vec<(&str, String)> = filters
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?)))
                        .collect();
                    let answer = place.client()?.get(&["sessions"], &query).await?;
                    show(answer["data"].as_array().map_or(&[], Vec::as_slice), json);
                    Ok(())
                }
                Self::End { place, id, reason } => {
                    let path = ["sessions", &id, "end"];
                    let body = json!({ "reason": reason });
                    let session = place.client()?.post(&path, &body).await?;
                    let text = |name: &str| session[name].as_str().unwrap_or("-").to_owned();
                    say(format_args!(
                        "{} is ended: {}",
                        text("id"),
                        text("end_reason")
                    ));
                    Ok(())
                }
            }
        })
    }
}

fn show(sessions: &[Value], json: bool) {
    if json {
        sessions.iter().for_each(say);
        return;
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let rows = sessions.iter().map(|session| {
        let usage = &session["usage"];
        [
            text(&session["id"]),
            text(&session["subject"]),
            text(&session["profile"]),
            text(&session["mode"]),
            text(&session["session_id"]),
            format!("{} s", usage["live_seconds"]),
            format!("${}", text(&usage["cost_usd"])),
        ]
    });
    say(table(
        [
            "id", "subject", "profile", "mode", "session", "live", "cost",
        ],
        rows,
    ));
}
