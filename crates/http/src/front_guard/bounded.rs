//! A limit for each of many keys, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hallpass_core::quota::{self, Decision, Rate};

/// Parts of the table, each under a lock of its own.
const SHARDS: usize = 16;
/// Most keys of one part: 16 times 8,192 keys are about 4 MiB.
const MAX_KEYS: usize = 8192;

/// Counts by GCRA; a key that is unused again is forgotten.
///
/// Where a part is full of keys in use, all of that part are forgotten: who has
/// so many addresses is not held by a limit per address anyway, and must not be
/// able to take the server's memory or to shut others out.
pub(super) struct Bounded<K> {
    rate: Rate,
    hasher: RandomState,
    shards: [Mutex<HashMap<K, u64>>; SHARDS],
}

impl<K: Hash + Eq + Clone> Bounded<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes one, or says how long until there is one.
    pub(super) fn take(&self, key: &K, now: u64) -> Result<(), Duration> {
        let mut shard = self.shard(key);
        let tat = shard.get_mut(key);
        match quota::decide(tat.as_deref().copied(), now, self.rate) {
            Decision::Deny { wait_micros } => Err(Duration::from_micros(wait_micros)),
            Decision::Allow { tat: next } => {
                match tat {
                    Some(tat) => *tat = next,
                    None => insert(&mut shard, key, next, now),
                }
                Ok(())
            }
        }
    }

    /// Whether there is one to take, taking none.
    pub(super) fn look(&self, key: &K, now: u64) -> Result<(), Duration> {
        match quota::decide(self.shard(key).get(key).copied(), now, self.rate) {
            Decision::Allow { .. } => Ok(()),
            Decision::Deny { wait_micros } => Err(Duration::from_micros(wait_micros)),
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let all = self.shards.iter();
        all.map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, u64>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert<K: Hash + Eq + Clone>(shard: &mut HashMap<K, u64>, key: &K, tat: u64, now: u64) {
    if shard.len() >= MAX_KEYS {
        shard.retain(|_, tat| *tat > now);
        // A sweep that freed little would be due again at once.
        if shard.len() > MAX_KEYS / 2 {
            shard.clear();
        }
    }
    shard.insert(key.clone(), tat);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_takes_nothing() {
        let limit = Bounded::new(Rate::per_minute(1));
        assert!(limit.look(&1_u64, 0).is_ok());
        assert!(limit.look(&1, 0).is_ok());
        assert!(limit.take(&1, 0).is_ok());
        assert_eq!(limit.look(&1, 0), Err(Duration::from_secs(60)));
        assert_eq!(limit.take(&1, 0), Err(Duration::from_secs(60)));
    }

    #[test]
    fn memory_stays_bounded_whoever_asks() {
        let limit = Bounded::new(Rate::per_minute(1));
        for key in 0..1_000_000_u64 {
            let _ = limit.take(&key, key);
        }
        assert!(limit.len() <= SHARDS * MAX_KEYS);
    }
}
