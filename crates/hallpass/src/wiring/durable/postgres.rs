//! A PostgreSQL database, for any number of processes.

use std::{sync::Arc, time::Duration};

use hallpass_config::{Config, section};
use hallpass_core::usage::day_of;
use hallpass_store_postgres::{
    Database, PgCalls, PgFeed, PgGrants, PgInterviews, PgKeys, PgPasses, PgRevocations, PgSettings,
    PgTrail, PgUsage, Replica,
};
use hallpass_telemetry::Metrics;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Durable, Fleet, Opening};
use crate::{
    cli::Stop,
    wiring::{clock::now, life, replica},
};

/// How often it is looked whether a grant is due; a look is a question to the
/// database, and all replicas ask.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// How often this process says that it lives.
const BEAT: Duration = Duration::from_secs(1);

const HEARTBEAT: &str = "replica-heartbeat";
const USAGE: &str = "usage";

/// How the database of a configuration is used.
pub(crate) fn settings(store: &section::Store) -> PgSettings {
    let limits = &store.postgres;
    PgSettings {
        max_connections: limits.max_connections,
        patience: Duration::from_millis(limits.patience_ms),
        statement_timeout: Duration::from_millis(limits.statement_timeout_ms),
        lock_timeout: Duration::from_millis(limits.lock_timeout_ms),
        ..PgSettings::new(store.durable.expose().to_owned().into())
    }
}

/// Connects, and brings the schema up to date.
pub(crate) async fn connect(store: &section::Store) -> Result<Database, Stop> {
    let database = Database::connect(settings(store)).await?;
    let migrated = database.migrate().await?;
    if !migrated.applied.is_empty() {
        tracing::info!(
            migrations = migrated.applied.len(),
            version = migrated.version,
            "the database was brought up to date"
        );
    }
    Ok(database)
}

/// Connects and enters this process among the replicas.
pub(super) async fn open(opening: &Opening<'_>) -> Result<Durable, Stop> {
    let config = opening.config;
    let (database, replica) = match &opening.joined {
        Some(joined) => (joined.database.clone(), joined.replica.clone()),
        None => join(config).await?,
    };
    database.check_key(opening.install_key).await?;
    tracing::info!(replica = %replica.name(), "a replica on PostgreSQL");

    let keys = Arc::new(PgKeys::load(database.clone()).await?);
    let grants = Arc::new(PgGrants::new(database.clone()));
    let held = grants.held(now()).await?;
    let revocations = Arc::new(PgRevocations::load(database.clone()).await?);
    let usage = PgUsage::load(database.clone(), &replica, day_of(now())).await?;
    let usage = Arc::new(usage);

    let (beating, metrics) = (replica.clone(), opening.metrics.clone());
    opening
        .tasks
        .spawn(HEARTBEAT, |stop| beat(beating, metrics, stop));
    let (written, metrics) = (usage.clone(), opening.metrics.clone());
    opening.tasks.spawn(USAGE, |stop| async move {
        let told = move || life::succeeded(&metrics, USAGE);
        written.run(stop.cancelled(), told).await;
    });

    let feed = PgFeed::new(database.clone(), keys.clone(), revocations.clone());
    let waiting = grants.clone();
    Ok(Durable {
        has_usable_key: keys.any_usable(now()),
        keys,
        waiting: Arc::new(move || waiting.waiting()),
        grants,
        held,
        expiry_every: EXPIRY_EVERY,
        revocations,
        interviews: Arc::new(PgInterviews::new(database.clone())),
        passes: Arc::new(PgPasses::new(database.clone(), &replica)),
        usage,
        calls: Arc::new(PgCalls::new(database.clone(), replica.clone())),
        fleet: Some(Fleet {
            replica: replica.name().as_str().into(),
            feed: Arc::new(feed),
            trail: Arc::new(PgTrail::new(database.clone(), replica.name().clone())),
        }),
        close: Box::new(move || Box::pin(async move { database.close().await })),
    })
}

/// Enters a replica whose trail is in its own files.
async fn join(config: &Config) -> Result<(Database, Arc<Replica>), Stop> {
    let database = connect(&config.store).await?;
    let (name, identity) = replica::of(&config.server)?;
    if database.has_chain(&name).await? {
        return Err(Stop::usage(format!(
            "the trail of replica {name:?} is in the database, and with audit.primary = \"file\" another would begin under its name. Set audit.primary = \"postgres\", or server.replica to another name."
        )));
    }
    let version = env!("CARGO_PKG_VERSION");
    let replica = Replica::register(database.clone(), name, &identity, version).await?;
    Ok((database, Arc::new(replica)))
}

/// Says again and again that this process lives. Trouble is told when it
/// begins and when it is over.
async fn beat(replica: Arc<Replica>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut troubled = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match replica.beat().await {
            Ok(()) => {
                life::succeeded(&metrics, HEARTBEAT);
                if std::mem::take(&mut troubled) {
                    tracing::info!("the database hears this replica again");
                }
            }
            Err(error) if !troubled => {
                troubled = true;
                tracing::error!(%error, "the database does not hear this replica; after 6 seconds others take its calls over");
            }
            Err(_) => {}
        }
    }
}
