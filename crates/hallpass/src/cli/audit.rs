//! `hallpass audit`: read, search and verify the trail.

use std::{net::IpAddr, path::PathBuf};

use clap::Subcommand;
use hallpass_audit::StoredRecord;
use hallpass_core::{Timestamp, hash::Purpose};

use super::{Stop, config::Source, say, table};
use crate::wiring::install;

/// Read, search and verify the audit trail
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the last records
    #[command(after_help = "Example:\n  hallpass audit tail .hallpass/audit -n 20")]
    Tail {
        /// The directory of the segments
        dir: PathBuf,
        /// How many records
        #[arg(short = 'n', default_value_t = 10)]
        count: usize,
        /// Print the records as they stand
        #[arg(long)]
        json: bool,
    },
    /// Find records
    #[command(
        after_help = "Example:\n  hallpass audit search .hallpass/audit --subject user-42 --outcome refused --since 2026-11-01T00:00:00Z"
    )]
    Search(Search),
    /// Check every record and the chain they form; exits 1 naming the first bad one
    #[command(after_help = "Example:\n  hallpass audit verify /var/lib/hallpass/audit")]
    Verify {
        /// The directory of the segments
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The keyed hash under which the trail holds a sensitive value, read from standard input
    #[command(
        after_help = "Example:\n  printf %s \"$LEAKED\" | hallpass audit hash --config hallpass.toml"
    )]
    Hash {
        #[command(flatten)]
        source: Source,
        /// The data directory, where there is no configuration file
        #[arg(long, value_name = "DIR", conflicts_with = "config")]
        data_dir: Option<PathBuf>,
    },
}

/// Which records are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// The directory of the segments
    dir: PathBuf,
    /// Only this subject's
    #[arg(long)]
    subject: Option<String>,
    /// Only of this grant
    #[arg(long)]
    grant: Option<String>,
    /// Only of this interview
    #[arg(long)]
    session_id: Option<String>,
    /// Only this action, for example grant.create
    #[arg(long)]
    action: Option<String>,
    /// Only this outcome: pending, success, refused, failed or abandoned
    #[arg(long)]
    outcome: Option<String>,
    /// Only from this address
    #[arg(long)]
    address: Option<IpAddr>,
    /// Only at or after this time
    #[arg(long, value_name = "RFC3339")]
    since: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Print the records as they stand
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<(), Stop> {
        match self {
            Self::Tail { dir, count, json } => {
                show(&hallpass_audit::tail(&dir, count)?, json);
                Ok(())
            }
            Self::Search(search) => search.run(),
            Self::Verify { dir, json } => verify(&dir, json),
            Self::Hash { source, data_dir } => hash(&source, data_dir),
        }
    }
}

impl Search {
    fn run(self) -> Result<(), Stop> {
        let query = hallpass_audit::Query {
            subject: self.subject,
            grant: self.grant,
            session: self.session_id,
            action: self.action,
            outcome: self
                .outcome
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|_| {
                    Stop::usage("--outcome is pending, success, refused, failed or abandoned")
                })?,
            address: self.address,
            since: self.since,
            until: self.until,
            limit: Some(self.limit),
            ..hallpass_audit::Query::default()
        };
        let found: Result<Vec<StoredRecord>, _> =
            hallpass_audit::search(&self.dir, query)?.collect();
        show(&found?, self.json);
        Ok(())
    }
}

fn verify(dir: &std::path::Path, json: bool) -> Result<(), Stop> {
    if !dir.is_dir() {
        return Err(Stop::usage(format!("{} is no directory", dir.display())));
    }
    let report =
        hallpass_audit::verify(dir, None, |_| {}).map_err(|error| Stop::no(error.to_string()))?;
    let head = report.head.as_ref();
    if json {
        say(serde_json::json!({
            "verdict": "whole", "records": report.records, "segments": report.segments, "bytes": report.bytes,
            "last_sequence": head.map(|head| head.sequence), "last_hash": head.map(|head| head.hash.to_string()),
        }));
        return Ok(());
    }
    say(format_args!(
        "{} records in {} segments: every record and the chain are whole.",
        report.records, report.segments
    ));
    if let Some(head) = head {
        say(format_args!(
            "The last is record {} with hash {}. Keep it elsewhere: it shows a later rollback.",
            head.sequence, head.hash
        ));
    }
    Ok(())
}

fn hash(source: &Source, data_dir: Option<PathBuf>) -> Result<(), Stop> {
    let data_dir = match data_dir {
        Some(dir) => dir,
        None => source.load()?.config.server.data_dir,
    };
    let mut value = String::new();
    std::io::Read::read_to_string(&mut std::io::stdin(), &mut value)?;
    let key = install::read_key(&data_dir)?;
    say(key
        .hasher(Purpose::Audit)
        .hash(value.trim_end_matches('\n').as_bytes())
        .to_hex());
    Ok(())
}

fn show(records: &[StoredRecord], json: bool) {
    if json {
        records.iter().for_each(|record| say(&record.line));
        return;
    }
    let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let rows = records.iter().map(|record| {
        [
            record.sequence.to_string(),
            record.time.to_string(),
            record.action.clone(),
            record.phase.to_string(),
            record.outcome.to_string(),
            dash(record.code.as_deref()),
            dash(record.subject.as_deref()),
            dash(record.grant_id()),
        ]
    });
    say(table(
        [
            "#", "time", "action", "phase", "outcome", "code", "subject", "grant",
        ],
        rows,
    ));
}
