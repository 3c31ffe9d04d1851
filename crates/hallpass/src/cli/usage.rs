//! `hallpass usage`: what a running server's sessions used, through its admin
//! API.

use serde_json::Value;

use super::{Stop, block_on, note, say, table};
use crate::wiring::admin_client::Place;

/// Show usage, cost, mints and refusals of a running server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hallpass usage                                    everything kept, by user, the dearest first
  hallpass usage --by hour --from 2026-11-22        hour by hour since that day
  hallpass usage --by subject,model --from 2026-11-22T14:00Z --to 2026-11-22T15:00Z
  hallpass usage --by subject,day --csv > usage.csv for a spreadsheet

HALLPASS_URL and HALLPASS_ADMIN_KEY say which server, and who asks.

Exit codes: 0 whatever is shown, 1 the server refuses, 2 it can't be asked.")]
pub(crate) struct Usage {
    #[command(flatten)]
    place: Place,
    /// Up to three of subject, session, role, profile, mode, model, day and hour
    #[arg(long, default_value = "subject")]
    by: String,
    /// From this day, hour or moment on, in UTC
    #[arg(long)]
    from: Option<String>,
    /// To this day, hour or moment, all of its day or hour included
    #[arg(long)]
    to: Option<String>,
    /// Only this subject's
    #[arg(long)]
    subject: Option<String>,
    /// Only of this profile
    #[arg(long)]
    profile: Option<String>,
    /// Only in this mode: direct, relay or call
    #[arg(long)]
    mode: Option<String>,
    /// Only of this model
    #[arg(long)]
    model: Option<String>,
    /// Only of this live session
    #[arg(long)]
    session: Option<String>,
    /// At most so many groups, 1 to 10000; left out, 100, and as CSV 10000
    #[arg(long)]
    limit: Option<usize>,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values
    #[arg(long)]
    csv: bool,
}

impl Usage {
    pub(crate) fn run(self) -> Result<(), Stop> {
        let given = [
            ("by", Some(self.by)),
            ("from", self.from),
            ("to", self.to),
            ("subject", self.subject),
            ("profile", self.profile),
            ("mode", self.mode),
            ("model", self.model),
            ("session", self.session),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("format", self.csv.then(|| "csv".to_owned())),
        ];
        let given = given.into_iter();
        let query: Vec<(&str, String)> = given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        block_on(async {
            let client = self.place.client()?;
            if self.csv {
                let (text, more) = client.get_text(&["usage"], &query).await?;
                say(text.trim_end());
                tell(more);
                return Ok(());
            }
            let report = client.get(&["usage"], &query).await?;
            let groups = report["data"].as_array().map_or(&[][..], Vec::as_slice);
            match self.json {
                true => groups.iter().for_each(say),
                false => show(report["by"].as_str().unwrap_or_default(), groups),
            }
            tell(report["more"].as_bool().unwrap_or(false));
            Ok(())
        })
    }
}

/// Says that this is not all.
fn tell(more: bool) {
    if more {
        note("There is more: raise --limit, or ask for less with --from and --to.");
    }
}

/// The columns after those of the groups.
const COLUMNS: [&str; 10] = [
    "mints",
    "refused",
    "failed",
    "sessions",
    "expired",
    "live",
    "tokens in",
    "cached",
    "tokens out",
    "cost",
];

fn show(by: &str, groups: &[Value]) {
    let names: Vec<&str> = by.split(',').collect();
    let header = names.iter().copied().chain(COLUMNS);
    let rows = groups.iter().map(|group| row(&names, group));
    say(table(header, rows));
}

fn row(names: &[&str], group: &Value) -> Vec<String> {
    let mut row: Vec<String> = names
        .iter()
        .map(|name| text(&group["groups"][name]))
        .collect();
    // What pages say stands in rows of its own.
    if group["source"] == "reported"
        && let Some(last) = row.last_mut()
    {
        last.push_str(" (reported)");
    }
    let activity = &group["activity"];
    let counted = |count: String| match activity.is_null() {
        true => "-".to_owned(),
        false => count,
    };
    row.extend([
        counted(text(&activity["mints"])),
        counted(sum(&activity["refusals"]).to_string()),
        counted(sum(&activity["failures"]).to_string()),
        text(&group["sessions"]),
        counted(text(&activity["sessions_expired"])),
        minutes(group["live_seconds"].as_u64().unwrap_or(0)),
        sum(&group["input"]).to_string(),
        sum(&group["cached"]).to_string(),
        sum(&group["output"]).to_string(),
        format!("${}", text(&group["cost_usd"])),
    ]);
    row
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn sum(counts: &Value) -> u64 {
    let counts = counts.as_object().into_iter().flatten();
    counts.filter_map(|(_, count)| count.as_u64()).sum()
}

/// Minutes and seconds.
fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
