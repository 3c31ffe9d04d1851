//! Time and ids of a replica, from the simulation alone.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use hallpass_core::{
    Timestamp,
    ports::{Clock, Ids},
};
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::trace;

/// When every simulation begins: 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400;

/// The simulation's time, as a wall clock shows it.
pub(crate) struct SimClock;

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOON).unwrap() + trace::now()
    }
}

/// Ids by seed; no two processes have one in common.
pub(crate) struct SimIds(Mutex<StdRng>);

impl SimIds {
    /// Ids of one process.
    pub(crate) fn of(seed: u64, process: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed.rotate_left(17) ^ process);
        Self(Mutex::new(rng))
    }
}

impl Ids for SimIds {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(buffer);
    }
}

/// Numbers from 1.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}
