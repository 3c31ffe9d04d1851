//! `hallpass upstreams`: a running server's upstreams and their breakers.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Stop, block_on, say, table};
use crate::wiring::admin_client::Place;

/// See the upstreams of a running server and force their breakers
#[derive(Debug, Subcommand)]
pub(crate) enum Upstreams {
    /// List the upstreams and their breakers
    #[command(after_help = "Example:
  HALLPASS_URL=http://127.0.0.1:8788 HALLPASS_ADMIN_KEY=hp_adm_… hallpass upstreams list")]
    List {
        #[command(flatten)]
        place: Place,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Hold a breaker open or closed, or let it go
    #[command(after_help = "Examples:
  hallpass upstreams force openai open     ask this upstream no more
  hallpass upstreams force openai auto     start anew and go by its answers")]
    Force {
        #[command(flatten)]
        place: Place,
        /// The upstream's name in the configuration
        name: String,
        /// What its breaker is to do
        state: Wish,
    },
}

/// What a breaker is to do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Wish {
    /// Ask this upstream no more
    Open,
    /// Ask it whatever it answers
    Closed,
    /// Start anew and go by its answers
    Auto,
}

impl Wish {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Auto => "auto",
        }
    }
}

impl Upstreams {
    pub(crate) fn run(self) -> Result<(), Stop> {
        block_on(async {
            match self {
                Self::List { place, json } => {
                    let list = place.client()?.get(&["upstreams"], &[]).await?;
                    show_all(&list["data"], json);
                    Ok(())
                }
                Self::Force { place, name, state } => {
                    let body = json!({ "state": state.name() });
                    let path = ["upstreams", &name, "breaker"];
                    let list = place.client()?.post(&path, &body).await?;
                    show_all(&list["data"], false);
                    Ok(())
                }
            }
        })
    }
}

fn show_all(upstreams: &Value, json: bool) {
    let upstreams = upstreams.as_array().map_or(&[][..], Vec::as_slice);
    if json {
        upstreams.iter().for_each(say);
        return;
    }
    let text = |upstream: &Value, name: &str| match &upstream[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let rows = upstreams.iter().map(|upstream| {
        let forced = upstream["forced"] == true;
        let breaker = text(upstream, "breaker");
        [
            text(upstream, "name"),
            text(upstream, "status"),
            if forced {
                format!("{breaker} (forced)")
            } else {
                breaker
            },
            text(upstream, "since"),
            text(upstream, "cause"),
            text(upstream, "retry_in_seconds"),
            text(upstream, "key"),
            text(upstream, "weight"),
        ]
    });
    say(table(
        [
            "name",
            "status",
            "breaker",
            "since",
            "cause",
            "retry in s",
            "key",
            "weight",
        ],
        rows,
    ));
}
