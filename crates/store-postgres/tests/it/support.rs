//! A database with its schema, and replicas on it.

use std::{sync::Arc, time::Duration};

use hallpass_store_postgres::{Database, PgSettings, Replica, ReplicaName};
use hallpass_testkit::postgres::{TestDatabase, database};

/// Settings for tests, which run side by side on one server.
pub(crate) fn settings(url: &str) -> PgSettings {
    PgSettings {
        max_connections: 4,
        patience: Duration::from_secs(10),
        ..PgSettings::new(url.to_owned().into())
    }
}

pub(crate) async fn open(url: &str) -> Database {
    let database = Database::connect(settings(url)).await.unwrap();
    database.migrate().await.unwrap();
    database
}

/// A database of a test's own, up to date.
pub(crate) async fn fresh() -> (Database, TestDatabase) {
    let kept = database();
    (open(&kept.url()).await, kept)
}

/// A process among those that share a database.
pub(crate) async fn replica(database: &Database, name: &str) -> Arc<Replica> {
    let name = ReplicaName::new(name).unwrap();
    let identity = format!("directory of {name}");
    let replica = Replica::register(database.clone(), name, &identity, "0.0.0").await;
    Arc::new(replica.unwrap())
}
