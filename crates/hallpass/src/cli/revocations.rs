//! `hallpass revocations`: revoke, and lift what was revoked, on a running server.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Stop, block_on, say, table};
use crate::wiring::admin_client::Place;

/// Revoke, and lift what was revoked, on a running server
#[derive(Debug, Subcommand)]
pub(crate) enum Revocations {
    /// Revoke: nothing more is issued, and what was is ended where it can be
    #[command(after_help = "Examples:
  hallpass revocations add --subject user-42 --reason \"laptop stolen\"
  hallpass revocations add --key 4ZxQ0b1cYw2e
  hallpass revocations add --before 2026-11-22T21:00:00Z
  hallpass revocations add --all --reason \"standard key leaked\"")]
    Add {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        scope: Scope,
        /// Why, for the trail
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List what is revoked, newest first
    #[command(after_help = "Example:\n  hallpass revocations list --lifted")]
    List {
        #[command(flatten)]
        place: Place,
        /// Lifted ones too
        #[arg(long)]
        lifted: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Lift a revocation; grants it revoked stay revoked
    #[command(
        after_help = "Example:\n  hallpass revocations lift rv_0f3b5c6d7e8f90123456789abcdef012"
    )]
    Lift {
        #[command(flatten)]
        place: Place,
        /// The revocation's id
        id: String,
    },
}

/// What to revoke: exactly one.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Scope {
    /// A person or a service, until lifted
    #[arg(long)]
    subject: Option<String>,
    /// One grant
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// A grant and all its refreshes
    #[arg(long, value_name = "ID")]
    lineage: Option<String>,
    /// An interview
    #[arg(long, value_name = "ID")]
    session_id: Option<String>,
    /// An API key, by its id
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// A profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Everything issued before a time
    #[arg(long, value_name = "RFC3339")]
    before: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

impl Scope {
    fn kind_and_target(self) -> (&'static str, Option<String>) {
        let kinds = [
            ("subject", self.subject),
            ("grant", self.grant),
            ("lineage", self.lineage),
            ("session", self.session_id),
            ("key", self.key),
            ("profile", self.profile),
            ("before", self.before),
        ];
        let given = kinds.into_iter().find(|(_, target)| target.is_some());
        given.unwrap_or(("all", None))
    }
}

impl Revocations {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::Add {
                    place,
                    scope,
                    reason,
                    json,
                } => {
                    let (kind, target) = scope.kind_and_target();
                    let body = json!({ "kind": kind, "target": target, "reason": reason });
                    let answer = place.client()?.post(&["revocations"], &body).await?;
                    show_effect(&answer, json);
                }
                Self::List {
                    place,
                    lifted,
                    json,
                } => {
                    let query = [("lifted", lifted.to_string())];
                    let answer = place.client()?.get(&["revocations"], &query).await?;
                    show_all(&answer["data"], json);
                }
                Self::Lift { place, id } => {
                    let path = ["revocations", &id, "lift"];
                    let answer = place.client()?.post(&path, &json!({})).await?;
                    say(format_args!(
                        "Lifted: {} {}. Grants it revoked stay revoked.",
                        text(&answer, "kind"),
                        text(&answer, "target"),
                    ));
                }
            }
            Ok(())
        })
    }
}

/// Says what a revocation did, and what it could not reach.
pub(super) fn show_effect(answer: &Value, json: bool) {
    if json {
        say(answer);
        return;
    }
    let id = answer["revocation"].as_str().or(answer["id"].as_str());
    say(format_args!(
        "In force: {}. Nothing more is issued to it.\nGrants revoked: {}; ended at once: {}.",
        id.unwrap_or("-"),
        answer["revoked"],
        answer["ended"],
    ));
    let left = &answer["unexpired_secrets"];
    match left["count"].as_u64() {
        Some(0) | None => say("No secret is left that could open a session."),
        Some(count) => say(format_args!(
            "Beyond recall: {count} secrets that OpenAI accepts until {}, and sessions they opened.",
            time(left, "until")
        )),
    }
}

fn show_all(revocations: &Value, json: bool) {
    let all = revocations.as_array().map_or(&[][..], Vec::as_slice);
    if json {
        all.iter().for_each(say);
        return;
    }
    let rows = all.iter().map(|revocation| {
        [
            text(revocation, "id"),
            text(revocation, "kind"),
            text(revocation, "target"),
            text(revocation, "reason"),
            time(revocation, "created_at"),
            text(revocation, "created_by"),
            time(revocation, "lifted_at"),
        ]
    });
    let header = ["id", "kind", "target", "reason", "added", "by", "lifted"];
    say(table(header, rows));
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}

fn time(value: &Value, name: &str) -> String {
    let seconds = value[name].as_i64();
    let time = seconds.and_then(|seconds| hallpass_core::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}
