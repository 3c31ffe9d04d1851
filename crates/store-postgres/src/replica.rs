//! This process among those that share the database.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hallpass_core::ports::StoreError;
use tokio::time::Instant;

use crate::{database::Database, rows::get, statement::Statement};

/// Longest name of a replica, in bytes.
const MAX_NAME: usize = 64;
/// Who has not been heard of for this long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(6);
/// Two heartbeats further apart are no steady beat: the database was away, or
/// this process stood still, and others may have had the same trouble.
const STEADY_GAP: Duration = Duration::from_secs(3);

/// The name a replica goes by in trail, health and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaName(String);

/// A text is no replica's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a replica's name has 1 to 64 letters, digits, dots, hyphens and underscores")]
pub struct InvalidName;

impl ReplicaName {
    /// Takes 1 to 64 letters, digits, dots, hyphens and underscores.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] for anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let good = !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(plain);
        good.then_some(Self(text)).ok_or(InvalidName)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplicaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name can't be this process's.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Another data directory has it.
    #[error(
        "another replica goes by the name {0:?}: each data directory needs a name of its own. Set server.replica to another name, or leave it out."
    )]
    Taken(String),
    /// The database can't be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A process that beats, so that others know it lives.
pub struct Replica {
    database: Database,
    name: ReplicaName,
    incarnation: String,
    beats: Mutex<Option<Beats>>,
}

#[derive(Clone, Copy)]
struct Beats {
    since: Instant,
    last: Instant,
}

impl Replica {
    /// Enters this process under a name. What an earlier process of the same
    /// name left behind is ended by whoever adopts it.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] where another data directory has the name.
    pub async fn register(
        database: Database,
        name: ReplicaName,
        identity: &str,
        version: &str,
    ) -> Result<Self, RegisterError> {
        Self::enter(database, name, (identity, version), false).await
    }

    /// As [`Replica::register`], of a process whose data directory does not
    /// outlast it: the name is its own once nobody beats under it any more.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] where another process still goes by the name.
    pub async fn succeed(
        database: Database,
        name: ReplicaName,
        identity: &str,
        version: &str,
    ) -> Result<Self, RegisterError> {
        Self::enter(database, name, (identity, version), true).await
    }

    async fn enter(
        database: Database,
        name: ReplicaName,
        (identity, version): (&str, &str),
        succeeds: bool,
    ) -> Result<Self, RegisterError> {
        let enter = Statement::new(
            "INSERT INTO replicas (name, identity, incarnation, version) \
             VALUES ($1, $2, gen_random_uuid()::text, $3) ON CONFLICT (name) DO UPDATE SET \
             identity = excluded.identity, \
             incarnation = excluded.incarnation, version = excluded.version, \
             started_at = clock_timestamp(), beat_at = clock_timestamp(), usage_batch = 0 \
             WHERE replicas.identity = excluded.identity OR ($4 AND \
             replicas.beat_at < clock_timestamp() - $5 * interval '1 millisecond') \
             RETURNING incarnation",
        );
        let enter = enter.bind(name.as_str()).bind(identity).bind(version);
        let dead_after = u32::try_from(DEAD_AFTER.as_millis()).unwrap_or(u32::MAX);
        let enter = enter.bind(succeeds).bind(f64::from(dead_after));
        let Some(row) = database.row(enter).await? else {
            return Err(RegisterError::Taken(name.0));
        };
        Ok(Self {
            incarnation: get(&row, "incarnation")?,
            database,
            name,
            beats: Mutex::default(),
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ReplicaName {
        &self.name
    }

    /// This process, told from every other of the same name.
    pub(crate) fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// Says that this process lives, by the database's clock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database is away, or another process goes by
    /// this name now.
    pub async fn beat(&self) -> Result<(), StoreError> {
        let beat = Statement::new(
            "UPDATE replicas SET beat_at = clock_timestamp() WHERE incarnation = $1",
        );
        let beaten = self
            .database
            .execute(beat.bind(self.incarnation.as_str()))
            .await;
        let heard = beaten.as_ref().is_ok_and(|rows| *rows == 1);
        self.note(heard, Instant::now());
        match beaten {
            Ok(1) => Ok(()),
            Ok(_) => Err(StoreError(format!(
                "another process goes by the name {:?}; one of the two must end",
                self.name.as_str()
            ))),
            Err(error) => Err(error),
        }
    }

    fn note(&self, heard: bool, now: Instant) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = beats.filter(|beats| now - beats.last <= STEADY_GAP);
        *beats = heard.then(|| Beats {
            since: steady.map_or(now, |beats| beats.since),
            last: now,
        });
    }

    /// Whether this process has been heard without a break for as long as it
    /// takes to be thought dead. Only then may it judge others: after the
    /// database was away for everyone, everyone looks dead for a moment.
    pub(crate) fn is_steady(&self) -> bool {
        let beats = *self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.is_some_and(|beats| {
            beats.last - beats.since >= DEAD_AFTER && beats.last.elapsed() <= STEADY_GAP
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_short() {
        for good in ["a", "hallpass-0", "eu.west_1", &"x".repeat(64)] {
            assert!(ReplicaName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", "a\n", &"x".repeat(65)] {
            assert_eq!(ReplicaName::new(bad), Err(InvalidName), "{bad}");
        }
    }
}
