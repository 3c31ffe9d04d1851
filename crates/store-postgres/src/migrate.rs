//! Bringing the schema up to date, one process at a time.

use sqlx::{
    Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};

use crate::database::{Database, OpenError};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Where sqlx notes what was applied.
const TABLE: &str = "_sqlx_migrations";

/// What bringing the schema up to date did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The migrations that were applied now, by number and name.
    pub applied: Vec<(i64, String)>,
    /// The newest migration the database has then.
    pub version: i64,
}

impl Database {
    /// Applies the migrations that are missing. Of several processes that do
    /// so at once one works and the others wait for it.
    ///
    /// A database that has migrations this program does not know is newer, and
    /// is used as it is: migrations only add what a release before needs not.
    ///
    /// # Errors
    ///
    /// [`OpenError::Migrate`] when one fails, or was changed since it was applied.
    pub async fn migrate(&self) -> Result<Migrated, OpenError> {
        let mut connection = self.pool.acquire().await.map_err(OpenError::Unreachable)?;
        let migrated = locked(&mut connection).await;
        // What was set for this work, and a lock that could not be given back,
        // end with the connection.
        let closed = connection.detach().close().await;
        let migrated = migrated.map_err(OpenError::Migrate)?;
        closed.map_err(OpenError::Unreachable)?;
        Ok(migrated)
    }
}

async fn locked(connection: &mut PgConnection) -> Result<Migrated, MigrateError> {
    // Whoever waits for another's migration waits longer than a request may.
    sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0")
        .execute(&mut *connection)
        .await?;
    connection.lock().await?;
    sqlx::raw_sql("SET lock_timeout = '10s'")
        .execute(&mut *connection)
        .await?;
    let migrated = missing(connection).await;
    connection.unlock().await?;
    migrated
}

async fn missing(connection: &mut PgConnection) -> Result<Migrated, MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    if let Some(version) = connection.dirty_version(TABLE).await? {
        return Err(MigrateError::Dirty(version));
    }
    let known = connection.list_applied_migrations(TABLE).await?;
    let mut applied = Vec::new();
    for migration in MIGRATIONS.iter() {
        let before = known.iter().find(|it| it.version == migration.version);
        match before {
            Some(before) if before.checksum != migration.checksum => {
                return Err(MigrateError::VersionMismatch(migration.version));
            }
            Some(_) => {}
            None => {
                connection.apply(TABLE, migration).await?;
                applied.push((migration.version, migration.description.to_string()));
            }
        }
    }
    let ours = MIGRATIONS.iter().map(|it| it.version);
    let version = known.iter().map(|it| it.version).chain(ours).max();
    Ok(Migrated {
        applied,
        version: version.unwrap_or(0),
    })
}
