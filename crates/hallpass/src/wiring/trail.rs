//! The audit trail and what lives beside it.
//!
//! [`open`] opens it; [`Beside::start`] starts what follows it: the signer of
//! checkpoints, the keeper of old segments, the senders, and the clock's watch.
//! None of them is on a request's path, and none can hold one up.

mod checkpoints;
mod copying;
mod keeping;
mod primary;
mod reading;
mod sending;
mod stdout;

use std::{path::Path, sync::Arc, time::Duration};

use hallpass_audit::{Progress, StoredRecord, Trail, TrailSettings};
use hallpass_config::{Config, section};
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    hash::{InstallKey, Purpose},
    ports::AuditLog,
};
use hallpass_telemetry::Metrics;
use zeroize::Zeroizing;

use super::{
    alerts::board::Board,
    clock::{SystemClock, now},
    durable::Fleet,
    install,
    lifecycle::Tasks,
    observed::TrailMetrics,
};
use crate::cli::Stop;

pub(crate) use keeping::archive;
pub(crate) use primary::Joined;
pub(crate) use reading::{searched, with_replica};

/// Records among which the last start or stop of the server is looked for;
/// after a stop, only commands add some.
const LOOKED_BACK: usize = 1000;

/// Opens the trail of a configuration.
pub(crate) fn open(config: &Config, metrics: Arc<Metrics>) -> Result<Trail, Stop> {
    let (trail, recovery) = Trail::open(settings(&config.audit, metrics))?;
    if let Some(cut) = &recovery.cut {
        tracing::warn!(
            segment = cut.segment,
            offset = cut.offset,
            bytes = cut.bytes,
            "the trail's last write was torn by a crash and was cut"
        );
    }
    if recovery.restored > 0 {
        tracing::warn!(
            records = recovery.restored,
            "the trail's last records were taken from its journal; a power cut had taken them from the last segment"
        );
    }
    Ok(trail)
}

fn settings(config: &section::Audit, metrics: Arc<Metrics>) -> TrailSettings {
    let version = env!("CARGO_PKG_VERSION");
    let mut settings = TrailSettings::new(&config.dir, Arc::new(SystemClock), version);
    settings.segment_max_bytes = config.segment_max_bytes;
    settings.segment_max_age = Duration::from_secs(u64::from(config.segment_max_hours) * 3600);
    settings.gather_window = Duration::from_micros(config.gather_window_us);
    settings.observer = Arc::new(TrailMetrics(metrics));
    settings
}

/// The last records of a directory.
pub(crate) async fn last_of(dir: &Path) -> Result<Vec<StoredRecord>, Stop> {
    let dir = dir.to_owned();
    let read = tokio::task::spawn_blocking(move || hallpass_audit::tail(&dir, LOOKED_BACK));
    Ok(read.await??)
}

/// The last records of a replica whose trail is in the database.
pub(crate) async fn last_in(joined: &Joined) -> Result<Vec<StoredRecord>, Stop> {
    let name = joined.replica.name().as_str();
    let lines = joined.database.last_trail_lines(name, LOOKED_BACK).await?;
    let read = |line: &String| StoredRecord::read(line.as_bytes()).map_err(Stop::no);
    lines.iter().map(read).collect()
}

/// Records that the server did not say when it ended last, and that nothing
/// was recorded since.
pub(crate) async fn note_gap(records: Vec<StoredRecord>, log: &dyn AuditLog) -> Result<(), Stop> {
    let lives = |record: &&StoredRecord| {
        let action = record.known_action();
        matches!(action, Some(Action::ServerStart | Action::ServerStop))
    };
    let lived = records.iter().rev().find(lives);
    // Among so many records of a server that still ran there may be neither.
    let running = lived.map_or(records.len() >= LOOKED_BACK, |last| {
        last.known_action() == Some(Action::ServerStart)
    });
    let Some(last) = records.last().filter(|_| running) else {
        return Ok(());
    };
    let mut gap = AuditEvent::outcome(now(), Action::TrailGap, Outcome::Success);
    gap.facts = vec![
        ("last_sequence", last.sequence.to_string()),
        ("last_time", last.time.to_string()),
        (
            "cause",
            "the server ended without recording its stop".to_owned(),
        ),
    ];
    log.append(gap).await?;
    Ok(())
}

/// What lives beside the trail.
pub(crate) struct Beside<'a> {
    pub(crate) config: &'a Config,
    pub(crate) install_key: &'a InstallKey,
    pub(crate) progress: Progress,
    pub(crate) log: Arc<dyn AuditLog>,
    pub(crate) metrics: Arc<Metrics>,
    /// What replicas share; none where there is one alone.
    pub(crate) fleet: Option<Fleet>,
    /// Is told what is not well.
    pub(crate) board: Arc<Board>,
}

impl Beside<'_> {
    /// Starts it all.
    pub(crate) fn start(self, tasks: &Tasks) -> Result<(), Stop> {
        let seed: Zeroizing<[u8; 32]> = match &self.fleet {
            // The next process of this name signs with the same key.
            Some(fleet) if self.is_in_database() => self.checkpoint_seed(fleet),
            _ => install::open_checkpoint_key(&self.config.server.data_dir)?,
        };
        checkpoints::start(&self, &seed, tasks)?;
        keeping::start(&self, tasks)?;
        sending::start(&self, tasks)?;
        copying::start(&self, tasks)?;
        let log = self.log.clone();
        tasks.spawn("clock-watch", |stop| keeping::watch_clock(log, stop));
        Ok(())
    }

    fn audit(&self) -> &section::Audit {
        &self.config.audit
    }

    fn checkpoint_seed(&self, fleet: &Fleet) -> Zeroizing<[u8; 32]> {
        let hasher = self.install_key.hasher(Purpose::Checkpoint);
        Zeroizing::new(*hasher.hash(fleet.replica.as_bytes()).as_bytes())
    }

    /// Whether the trail is at home in the database.
    fn is_in_database(&self) -> bool {
        self.audit().primary == section::TrailPrimary::Postgres
    }
}
