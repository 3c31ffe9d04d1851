//! `hallpass auth check`: why is my token refused?

use std::{collections::BTreeMap, io::BufRead, sync::Arc};

use clap::Subcommand;
use hallpass_core::{
    Timestamp,
    caller::{Authentication, Caller, Presented},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Stop, block_on, config::Source, say};
use crate::wiring::{authentication, clock::FixedClock};

/// Ask why a credential is accepted or refused
#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Read one JSON object a line and print a verdict for each
    ///
    /// Each line of standard input is {"id", "authorization"?, "cookies"?: {name: value}}.
    /// Each verdict is {"id", "verdict": "accept" or "reject", "reason", "caller"?}.
    #[command(after_help = "Example:
  echo '{\"id\":1,\"authorization\":\"Bearer eyJ…\"}' | hallpass auth check --config hallpass.toml")]
    Check {
        #[command(flatten)]
        source: Source,
        /// Judge as if it were this time
        #[arg(long, value_name = "RFC3339")]
        at: Option<Timestamp>,
    },
}

/// One line of standard input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: Value,
    #[serde(default)]
    authorization: Option<String>,
    #[serde(default)]
    cookies: BTreeMap<String, String>,
}

impl Auth {
    pub(crate) fn run(self) -> Result<(), Stop> {
        let Self::Check { source, at } = self;
        let loaded = source.load_auth_only()?;
        let at = at.unwrap_or_else(crate::wiring::clock::now);
        block_on(async {
            let chain =
                authentication::offline_chain(&loaded.config, Arc::new(FixedClock(at))).await?;
            for (number, line) in std::io::stdin().lock().lines().enumerate() {
                let line = line?;
                if line.trim().is_empty() {
                    continue;
                }
                let question: Question = serde_json::from_str(&line)
                    .map_err(|error| Stop::usage(format!("line {}: {error}", number + 1)))?;
                say(verdict(
                    &question,
                    chain.explain(&presented(&question), at).await,
                ));
            }
            Ok(())
        })
    }
}

fn presented(question: &Question) -> Presented<'_> {
    Presented {
        authorization: question
            .authorization
            .as_ref()
            .map(|text| text.as_bytes().into()),
        cookies: question
            .cookies
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        ..Presented::default()
    }
}

fn verdict(question: &Question, authentication: Authentication) -> Value {
    let id = &question.id;
    match authentication {
        Authentication::Authenticated(caller) => {
            json!({ "id": id, "verdict": "accept", "reason": "ok", "caller": describe(&caller) })
        }
        Authentication::Failed(failure) => json!({
            "id": id, "verdict": "reject", "reason": failure.reason, "code": failure.code.as_str(),
            "detail": failure.detail,
        }),
        Authentication::NotRequested => json!({
            "id": id, "verdict": "reject", "reason": "credential_missing", "code": "missing_credential",
            "detail": "nothing that a configured scheme reads was presented",
        }),
    }
}

fn describe(caller: &Caller) -> Value {
    json!({
        "subject": caller.subject,
        "scheme": caller.scheme,
        "credential": caller.credential,
        "roles": caller.roles,
        "session_id": caller.session_id,
        "tenant": caller.tenant,
    })
}
