//! The file, its settings and its migrations.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use hallpass_core::ports::StoreError;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The file can't be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// SQLite refused.
    #[error(
        "can't open the database {path}: {source}. Check that the folder exists and is writable."
    )]
    Sqlite {
        /// The file.
        path: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The schema is newer than this program, or a migration failed.
    #[error(
        "can't bring the database {path} up to date: {source}. It may have been written by a newer Hallpass."
    )]
    Migrate {
        /// The file.
        path: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
}

/// An open SQLite file.
#[derive(Debug, Clone)]
pub struct Database {
    /// What is committed here survives a power cut.
    pub(crate) pool: SqlitePool,
    /// What is committed here survives a crash of the process; a power cut may
    /// take the newest, all of one transaction. For what the trail can restore.
    pub(crate) behind: SqlitePool,
}

impl Database {
    /// Opens the file, making it where it is missing, and brings its schema up
    /// to date.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says which of the two failed, and what to check.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        private(path).map_err(|error| OpenError::Sqlite {
            path: shown.clone(),
            source: sqlx::Error::Io(error),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // What a statement of many rows would take back if it failed: in a
            // file of its own it was four of five writes.
            .pragma("temp_store", "MEMORY")
            .busy_timeout(Duration::from_secs(5));
        let refused = |source| OpenError::Sqlite {
            path: shown.clone(),
            source,
        };
        let lazier = options.clone().synchronous(SqliteSynchronous::Normal);
        let pool = connections(4).connect_with(options).await;
        let pool = pool.map_err(refused)?;
        let migrated = MIGRATIONS.run(&pool).await;
        migrated.map_err(|source| OpenError::Migrate {
            path: shown.clone(),
            source,
        })?;
        let behind = connections(1).connect_with(lazier).await;
        Ok(Self {
            pool,
            behind: behind.map_err(refused)?,
        })
    }

    /// Closes the file; what is under way ends first.
    pub async fn close(&self) {
        self.behind.close().await;
        self.pool.close().await;
    }
}

fn connections(most: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(most)
        .min_connections(1)
}

/// Makes the file so that only its owner may read it; SQLite gives the files
/// it keeps beside it the same mode.
fn private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

/// What the core is told when SQLite refuses.
#[allow(clippy::needless_pass_by_value, reason = "the form map_err asks for")]
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    StoreError(format!("SQLite: {error}"))
}
