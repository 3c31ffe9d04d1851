//! The real binary on a real PostgreSQL and a real Redis: what holds for one
//! server on a file and its own memory holds for it, and for several at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here fails the test"
)]

mod arrangement;
mod command_line;
mod copied;
mod crash;
mod outage;
mod pair;
mod primary;
mod replicas;
mod takeover;
mod trails;

// The same tests as on a file.
#[path = "../it/admin_keys.rs"]
mod admin_keys;
#[path = "../it/calls/mod.rs"]
mod calls;
#[path = "../it/cli_grants.rs"]
mod cli_grants;
#[path = "../it/concurrent.rs"]
mod concurrent;
#[path = "../it/incidents.rs"]
mod incidents;
#[path = "../it/interviews.rs"]
mod interviews;
#[path = "../it/life/mod.rs"]
mod life;
#[path = "../it/relay/mod.rs"]
mod relay;
#[path = "../it/usage.rs"]
mod usage;

#[allow(
    dead_code,
    unused_imports,
    reason = "not every test of the other suite is here"
)]
#[path = "../it/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use hallpass_testkit::{
    postgres::{TestDatabase, database},
    redis,
};

/// The task that writes what lasts.
pub(crate) const WRITER: &str = "usage";

/// The databases by the folder of the servers that use them. They stay until
/// the process ends: a server that is started again finds its own.
static DATABASES: Mutex<BTreeMap<PathBuf, TestDatabase>> = Mutex::new(BTreeMap::new());

/// Where servers of these tests keep what lasts: in a database for each folder.
pub(crate) fn durable(folder: &Path) -> Option<String> {
    let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = databases.entry(folder.to_owned()).or_insert_with(database);
    Some(kept.url())
}

/// What servers of these tests count together, by their folder, too.
static COUNTS: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// Where servers of these tests count: in a Redis, apart for each folder.
pub(crate) fn shared(folder: &Path) -> Option<String> {
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = counts.entry(folder.to_owned());
    Some(counted.or_insert_with(redis::database).clone())
}
