//! Signs the trail at intervals, and hands the checkpoints to a second place.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hallpass_audit::{CheckpointKey, Notary, NotaryError, Progress, SignedCheckpoint};
use hallpass_config::section;
use hallpass_core::{
    Timestamp,
    alert::RuleKind,
    audit::{Action, AuditEvent, Outcome},
    ports::AuditLog,
};
use hallpass_store_postgres::KeptCheckpoint;
use hallpass_telemetry::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Beside, sending, stdout};
use crate::{
    cli::Stop,
    wiring::{
        alerts::board::{Board, cause},
        clock::now,
        durable::Fleet,
        lifecycle::Tasks,
    },
};

/// How often the trail is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The first wait after a failed delivery, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Seconds between two checkpoints that the trail itself records.
const RECORDED_EVERY: i64 = 3600;

pub(super) fn start(beside: &Beside<'_>, seed: &[u8; 32], tasks: &Tasks) -> Result<(), Stop> {
    let key = CheckpointKey::new(seed, beside.progress.chain_uid())?;
    let public = key.public().to_string();
    let (newest, deliveries) = watch::channel(None);
    let signer = Signer {
        dir: beside.audit().dir.clone(),
        key: Some(key),
        notary: None,
        progress: beside.progress.clone(),
        settings: beside.audit().clone(),
        log: beside.log.clone(),
        metrics: beside.metrics.clone(),
        board: beside.board.clone(),
        newest,
        signed_at: now(),
        recorded_at: None,
        also: beside.fleet.clone().filter(|_| beside.is_in_database()),
        public,
    };
    tasks.spawn("trail-checkpoints", |stop| signer.run(stop));
    if let Some(place) = &beside.audit().checkpoint_to {
        let (name, place) = (place_name(place), Place::open(place)?);
        let board = beside.board.clone();
        tasks.spawn("checkpoint-delivery", |stop| {
            deliver(place, name, board, deliveries, stop)
        });
    }
    Ok(())
}

struct Signer {
    dir: PathBuf,
    key: Option<CheckpointKey>,
    notary: Option<Notary>,
    progress: Progress,
    settings: section::Audit,
    log: Arc<dyn AuditLog>,
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    newest: watch::Sender<Option<SignedCheckpoint>>,
    signed_at: Timestamp,
    recorded_at: Option<Timestamp>,
    /// Where checkpoints are kept besides, of a trail that is at home there.
    also: Option<Fleet>,
    public: String,
}

impl Signer {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let last = tokio::select! {
                () = stop.cancelled() => true,
                () = self.wait() => false,
            };
            match self.look(last).await {
                Some(next) => self = next,
                None => return stop.cancelled().await,
            }
            if last {
                return;
            }
        }
    }

    /// Waits, but not while much is to be taken in.
    async fn wait(&self) {
        let Some(notary) = &self.notary else {
            return tokio::time::sleep(LOOK).await;
        };
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = notary.plenty() => {}
        }
    }

    /// Takes in what is new, and signs it when it is time; none when this
    /// trail can't be signed any more.
    async fn look(mut self, last: bool) -> Option<Self> {
        let work = tokio::task::spawn_blocking(move || {
            let made = self.sign_due(last);
            (self, made)
        });
        let (mut signer, made) = work.await.ok()?;
        match made {
            Ok(Some(checkpoint)) => {
                signer.well();
                signer.made(checkpoint).await;
            }
            Ok(None) => {}
            Err(error @ (NotaryError::Contradiction { .. } | NotaryError::Note(_))) => {
                tracing::error!(%error, "audit trail: checkpoints have ended");
                signer.unwell(&error);
                signer.metrics.audit.checkpoint_failed();
                return None;
            }
            Err(error) => {
                tracing::warn!(%error, "audit trail: no checkpoint could be made; it is tried again");
                signer.unwell(&error);
                signer.metrics.audit.checkpoint_failed();
            }
        }
        Some(signer)
    }

    fn unwell(&self, error: &NotaryError) {
        let part = cause("part", "signing");
        self.board
            .set(RuleKind::AuditFailing, part, error.to_string());
    }

    fn well(&self) {
        let part = cause("part", "signing");
        self.board.clear(RuleKind::AuditFailing, part);
    }

    fn sign_due(&mut self, last: bool) -> Result<Option<SignedCheckpoint>, NotaryError> {
        if let Some(key) = self.key.take() {
            self.notary = Some(Notary::open(&self.dir, key, &self.progress)?);
        }
        let Some(notary) = &mut self.notary else {
            return Ok(None);
        };
        let new = notary.catch_up(self.progress.durable())?;
        let passed = now().duration_since(self.signed_at).as_secs();
        let due = last
            || new >= self.settings.checkpoint_records
            || passed.unsigned_abs() >= u64::from(self.settings.checkpoint_seconds);
        if new == 0 || !due {
            return Ok(None);
        }
        self.signed_at = now();
        notary.sign(self.signed_at)
    }

    /// Keeps a checkpoint where the trail is. One that is not kept is no harm:
    /// the next states more.
    async fn keep(&self, checkpoint: &SignedCheckpoint) {
        let Some(fleet) = &self.also else { return };
        let kept = KeptCheckpoint {
            records: checkpoint.size,
            time: checkpoint.time,
            note: checkpoint.note.clone(),
            public_key: self.public.clone(),
        };
        if let Err(error) = fleet.trail.keep_checkpoint(&kept).await {
            tracing::warn!(%error, "audit trail: a checkpoint is not in the database");
        }
    }

    async fn made(&mut self, checkpoint: SignedCheckpoint) {
        self.keep(&checkpoint).await;
        self.metrics.audit.checkpoint(checkpoint.size);
        let recorded = self
            .recorded_at
            .map(|at| checkpoint.time.duration_since(at));
        if recorded.is_none_or(|passed| passed.as_secs() >= RECORDED_EVERY) {
            self.recorded_at = Some(checkpoint.time);
            let success = Outcome::Success;
            let mut event = AuditEvent::outcome(checkpoint.time, Action::TrailCheckpoint, success);
            event.facts = vec![
                ("records", checkpoint.size.to_string()),
                ("head", checkpoint.head.clone()),
            ];
            // A trail that can't be written says so itself.
            let _ = self.log.append(event).await;
        }
        self.newest.send_replace(Some(checkpoint));
    }
}

/// A second place of the checkpoints.
enum Place {
    Stdout,
    File(PathBuf),
    Address(reqwest::Client, String),
}

impl Place {
    fn open(text: &str) -> Result<Self, Stop> {
        if text == "stdout" {
            return Ok(Self::Stdout);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return Ok(Self::File(path.strip_prefix("//").unwrap_or(path).into()));
        }
        Ok(Self::Address(sending::client()?, text.to_owned()))
    }

    async fn take(&self, checkpoint: &SignedCheckpoint) -> Result<(), String> {
        let line = format!("{}\n", checkpoint.to_line());
        match self {
            Self::Stdout => stdout::write(line).await,
            Self::File(path) => {
                let path = path.clone();
                let append = tokio::task::spawn_blocking(move || append(&path, &line));
                let done = append.await.map_err(|error| error.to_string())?;
                done.map_err(|error| error.to_string())
            }
            Self::Address(client, url) => {
                sending::post(
                    client,
                    url,
                    "text/plain; charset=utf-8",
                    checkpoint.note.clone(),
                )
                .await
            }
        }
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// A second place's name: an address without what it hides.
fn place_name(place: &str) -> String {
    let url = reqwest::Url::parse(place).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str);
    host.unwrap_or(place).to_owned()
}

/// Hands over the newest checkpoint until it is taken or there is a newer one.
async fn deliver(
    place: Place,
    name: String,
    board: Arc<Board>,
    mut newest: watch::Receiver<Option<SignedCheckpoint>>,
    stop: CancellationToken,
) {
    let mut wait = WAITS.0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = newest.changed() => if changed.is_err() {
                return stop.cancelled().await;
            },
        }
        loop {
            let checkpoint = newest.borrow_and_update().clone();
            let Some(checkpoint) = checkpoint else { break };
            let taken = tokio::select! {
                () = stop.cancelled() => return,
                taken = place.take(&checkpoint) => taken,
            };
            let Err(why) = taken else {
                wait = WAITS.0;
                board.clear(RuleKind::CheckpointUndelivered, cause("place", &name));
                break;
            };
            board.set(RuleKind::CheckpointUndelivered, cause("place", &name), &why);
            tracing::warn!(
                why,
                "audit trail: the checkpoint's second place did not take it; it is tried again"
            );
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(WAITS.1),
            }
        }
    }
}
