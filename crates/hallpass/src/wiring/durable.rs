//! The durable store a configuration names, as the server's parts see it.

mod postgres;
mod sqlite;

use std::{sync::Arc, time::Duration};

use hallpass_config::Config;
use hallpass_core::{
    call::StandingCalls,
    concurrency::Lease,
    hash::InstallKey,
    interview::Interviews,
    pass::Passes,
    ports::{Grants, KeyDirectory, OwnedFuture, RevocationFeed, Revocations},
    usage::UsageLedger,
};
use hallpass_telemetry::Metrics;

use super::{follow::FollowedTrail, lifecycle::Tasks, trail::Joined};
use crate::cli::Stop;

pub(crate) use postgres::{connect, settings};
pub(crate) use sqlite::FILE;

/// Everything that outlives the process: in one file, or in a database that
/// several replicas share.
pub(crate) struct Durable {
    pub(crate) keys: Arc<dyn KeyDirectory>,
    /// Whether some key could authenticate a caller when it was opened.
    pub(crate) has_usable_key: bool,
    pub(crate) grants: Arc<dyn Grants>,
    /// How many grants wait to be written.
    pub(crate) waiting: Arc<dyn Fn() -> usize + Send + Sync>,
    /// The grants callers held when it was opened.
    pub(crate) held: Vec<Lease>,
    /// How often it is looked whether a grant is due.
    pub(crate) expiry_every: Duration,
    pub(crate) revocations: Arc<dyn Revocations>,
    pub(crate) interviews: Arc<dyn Interviews>,
    pub(crate) passes: Arc<dyn Passes>,
    pub(crate) usage: Arc<dyn UsageLedger>,
    pub(crate) calls: Arc<dyn StandingCalls>,
    /// What it has to do with other replicas; none where there are no others.
    pub(crate) fleet: Option<Fleet>,
    close: Box<dyn FnOnce() -> OwnedFuture<()> + Send + Sync>,
}

/// What a store that several replicas share has besides.
#[derive(Clone)]
pub(crate) struct Fleet {
    /// This replica's name.
    pub(crate) replica: Arc<str>,
    /// Brings what other replicas change.
    pub(crate) feed: Arc<dyn RevocationFeed>,
    /// The searchable copy of all replicas' trails.
    pub(crate) trail: Arc<hallpass_store_postgres::PgTrail>,
}

/// What opening the store needs.
pub(crate) struct Opening<'a> {
    pub(crate) config: &'a Config,
    pub(crate) install_key: &'a InstallKey,
    pub(crate) trail: &'a Arc<FollowedTrail>,
    pub(crate) metrics: &'a Arc<Metrics>,
    pub(crate) tasks: &'a Tasks,
    /// What was joined before, for the trail.
    pub(crate) joined: Option<Joined>,
}

impl Durable {
    /// Opens the store of the configuration, brings it up to date, and starts
    /// what writes it.
    pub(crate) async fn open(opening: &Opening<'_>) -> Result<Self, Stop> {
        if opening.config.store.durable.is_postgres() {
            return postgres::open(opening).await;
        }
        sqlite::open(opening).await
    }

    /// What closes the store, once nothing uses it any more.
    pub(crate) fn closing(self) -> Closing {
        Closing(self.close)
    }
}

/// Closes the store.
pub(crate) struct Closing(Box<dyn FnOnce() -> OwnedFuture<()> + Send + Sync>);

impl Closing {
    /// Ends what is under way and closes every file and connection.
    pub(crate) async fn close(self) {
        (self.0)().await;
    }
}
