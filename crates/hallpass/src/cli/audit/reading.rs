//! Reading records: the last ones, those looked for, and all for elsewhere.

use std::{net::IpAddr, path::PathBuf};

use clap::ValueEnum;
use hallpass_audit::{CSV_HEADER, Query, StoredRecord, TrailReader, csv_row};
use hallpass_core::Timestamp;
use hallpass_store_postgres::{Database, PgSettings, TrailQuery};
use secrecy::SecretString;

use super::{Stop, existing, say, table};
use crate::{cli::block_on, wiring::trail::with_replica};

/// Records asked for at once from a database.
const PAGE: usize = 1000;

/// `audit tail`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// The directory of the segments
    dir: PathBuf,
    /// How many records
    #[arg(short = 'n', default_value_t = 10)]
    count: usize,
    /// Print the records as they stand
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(super) fn run(self) -> Result<(), Stop> {
        let dir = with_trail(self.dir)?;
        show(&hallpass_audit::tail(&dir, self.count)?, self.json);
        Ok(())
    }
}

/// A folder in which there is a trail: of another one, an empty table would look
/// like an answer.
fn with_trail(dir: PathBuf) -> Result<PathBuf, Stop> {
    let dir = existing(dir)?;
    if TrailReader::open(&dir)?.is_empty() {
        let text = format!(
            "{} holds no segment of a trail. Name the directory the server writes (`audit.dir`)",
            dir.display()
        );
        return Err(Stop::usage(text));
    }
    Ok(dir)
}

/// Which records are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct Filter {
    /// The directory of the segments
    #[arg(required_unless_present = "store", conflicts_with = "store")]
    dir: Option<PathBuf>,
    /// The PostgreSQL database to which all replicas copy their trails; better
    /// in the environment than here
    #[arg(long, value_name = "ADDRESS", env = "HALLPASS_AUDIT_STORE", hide_env_values = true, value_parser = address)]
    store: Option<SecretString>,
    /// Only of this replica, in a database
    #[arg(long, requires = "store")]
    replica: Option<String>,
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
    /// Read every segment, whatever the indexes say
    #[arg(long)]
    no_index: bool,
}

impl Filter {
    fn find(
        self,
        limit: Option<usize>,
    ) -> Result<Box<dyn Iterator<Item = Result<StoredRecord, Stop>>>, Stop> {
        let Some(dir) = self.dir else {
            return Ok(Box::new(self.find_in_store(limit)?.into_iter().map(Ok)));
        };
        let outcome = self.outcome.as_deref().map(str::parse).transpose();
        let query = Query {
            subject: self.subject,
            grant: self.grant,
            session: self.session_id,
            action: self.action,
            outcome: outcome.map_err(|_| {
                Stop::usage("--outcome is pending, success, refused, failed or abandoned")
            })?,
            address: self.address,
            since: self.since,
            until: self.until,
            limit,
            without_index: self.no_index,
            ..Query::default()
        };
        let found = hallpass_audit::search(&with_trail(dir)?, query)?;
        Ok(Box::new(found.map(|record| record.map_err(Stop::from))))
    }

    /// The same among the trails of all replicas; each line names its replica.
    fn find_in_store(self, limit: Option<usize>) -> Result<Vec<StoredRecord>, Stop> {
        let address = self.store.unwrap_or_default();
        let mut query = TrailQuery {
            replica: self.replica,
            subject: self.subject,
            grant: self.grant,
            session_id: self.session_id,
            action: self.action,
            outcome: self.outcome,
            address: self.address.map(|address| address.to_string()),
            since: self.since,
            until: self.until,
            from: 0,
            limit: PAGE,
        };
        block_on(async move {
            let database = Database::connect(PgSettings::new(address)).await?;
            let (mut found, most) = (Vec::new(), limit.unwrap_or(usize::MAX));
            while found.len() < most {
                query.limit = PAGE.min(most - found.len());
                let page = database.search_trail(&query).await?;
                let Some((last, _)) = page.last() else { break };
                query.from = last + 1;
                for (_, record) in &page {
                    let line = with_replica(record);
                    found.push(StoredRecord::read(line.as_bytes()).map_err(Stop::no)?);
                }
            }
            database.close().await;
            Ok(found)
        })
    }
}

pub(super) fn address(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

/// `audit search`.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    #[command(flatten)]
    filter: Filter,
    /// At most so many
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// Print the records as they stand
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) fn run(self) -> Result<(), Stop> {
        let found: Result<Vec<StoredRecord>, Stop> = self.filter.find(Some(self.limit))?.collect();
        show(&found?, self.json);
        Ok(())
    }
}

/// What records are written as.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The records as they stand
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

/// `audit export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    filter: Filter,
    /// What they are written as
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Stop> {
        let found = self.filter.find(None)?;
        if matches!(self.format, Format::Csv) {
            say(CSV_HEADER);
        }
        for record in found {
            let record = record?;
            match self.format {
                Format::Jsonl => say(&record.line),
                Format::Csv => say(csv_row(&record)),
            }
        }
        Ok(())
    }
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
