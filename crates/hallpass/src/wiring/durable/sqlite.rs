//! One file, for one process.

use std::{sync::Arc, time::Duration};

use hallpass_core::usage::day_of;
use hallpass_store_sqlite::{
    Database, Flusher, Progress, SqliteCalls, SqliteGrants, SqliteInterviews, SqliteKeys,
    SqlitePasses, SqliteRevocations, SqliteUsage,
};

use super::{Durable, Opening};
use crate::{
    cli::Stop,
    wiring::{clock::now, follow, life},
};

/// The file within the data directory.
pub(crate) const FILE: &str = "hallpass.db";

/// How often it is looked whether a grant is due; a look costs a comparison.
const EXPIRY_EVERY: Duration = Duration::from_millis(250);

const FLUSHER: &str = "grant-flusher";

/// Opens the file, and enters what a crash took from it.
pub(super) async fn open(opening: &Opening<'_>) -> Result<Durable, Stop> {
    let Opening {
        config,
        trail,
        metrics,
        tasks,
        ..
    } = opening;
    let database = Database::open(&config.server.data_dir.join(FILE)).await?;
    let keys = Arc::new(SqliteKeys::load(database.clone()).await?);
    let grants = Arc::new(SqliteGrants::new(database.clone()));
    let restored = follow::restore(&grants, &config.audit.dir, trail.next_sequence()).await?;
    if restored > 0 {
        tracing::info!(
            grants = restored,
            "grants of the trail's last records are in the registry again"
        );
    }
    let usage = Arc::new(SqliteUsage::load(database.clone(), day_of(now())).await?);
    let revocations = SqliteRevocations::load(database.clone()).await?;
    let interviews = SqliteInterviews::load(database.clone(), now()).await?;
    let held = grants.held(now()).await?;

    let flusher = Flusher::new(grants.clone(), (*trail).clone());
    let told = (*metrics).clone();
    tasks.spawn(FLUSHER, |stop| {
        flusher.run(async move { stop.cancelled().await }, move || {
            life::succeeded(&told, FLUSHER);
        })
    });
    let written = usage.clone();
    tasks.spawn("usage", |stop| async move {
        written.run(stop.cancelled()).await;
    });

    let waiting = grants.clone();
    Ok(Durable {
        has_usable_key: keys.any_usable(now()),
        keys,
        waiting: Arc::new(move || waiting.waiting()),
        grants,
        held,
        expiry_every: EXPIRY_EVERY,
        revocations: Arc::new(revocations),
        interviews: Arc::new(interviews),
        passes: Arc::new(SqlitePasses::new(database.clone())),
        usage,
        calls: Arc::new(SqliteCalls::new(database.clone())),
        fleet: None,
        close: Box::new(move || Box::pin(async move { database.close().await })),
    })
}
