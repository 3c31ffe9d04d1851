//! The trail of a replica without a durable disk: at home in PostgreSQL.

use std::{io, sync::Arc, thread, time::Duration};

use hallpass_audit::{Anchor, Committing, Hash, Link, Primary, StoredRecord, Tree};
use hallpass_config::{Config, section::TrailPrimary};
use hallpass_store_postgres::{
    AppendError, ChainState, Database, PgChain, PgSettings, RegisterError, Replica,
};
use hallpass_telemetry::Metrics;
use tokio::{runtime::Handle, time::Instant};

use super::{copying::copied, settings};
use crate::{
    cli::Stop,
    wiring::{clock::SystemClock, durable, replica},
};

/// Connections of the trail's own: requests that wait for others must not hold
/// it up.
const CONNECTIONS: u32 = 2;
/// The wait before a database that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long a trail that is being closed waits for the database.
const LAST: Duration = Duration::from_secs(5);
/// How long a start waits for the process before to be silent.
const SUCCESSION: Duration = Duration::from_secs(15);

/// What a server on PostgreSQL has joined before its trail is opened.
pub(crate) struct Joined {
    pub(crate) database: Database,
    pub(crate) replica: Arc<Replica>,
}

impl Joined {
    /// Joins the replicas where the configuration has the trail in their
    /// database; none where it is in files.
    pub(crate) async fn before_the_trail(config: &Config) -> Result<Option<Self>, Stop> {
        if config.audit.primary == TrailPrimary::File {
            return Ok(None);
        }
        if hallpass_audit::is_held(&config.audit.dir) {
            return Err(Stop::usage(format!(
                "the audit directory {} is in use by another server; stop it, or give each a data directory of its own",
                config.audit.dir.display()
            )));
        }
        let database = durable::connect(&config.store).await?;
        let replica = succeed(config, &database).await?;
        Ok(Some(Self { database, replica }))
    }

    /// Opens the trail where it stands in the database.
    pub(crate) async fn trail(
        &self,
        config: &Config,
        metrics: Arc<Metrics>,
    ) -> Result<hallpass_audit::Trail, Stop> {
        let own = PgSettings {
            max_connections: CONNECTIONS,
            ..durable::settings(&config.store)
        };
        let database = Database::connect(own).await?;
        if !database.syncs().await? {
            tracing::error!(
                "the database runs with fsync = off: a power cut may take records of the trail that were told to be durable"
            );
        }
        let uid = hallpass_audit::new_chain_uid(&SystemClock);
        let (chain, stands) = PgChain::take(database, &self.replica, &uid).await?;
        let anchor = anchor(&stands).ok_or_else(|| {
            Stop::no("the database does not say where this replica's trail stands: audit_chains holds what Hallpass never wrote")
        })?;
        let primary = InDatabase {
            chain,
            replica: self.replica.name().as_str().into(),
            runtime: Handle::current(),
        };
        let settings = settings(&config.audit, metrics);
        let open =
            move || hallpass_audit::Trail::open_elsewhere(settings, Box::new(primary), anchor);
        let (trail, _) = tokio::task::spawn_blocking(open).await??;
        Ok(trail)
    }
}

/// Takes this replica's name, once the process before is dead.
async fn succeed(config: &Config, database: &Database) -> Result<Arc<Replica>, Stop> {
    let (name, identity) = replica::of(&config.server)?;
    let version = env!("CARGO_PKG_VERSION");
    let deadline = Instant::now() + SUCCESSION;
    let mut told = false;
    loop {
        let entered = Replica::succeed(database.clone(), name.clone(), &identity, version).await;
        match entered {
            Ok(replica) => return Ok(Arc::new(replica)),
            Err(RegisterError::Taken(_)) if Instant::now() < deadline => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(%name, "waiting until the process before is surely gone");
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Keeps records in the database, from the writer's own thread.
struct InDatabase {
    chain: PgChain,
    replica: Arc<str>,
    runtime: Handle,
}

impl Primary for InDatabase {
    fn commit(&mut self, batch: &Committing<'_>, closing: &dyn Fn() -> bool) -> io::Result<()> {
        let lines = batch.lines.split(|&byte| byte == b'\n');
        let records: Result<Vec<_>, String> = lines
            .filter(|line| !line.is_empty())
            .map(|line| StoredRecord::read(line).map(|record| copied(&self.replica, record)))
            .collect();
        let records = records.map_err(io::Error::other)?;
        let before = batch.before.map(|link| link.hash.to_string());
        let after = state(batch.after);
        let mut last: Option<Instant> = None;
        loop {
            let append = self.chain.append(&records, before.as_deref(), &after);
            let error = match self.runtime.block_on(append) {
                Ok(()) => return Ok(()),
                Err(AppendError::Away(error)) => error,
                Err(fenced @ AppendError::Fenced(_)) => return Err(io::Error::other(fenced)),
            };
            tracing::warn!(%error, "audit trail: the database does not take records; trying again");
            if closing() && last.get_or_insert_with(Instant::now).elapsed() > LAST {
                return Err(io::Error::other(error));
            }
            thread::sleep(ASK_AGAIN);
        }
    }
}

fn state(anchor: &Anchor) -> ChainState {
    ChainState {
        uid: anchor.chain_uid.clone(),
        records: anchor.tree.size(),
        head: anchor.head.map(|head| head.hash.to_string()),
        peaks: anchor.tree.peaks().iter().map(Hash::to_string).collect(),
    }
}

/// Where a trail stands, as the database says; none where that can't be.
fn anchor(state: &ChainState) -> Option<Anchor> {
    let peaks: Result<Vec<Hash>, _> = state.peaks.iter().map(|text| text.parse()).collect();
    let hash: Option<Hash> = state
        .head
        .as_ref()
        .map(|text| text.parse())
        .transpose()
        .ok()?;
    let head = match (hash, state.records.checked_sub(1)) {
        (Some(hash), Some(sequence)) => Some(Link { sequence, hash }),
        (None, None) => None,
        _ => return None,
    };
    Some(Anchor {
        chain_uid: state.uid.clone(),
        head,
        tree: Tree::restore(state.records, peaks.ok()?)?,
    })
}
