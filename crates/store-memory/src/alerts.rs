//! Alerts and letters that a restart forgets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    alert::{Acknowledgement, Alert, AlertBook, AlertFilter, AlertId, Letter, Outbox},
    ports::StoreError,
};

/// Alerts in memory.
#[derive(Default)]
pub struct MemoryAlerts(Mutex<Held>);

#[derive(Default)]
struct Held {
    alerts: BTreeMap<AlertId, Alert>,
    /// In the order they were written, with when each is due.
    letters: Vec<(Letter, Timestamp)>,
}

impl MemoryAlerts {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Letters to a receiver that wait for none before them.
    fn first_ones<'a>(
        &'a self,
        receiver: &'a str,
    ) -> impl Iterator<Item = &'a (Letter, Timestamp)> {
        let mut seen = BTreeSet::new();
        let ours = self.letters.iter();
        ours.filter(move |(letter, _)| {
            letter.receiver == receiver && seen.insert(&letter.alert.fingerprint)
        })
    }
}

#[async_trait]
impl AlertBook for MemoryAlerts {
    async fn active(&self) -> Result<Vec<Alert>, StoreError> {
        let held = self.lock();
        let mut active: Vec<Alert> = held
            .alerts
            .values()
            .filter(|it| it.is_active())
            .cloned()
            .collect();
        active.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        Ok(active)
    }

    async fn keep(&self, alerts: &[Alert], letters: &[Letter]) -> Result<(), StoreError> {
        let mut held = self.lock();
        for alert in alerts {
            let known = held.alerts.get(&alert.id);
            let acknowledged = known.and_then(|known| known.acknowledged.clone());
            let alert = Alert {
                acknowledged: acknowledged.or_else(|| alert.acknowledged.clone()),
                ..alert.clone()
            };
            held.alerts.insert(alert.id.clone(), alert);
        }
        let due = letters
            .iter()
            .map(|letter| (letter.clone(), letter.written_at));
        held.letters.extend(due);
        Ok(())
    }

    async fn list(&self, filter: &AlertFilter) -> Result<Vec<Alert>, StoreError> {
        let held = self.lock();
        let mut found: Vec<Alert> = held
            .alerts
            .values()
            .filter(|alert| wanted(filter, alert))
            .cloned()
            .collect();
        found.sort_by(|a, b| (b.started_at, &a.id).cmp(&(a.started_at, &b.id)));
        found.truncate(filter.limit.max(1));
        Ok(found)
    }

    async fn acknowledge(
        &self,
        id: &AlertId,
        by: &Acknowledgement,
    ) -> Result<Option<Alert>, StoreError> {
        let mut held = self.lock();
        Ok(held.alerts.get_mut(id).map(|alert| {
            alert.acknowledged.get_or_insert_with(|| by.clone());
            alert.clone()
        }))
    }

    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut held = self.lock();
        let known = held.alerts.len();
        held.alerts
            .retain(|_, alert| alert.ended_at.is_none_or(|ended| ended >= before));
        Ok(known - held.alerts.len())
    }
}

fn wanted(filter: &AlertFilter, alert: &Alert) -> bool {
    let rule = filter.rule.as_ref();
    let fingerprint = filter.fingerprint.as_ref();
    filter.active.is_none_or(|it| alert.is_active() == it)
        && rule.is_none_or(|it| alert.rule == *it)
        && filter.severity.is_none_or(|it| alert.severity == it)
        && fingerprint.is_none_or(|it| alert.fingerprint == *it)
        && filter.since.is_none_or(|it| alert.started_at >= it)
        && filter.until.is_none_or(|it| alert.started_at < it)
        && filter.after.as_ref().is_none_or(|(time, id)| {
            alert.started_at < *time || (alert.started_at == *time && alert.id > *id)
        })
}

#[async_trait]
impl Outbox for MemoryAlerts {
    async fn due(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let held = self.lock();
        let due = held.first_ones(receiver).filter(|(_, due)| *due <= now);
        let letters = due.take(limit).map(|(letter, _)| letter.clone());
        Ok(letters.collect())
    }

    async fn next_due(&self, receiver: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.lock().first_ones(receiver).map(|(_, due)| *due).min())
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.lock().letters.retain(|(letter, _)| letter.id != id);
        Ok(())
    }

    async fn put_off(&self, id: &str, until: Timestamp) -> Result<(), StoreError> {
        let mut held = self.lock();
        let letter = held.letters.iter_mut().find(|(letter, _)| letter.id == id);
        if let Some((letter, due)) = letter {
            *due = until;
            letter.tries += 1;
        }
        Ok(())
    }

    async fn waiting(&self, receiver: &str) -> Result<u64, StoreError> {
        let held = self.lock();
        let ours = held.letters.iter();
        let waiting = ours.filter(|(letter, _)| letter.receiver == receiver);
        Ok(u64::try_from(waiting.count()).unwrap_or(u64::MAX))
    }

    async fn keep_only(&self, receivers: &[String]) -> Result<usize, StoreError> {
        let mut held = self.lock();
        let known = held.letters.len();
        held.letters
            .retain(|(letter, _)| receivers.contains(&letter.receiver));
        Ok(known - held.letters.len())
    }
}
