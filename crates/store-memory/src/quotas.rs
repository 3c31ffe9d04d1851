//! Rate limits of one process, held in memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use hallpass_core::{
    ports::{Quotas, TakeError},
    quota::{self, Charge, Decision, Exceeded, LimitState},
};

/// Entries below which no sweep is worth its time.
const SWEEP_FLOOR: usize = 4096;

/// Tells microseconds of a clock that never goes back.
type Monotonic = Box<dyn Fn() -> u64 + Send + Sync>;

/// Counts by GCRA under one lock, so that charges are taken all or none.
pub struct MemoryQuotas {
    now: Monotonic,
    table: Mutex<Table>,
}

/// The theoretical arrival time of each limit in use.
struct Table {
    tats: HashMap<String, u64>,
    sweep_at: usize,
}

impl Default for MemoryQuotas {
    fn default() -> Self {
        let start = Instant::now();
        Self::with_clock(move || u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

impl MemoryQuotas {
    /// Counts by a clock of the caller's; it gives microseconds and never goes back.
    #[must_use]
    pub fn with_clock(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let table = Table {
            tats: HashMap::new(),
            sweep_at: SWEEP_FLOOR,
        };
        Self {
            now: Box::new(now),
            table: Mutex::new(table),
        }
    }

    /// How many limits are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tats
            .len()
    }

    /// Whether no limit is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl Quotas for MemoryQuotas {
    async fn take(&self, charges: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let now = (self.now)();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.take(charges, now).map_err(TakeError::Exceeded)
    }
}

impl Table {
    fn take(&mut self, charges: &[Charge], now: u64) -> Result<Vec<LimitState>, Exceeded> {
        let tats = self.decide(charges, now)?;
        let states = charges
            .iter()
            .zip(&tats)
            .map(|(charge, tat)| quota::state(charge.name, *tat, now, charge.rate))
            .collect();
        for (charge, tat) in charges.iter().zip(tats) {
            match self.tats.get_mut(&charge.key) {
                Some(stored) => *stored = tat,
                None => drop(self.tats.insert(charge.key.clone(), tat)),
            }
        }
        self.sweep(now);
        Ok(states)
    }

    /// The new times of all charges; of several refusals, the longest wait.
    fn decide(&self, charges: &[Charge], now: u64) -> Result<Vec<u64>, Exceeded> {
        let mut tats = Vec::with_capacity(charges.len());
        let mut refused: Option<Exceeded> = None;
        for charge in charges {
            let stored = self.tats.get(&charge.key).copied();
            match quota::decide(stored, now, charge.rate) {
                Decision::Allow { tat } => tats.push(tat),
                Decision::Deny { wait_micros } => {
                    let wait = std::time::Duration::from_micros(wait_micros);
                    let state = quota::state(charge.name, stored.unwrap_or(now), now, charge.rate);
                    if refused.is_none_or(|known| known.wait < wait) {
                        refused = Some(Exceeded { state, wait });
                    }
                }
            }
        }
        refused.map_or(Ok(tats), Err)
    }

    /// Drops limits that are unused again, each time the table has doubled.
    fn sweep(&mut self, now: u64) {
        if self.tats.len() < self.sweep_at {
            return;
        }
        self.tats.retain(|_, tat| *tat > now);
        self.sweep_at = (self.tats.len() * 2).max(SWEEP_FLOOR);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use hallpass_core::quota::Rate;
    use proptest::prelude::*;

    use super::*;

    fn charge(name: &'static str, who: u8, count: u32) -> Charge {
        Charge {
            name,
            key: format!("{name}:{who}"),
            rate: Rate::per_minute(count),
        }
    }

    fn quotas() -> (MemoryQuotas, Arc<AtomicU64>) {
        let time = Arc::new(AtomicU64::new(0));
        let hand = time.clone();
        (
            MemoryQuotas::with_clock(move || hand.load(Ordering::Relaxed)),
            time,
        )
    }

    #[tokio::test]
    async fn a_refused_request_takes_nothing() {
        let (quotas, _) = quotas();
        let (wide, narrow) = (charge("wide", 1, 2), charge("narrow", 1, 1));
        assert!(quotas.take(&[wide.clone(), narrow.clone()]).await.is_ok());
        let Err(TakeError::Exceeded(exceeded)) = quotas.take(&[wide.clone(), narrow]).await else {
            panic!("the narrow limit is used up");
        };
        assert_eq!(exceeded.state.name, "narrow");
        let states = quotas.take(&[wide]).await.unwrap();
        assert_eq!(
            states[0].remaining, 0,
            "the refused request took none of the wide limit"
        );
    }

    #[tokio::test]
    async fn unused_limits_are_forgotten() {
        let (quotas, time) = quotas();
        for who in 0..u32::try_from(SWEEP_FLOOR).unwrap() {
            time.fetch_add(120_000_000, Ordering::Relaxed);
            let charge = Charge {
                name: "x",
                key: who.to_string(),
                rate: Rate::per_minute(1),
            };
            assert!(quotas.take(&[charge]).await.is_ok());
        }
        assert!(quotas.len() < 10);
    }

    proptest! {
        #[test]
        fn concurrent_callers_never_get_more_than_the_burst(count in 1_u32..40, callers in 1_usize..8) {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            let (quotas, _) = quotas();
            let quotas = Arc::new(quotas);
            let granted: usize = runtime.block_on(async {
                let tasks: Vec<_> = (0..callers).map(|_| {
                    let quotas = quotas.clone();
                    tokio::spawn(async move {
                        let mut granted = 0;
                        for _ in 0..20 {
                            granted += usize::from(quotas.take(&[charge("x", 1, count)]).await.is_ok());
                        }
                        granted
                    })
                }).collect();
                let mut sum = 0;
                for task in tasks { sum += task.await.unwrap(); }
                sum
            });
            prop_assert_eq!(granted, (count as usize).min(callers * 20));
        }
    }
}
