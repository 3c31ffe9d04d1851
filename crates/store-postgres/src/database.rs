//! The pool of connections.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::settings::PgSettings;

/// How long a connection lives: after a failover none stays behind for longer.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long one may be idle.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// The database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is no PostgreSQL address. It is not shown: it may hold a password.
    #[error(
        "store.durable is no PostgreSQL address such as postgres://user:password@host:5432/hallpass: {0}"
    )]
    Address(String),
    /// It can't be reached, or refuses.
    #[error(
        "can't reach PostgreSQL: {0}. Check the address in store.durable, that the server runs, and that user and database exist."
    )]
    Unreachable(sqlx::Error),
    /// A migration failed.
    #[error("can't bring the PostgreSQL database up to date: {0}")]
    Migrate(sqlx::migrate::MigrateError),
}

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pool: PgPool,
    pub(crate) limits: PgSettings,
}

impl Database {
    /// Connects, once, to find out early whether it can be done.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the address or the server.
    pub async fn connect(settings: PgSettings) -> Result<Self, OpenError> {
        let options: PgConnectOptions = settings
            .url
            .expose_secret()
            .parse()
            .map_err(|error: sqlx::Error| OpenError::Address(error.to_string()))?;
        let options = options.application_name("hallpass");
        let session = session_settings(&settings);
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections)
            .acquire_timeout(settings.patience)
            .max_lifetime(LIFETIME)
            .idle_timeout(IDLE)
            // A ping before each use would double the round trips; a broken
            // connection is noticed when used, and the statement sent again.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let session = session.clone();
                Box::pin(async move {
                    let set = sqlx::raw_sql(sqlx::AssertSqlSafe(session));
                    set.execute(connection).await.map(drop)
                })
            })
            .connect_with(options)
            .await
            .map_err(OpenError::Unreachable)?;
        Ok(Self {
            pool,
            limits: settings,
        })
    }

    /// Closes every connection; what is under way ends first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// What every connection is told first. What is committed is on the server's
/// disk, however the database is set; a stronger setting stays.
fn session_settings(settings: &PgSettings) -> String {
    let statement = settings.statement_timeout.as_millis();
    let lock = settings.lock_timeout.as_millis();
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = 10000; SET client_min_messages = warning; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
}
