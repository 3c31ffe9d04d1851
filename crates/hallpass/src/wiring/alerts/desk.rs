//! The desk: lets the engine judge, and sees to what begins and ends.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    alert::{Alert, AlertBook, AlertId, Engine, Letter, Turn},
    audit::{Action, AuditEvent, Outcome},
    ids::hex,
    ports::{AuditLog, Ids, StoreError},
};
use hallpass_store_sqlite::SqliteAlerts;
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::{
    delivery::Receiver,
    follow::{Batch, TrailSight},
    sight::Sight,
};
use crate::wiring::clock::{SystemIds, now};

/// Batches read before it is judged again.
const BATCHES: usize = 64;
/// How often old alerts are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// What was judged, and is not on disk yet.
#[derive(Default)]
pub(super) struct Unkept {
    alerts: Vec<Alert>,
    letters: Vec<Letter>,
}

/// The engine and everything around it.
pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) trail: TrailSight,
    pub(super) book: Arc<SqliteAlerts>,
    pub(super) receivers: Vec<Receiver>,
    pub(super) sight: Sight,
    pub(super) log: Arc<dyn AuditLog>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) unkept: Unkept,
    pub(super) every: Duration,
    pub(super) kept_days: u32,
}

impl Desk {
    /// Looks and judges until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut forgotten_at: Option<Timestamp> = None;
        loop {
            let last = stop.is_cancelled();
            match self.round(last).await {
                Some(desk) => self = desk,
                None => return stop.cancelled().await,
            }
            if last {
                return;
            }
            let due = forgotten_at.is_none_or(|at| {
                Duration::try_from(now().duration_since(at)).is_ok_and(|it| it >= FORGET_EVERY)
            });
            if due {
                forgotten_at = Some(now());
                self.forget().await;
            }
            match self.rest(&stop).await {
                Some(desk) => self = desk,
                None => return stop.cancelled().await,
            }
        }
    }

    /// Waits until it is to be judged again. Where there is much to read
    /// meanwhile it is read: short steps stall nobody who shares the core.
    async fn rest(mut self, stop: &CancellationToken) -> Option<Self> {
        let rested = tokio::time::sleep(self.every);
        tokio::pin!(rested);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Some(self),
                () = &mut rested => return Some(self),
                () = self.trail.plenty() => {}
            }
            (self, _) = self.read().await?;
        }
    }

    /// Reads what is new, looks at how things are, judges, keeps and tells.
    /// None where the runtime is going down.
    async fn round(mut self, last: bool) -> Option<Self> {
        let caught_up;
        (self, caught_up) = self.read().await?;
        if !last && caught_up {
            let writable = self.log.writable();
            let at = now();
            let levels = self.sight.look(at, writable).await;
            let turns = self.engine.judge(at, &levels, next_id);
            for turn in turns {
                self.tell(&turn);
                self.note(turn);
            }
            self.metrics.alerts.suppressed(self.engine.suppressed());
        }
        if let Err(error) = self.keep().await {
            tracing::error!(%error, "alerts: the store can't be written; trying again");
        }
        Some(self)
    }

    /// Reads the trail up to its end; whether it came there.
    async fn read(mut self) -> Option<(Self, bool)> {
        for _ in 0..BATCHES {
            let reading = tokio::task::spawn_blocking(move || {
                let batch = self.trail.read(now());
                (self, batch)
            });
            let (desk, batch) = reading.await.ok()?;
            self = desk;
            match batch {
                Ok(batch) => {
                    self.take(&batch);
                    self.metrics.alerts.behind(batch.behind);
                    if !batch.more {
                        return Some((self, true));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "alerts: the trail can't be read; trying again");
                    return Some((self, true));
                }
            }
        }
        Some((self, false))
    }

    fn take(&mut self, batch: &Batch) {
        for signal in &batch.signals {
            self.engine.take(signal);
        }
    }

    /// Log line, metric and record: an alert is told though the store be away.
    fn tell(&self, turn: &Turn) {
        let (alert, action) = match turn {
            Turn::Started(alert) => (alert, Action::AlertStart),
            Turn::Ended(alert) => (alert, Action::AlertEnd),
            Turn::Lasts(_) => return,
        };
        let (rule, severity) = (alert.rule.as_str(), <&'static str>::from(alert.severity));
        let (summary, id) = (alert.summary.as_str(), alert.id.as_str());
        if action == Action::AlertStart {
            self.metrics.alerts.started(rule, severity, true);
            tracing::warn!(rule, severity, alert = id, summary, "an alert began");
        } else {
            self.metrics.alerts.ended(rule, severity);
            tracing::info!(rule, severity, alert = id, summary, "an alert ended");
        }
        let at = alert.ended_at.unwrap_or(alert.started_at);
        let mut event = AuditEvent::outcome(at, action, Outcome::Success);
        event.facts = vec![
            ("alert", id.to_owned()),
            ("rule", rule.to_owned()),
            ("severity", severity.to_owned()),
            ("fingerprint", alert.fingerprint.to_string()),
            ("summary", summary.to_owned()),
            ("value", alert.value.to_string()),
            ("threshold", alert.threshold.to_string()),
        ];
        // Not awaited; a trail that can't be written says so itself.
        drop(self.log.append(event));
    }

    /// Notes what is to be kept and sent.
    fn note(&mut self, turn: Turn) {
        let (alert, is_news) = match turn {
            Turn::Started(alert) | Turn::Ended(alert) => (alert, true),
            Turn::Lasts(alert) => (alert, false),
        };
        let told = self.receivers.iter();
        let told = told.filter(|it| is_news && alert.severity >= it.least);
        let letters = told.map(|receiver| Letter {
            id: format!("msg_{}", hex(&random())),
            receiver: receiver.name.clone(),
            alert: alert.clone(),
            written_at: now(),
            tries: 0,
        });
        self.unkept.letters.extend(letters);
        self.unkept.alerts.retain(|known| known.id != alert.id);
        self.unkept.alerts.push(alert);
    }

    /// Writes what is not on disk yet; what can't be written stays.
    async fn keep(&mut self) -> Result<(), StoreError> {
        let unkept = &mut self.unkept;
        if unkept.alerts.is_empty() {
            return Ok(());
        }
        self.book.keep(&unkept.alerts, &unkept.letters).await?;
        unkept.alerts.clear();
        for letter in unkept.letters.drain(..) {
            let ours = self.receivers.iter();
            let mut ours = ours.filter(|it| it.name == letter.receiver);
            ours.by_ref()
                .for_each(|receiver| receiver.wake.notify_one());
        }
        Ok(())
    }

    async fn forget(&self) {
        let kept = DAY * self.kept_days;
        let before = now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        if let Err(error) = self.book.forget(before).await {
            tracing::error!(%error, "alerts: old ones can't be forgotten; trying again");
        }
    }
}

fn next_id() -> AlertId {
    AlertId::from_random(random())
}

fn random() -> [u8; 16] {
    let mut bits = [0; 16];
    SystemIds.fill(&mut bits);
    bits
}
