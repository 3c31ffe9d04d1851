//! A trail on a simulated disk: what was not synced is gone with the process.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hallpass_core::{
    audit::{Action, AuditEvent, Outcome, Phase},
    ids::GrantId,
    ports::{AuditLog, AuditReceipt, AuditUnavailable, OwnedFuture},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// How long a sync takes: longer than an answer is on its way.
const SYNC: Duration = Duration::from_millis(30);

/// A record as the rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) action: Action,
    pub(crate) phase: Phase,
    pub(crate) success: bool,
    pub(crate) grant: Option<GrantId>,
    /// Which end it speaks of, or which part of a takeover.
    pub(crate) word: String,
}

/// What is on a replica's disk, over all its processes.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Vec<Kept>>>);

impl Disk {
    /// The records that are durable.
    pub(crate) fn records(&self) -> Vec<Kept> {
        self.0.lock().unwrap().clone()
    }
}

type Queued = (Kept, oneshot::Sender<u64>);

/// One process's way to its disk.
pub(crate) struct SimTrail {
    queue: mpsc::UnboundedSender<Queued>,
    /// A defect: nobody waits for the disk.
    early: bool,
}

impl SimTrail {
    /// Begins to write, many records with each sync.
    pub(crate) fn open(disk: Disk, early: bool) -> Self {
        let (queue, mut queued) = mpsc::unbounded_channel::<Queued>();
        tokio::spawn(async move {
            let mut load = Vec::new();
            while queued.recv_many(&mut load, 64).await > 0 {
                sleep(SYNC).await;
                for (kept, done) in load.drain(..) {
                    let mut disk = disk.0.lock().unwrap();
                    disk.push(kept);
                    let _ = done.send(disk.len() as u64 - 1);
                }
            }
        });
        Self { queue, early }
    }
}

impl AuditLog for SimTrail {
    fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>> {
        let (done, durable) = oneshot::channel();
        let gone = || AuditUnavailable::Refused("the process ends".to_owned());
        if self.queue.send((kept(&event), done)).is_err() {
            return Box::pin(std::future::ready(Err(gone())));
        }
        let early = self.early;
        Box::pin(async move {
            if early {
                return Ok(AuditReceipt { sequence: 0 });
            }
            let sequence = durable.await.map_err(|_| gone())?;
            Ok(AuditReceipt { sequence })
        })
    }

    fn writable(&self) -> bool {
        true
    }
}

fn kept(event: &AuditEvent) -> Kept {
    let of_draft = event.draft.as_ref().map(|draft| draft.id.clone());
    let of_grant = event.grant.as_ref().map(|grant| grant.id.clone());
    let named = |name: &&(&'static str, String)| ["reason", "part"].contains(&name.0);
    Kept {
        action: event.action,
        phase: event.phase,
        success: event.outcome == Outcome::Success,
        grant: of_grant.or(of_draft),
        word: event
            .facts
            .iter()
            .find(named)
            .map(|(_, word)| word.clone())
            .unwrap_or_default(),
    }
}
