//! `hallpass alerts`: a running server's alerts, through its admin API.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Stop, block_on, say, table};
use crate::wiring::admin_client::Place;

/// Read and acknowledge the alerts of a running server
#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// List alerts, newest first
    #[command(after_help = "Examples:
  hallpass alerts list                         what is wrong now
  hallpass alerts list --state ended           what was
  hallpass alerts list --severity critical --json

Exit codes: 0 whatever is listed, 2 the server can't be asked.")]
    List {
        #[command(flatten)]
        place: Place,
        /// active, ended or all
        #[arg(long, default_value = "active")]
        state: String,
        /// Only of this rule
        #[arg(long)]
        rule: Option<String>,
        /// Only info, warning or critical ones
        #[arg(long)]
        severity: Option<String>,
        /// At most so many, 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Say that somebody looks after an alert
    #[command(
        after_help = "Example:\n  hallpass alerts acknowledge al_0f3b5c6d7e8f90123456789abcdef012 --note \"looking into it\""
    )]
    Acknowledge {
        #[command(flatten)]
        place: Place,
        /// Its id
        id: String,
        /// What to say to it, for others and for the trail
        #[arg(long)]
        note: Option<String>,
    },
}

impl Alerts {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::List {
                    place,
                    state,
                    rule,
                    severity,
                    limit,
                    json,
                } => {
                    let given = [
                        ("state", Some(state).filter(|state| state != "all")),
                        ("rule", rule),
                        ("severity", severity),
                        ("limit", Some(limit.to_string())),
                    ];
                    let query: Vec<(&str, String)> = given
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, value?)))
                        .collect();
                    let answer = place.client()?.get(&["alerts"], &query).await?;
                    show(answer["data"].as_array().map_or(&[], Vec::as_slice), json);
                    Ok(())
                }
                Self::Acknowledge { place, id, note } => {
                    let path = ["alerts", &id, "acknowledge"];
                    let body = json!({ "note": note });
                    let alert = place.client()?.post(&path, &body).await?;
                    let by = &alert["acknowledged"]["by"];
                    say(format_args!("{id} is acknowledged by {}", text(by)));
                    Ok(())
                }
            }
        })
    }
}

fn show(alerts: &[Value], json: bool) {
    if json {
        alerts.iter().for_each(say);
        return;
    }
    let rows = alerts.iter().map(|alert| {
        [
            text(&alert["severity"]),
            text(&alert["rule"]),
            text(&alert["summary"]),
            time(&alert["started_at"]),
            time(&alert["ended_at"]),
            text(&alert["acknowledged"]["by"]),
            text(&alert["id"]),
        ]
    });
    say(table(
        [
            "severity", "rule", "what", "since", "ended", "seen by", "id",
        ],
        rows,
    ));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn time(value: &Value) -> String {
    let time = value
        .as_i64()
        .and_then(|seconds| hallpass_core::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}
