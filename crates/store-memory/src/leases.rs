//! The grants callers hold, counted in one process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::StoreError,
};

/// Holders below which no sweep is worth its time.
const SWEEP_FLOOR: usize = 1024;

/// Leases by holder under one lock, so that two requests never share a place.
#[derive(Default)]
pub struct MemoryLeases(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_holder: HashMap<Subject, Vec<(LineageId, Timestamp)>>,
    sweep_at: usize,
}

impl MemoryLeases {
    /// Begins with leases known from before, as after a restart.
    #[must_use]
    pub fn with(leases: impl IntoIterator<Item = Lease>) -> Self {
        let mut table = Table::default();
        for lease in leases {
            let held = table.by_holder.entry(lease.holder).or_default();
            held.push((lease.lineage, lease.until));
        }
        Self(Mutex::new(table))
    }

    /// How many callers hold anything.
    #[must_use]
    pub fn holders(&self) -> usize {
        self.lock().by_holder.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Leases for MemoryLeases {
    async fn take(
        &self,
        lease: &Lease,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        let mut table = self.lock();
        table.sweep(now);
        Ok(table.take(lease, limit, now))
    }

    fn settle(&self, lease: &Lease) {
        let mut table = self.lock();
        let held = table.by_holder.get_mut(&lease.holder);
        let found = held.and_then(|held| held.iter_mut().find(|(id, _)| *id == lease.lineage));
        if let Some((_, until)) = found {
            *until = lease.until;
        }
    }

    fn release(&self, holder: &Subject, lineage: &LineageId) {
        let mut table = self.lock();
        let Some(held) = table.by_holder.get_mut(holder) else {
            return;
        };
        held.retain(|(id, _)| id != lineage);
        if held.is_empty() {
            table.by_holder.remove(holder);
        }
    }
}

impl Table {
    fn take(&mut self, lease: &Lease, limit: u32, now: Timestamp) -> Result<(), Timestamp> {
        let held = self.by_holder.entry(lease.holder.clone()).or_default();
        held.retain(|(_, until)| *until > now);
        if let Some((_, until)) = held.iter_mut().find(|(id, _)| *id == lease.lineage) {
            *until = lease.until.max(*until);
            return Ok(());
        }
        let room = usize::try_from(limit).unwrap_or(usize::MAX);
        if held.len() >= room {
            let frees_at = held.iter().map(|(_, until)| *until).min();
            return Err(frees_at.unwrap_or(now));
        }
        held.push((lease.lineage.clone(), lease.until));
        Ok(())
    }

    /// Drops holders of nothing, each time the table has doubled.
    fn sweep(&mut self, now: Timestamp) {
        if self.by_holder.len() < self.sweep_at.max(SWEEP_FLOOR) {
            return;
        }
        self.by_holder
            .retain(|_, held| held.iter().any(|(_, until)| *until > now));
        self.sweep_at = self.by_holder.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lease(who: &str, lineage: &str, until: i64) -> Lease {
        Lease {
            holder: Subject::new(who).unwrap(),
            lineage: LineageId::new(lineage).unwrap(),
            until: at(until),
        }
    }

    async fn take(leases: &MemoryLeases, lease: &Lease, limit: u32, now: i64) -> Result<(), i64> {
        let taken = leases.take(lease, limit, at(now)).await.unwrap();
        taken.map_err(Timestamp::as_second)
    }

    #[tokio::test]
    async fn a_full_caller_learns_when_the_first_lease_ends() {
        let leases = MemoryLeases::with([lease("a", "l1", 90), lease("a", "l2", 60)]);
        assert_eq!(take(&leases, &lease("a", "l3", 99), 2, 0).await, Err(60));
        assert_eq!(take(&leases, &lease("b", "l3", 99), 2, 0).await, Ok(()));
        assert_eq!(take(&leases, &lease("a", "l3", 99), 2, 60).await, Ok(()));
    }

    #[tokio::test]
    async fn a_refresh_goes_on_with_its_own_place() {
        let leases = MemoryLeases::with([lease("a", "l1", 60)]);
        assert_eq!(take(&leases, &lease("a", "l1", 120), 1, 30).await, Ok(()));
        assert_eq!(take(&leases, &lease("a", "l2", 120), 1, 61).await, Err(120));
        leases.settle(&lease("a", "l1", 70));
        assert_eq!(take(&leases, &lease("a", "l2", 120), 1, 71).await, Ok(()));
    }

    #[tokio::test]
    async fn what_is_released_is_free_and_forgotten() {
        let leases = MemoryLeases::default();
        let first = lease("a", "l1", 60);
        assert_eq!(take(&leases, &first, 1, 0).await, Ok(()));
        leases.release(&first.holder, &first.lineage);
        assert_eq!(leases.holders(), 0);
    }

    #[tokio::test]
    async fn holders_of_nothing_are_swept() {
        let leases = MemoryLeases::default();
        for number in 0..10_000_i64 {
            let one = lease(&format!("u{number}"), "l", number + 1);
            assert_eq!(take(&leases, &one, 1, number).await, Ok(()));
        }
        assert!(leases.holders() <= 2 * SWEEP_FLOOR);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_at_once_never_share_a_place() {
        let leases = Arc::new(MemoryLeases::default());
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let leases = leases.clone();
                tokio::spawn(async move {
                    take(&leases, &lease("a", &format!("l{number}"), 60), 3, 0).await
                })
            })
            .collect();
        let mut granted = 0;
        for task in tasks {
            granted += usize::from(task.await.unwrap().is_ok());
        }
        assert_eq!(granted, 3);
    }
}
