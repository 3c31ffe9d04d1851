//! `hallpass migrate`: bring the database up to date.

use hallpass_store_postgres::Database;

use super::{Stop, block_on, config::Source, say};
use crate::wiring::durable;

/// Bring the PostgreSQL database up to date
///
/// Each server does so at its start; this does it before, and can be repeated.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hallpass migrate --config hallpass.toml
  HALLPASS_STORE_DURABLE=postgres://… hallpass migrate --config hallpass.toml")]
pub(crate) struct Migrate {
    #[command(flatten)]
    source: Source,
}

impl Migrate {
    pub(crate) fn run(self) -> Result<(), Stop> {
        let store = self.source.load()?.config.store;
        if !store.durable.is_postgres() {
            return Err(Stop::usage(
                "store.durable is no PostgreSQL address; a SQLite file is brought up to date when it is opened.",
            ));
        }
        block_on(async {
            let database = Database::connect(durable::settings(&store)).await?;
            let migrated = database.migrate().await?;
            database.close().await;
            for (version, name) in &migrated.applied {
                say(format_args!("applied {version:04} {name}"));
            }
            let done = match migrated.applied.len() {
                0 => "Nothing to do",
                _ => "Done",
            };
            say(format_args!(
                "{done}: the database is at version {}.",
                migrated.version
            ));
            Ok(())
        })
    }
}
