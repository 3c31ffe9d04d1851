//! Where alerts are kept, and what is to be sent of them.

use async_trait::async_trait;

use super::{
    fired::{Acknowledgement, Alert, AlertId, Fingerprint},
    rule::Severity,
};
use crate::{Timestamp, ports::StoreError};

/// Which alerts are asked for.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only those that last, or only those that ended.
    pub active: Option<bool>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only this urgent.
    pub severity: Option<Severity>,
    /// Only of this cause.
    pub fingerprint: Option<Fingerprint>,
    /// Only those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that began before this time.
    pub until: Option<Timestamp>,
    /// Only those after this one, in the order of the list.
    pub after: Option<(Timestamp, AlertId)>,
    /// At most so many.
    pub limit: usize,
}

/// Keeps alerts through restarts.
#[async_trait]
pub trait AlertBook: Send + Sync {
    /// Those that last, oldest first.
    async fn active(&self) -> Result<Vec<Alert>, StoreError>;
    /// Enters alerts as they are now, and puts letters into the outbox: both or
    /// neither, durably. What was acknowledged stays so.
    async fn keep(&self, alerts: &[Alert], letters: &[Letter]) -> Result<(), StoreError>;
    /// Alerts, the newest first.
    async fn list(&self, filter: &AlertFilter) -> Result<Vec<Alert>, StoreError>;
    /// Notes who has seen an alert; the first stays. None if there is no such
    /// alert.
    async fn acknowledge(
        &self,
        id: &AlertId,
        by: &Acknowledgement,
    ) -> Result<Option<Alert>, StoreError>;
    /// Forgets alerts that ended before a time; how many they were.
    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError>;
}

/// One message to one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Its id, the same at each try.
    pub id: String,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// The alert, as it was when this was written.
    pub alert: Alert,
    /// When it was written.
    pub written_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

/// Keeps what is to be sent until it is taken.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Letters to a receiver that are due, in the order they were written. Of
    /// one cause only the first, so that an end never comes before its
    /// beginning.
    async fn due(
        &self,
        receiver: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError>;
    /// When the next letter to a receiver is due; none where there is none.
    async fn next_due(&self, receiver: &str) -> Result<Option<Timestamp>, StoreError>;
    /// Takes a letter out.
    async fn remove(&self, id: &str) -> Result<(), StoreError>;
    /// Puts a letter off, and counts the try.
    async fn put_off(&self, id: &str, until: Timestamp) -> Result<(), StoreError>;
    /// How many letters wait for a receiver.
    async fn waiting(&self, receiver: &str) -> Result<u64, StoreError>;
    /// Takes out letters to receivers that are none of these; how many.
    async fn keep_only(&self, receivers: &[String]) -> Result<usize, StoreError>;
}
