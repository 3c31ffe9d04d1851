//! What the console asks of the audit trail; whoever keeps the trail answers.

use std::{collections::BTreeMap, net::IpAddr};

use async_trait::async_trait;
use hallpass_core::{Timestamp, ports::StoreError};
use hallpass_http::AuditQuery;

/// Finds records, and tells how one stands in the chain.
#[async_trait]
pub trait TrailDesk: Send + Sync {
    /// Records, newest first; those before a number where one is given.
    async fn latest(
        &self,
        wanted: AuditQuery,
        before: Option<u64>,
    ) -> Result<Vec<TrailRecord>, StoreError>;

    /// One record and its place; none where it is not here.
    async fn place(&self, sequence: u64) -> Result<Option<Place>, StoreError>;
}

/// A record of the trail.
#[derive(Debug, Clone)]
pub struct TrailRecord {
    /// Its number.
    pub sequence: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What was done.
    pub action: String,
    /// `intent`, `attempt` or `outcome`.
    pub phase: String,
    /// How it went.
    pub outcome: String,
    /// The stable code of a refusal or failure.
    pub code: Option<String>,
    /// Its finer reason.
    pub reason: Option<String>,
    /// Who did it.
    pub subject: Option<String>,
    /// The credential they used, or that was refused.
    pub credential: Option<String>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// What it said it was sent by.
    pub user_agent: Option<String>,
    /// The request's method and route.
    pub route: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The interview it belongs to.
    pub session_id: Option<String>,
    /// The grant it is about or announces.
    pub grant: Option<String>,
    /// Further facts, by name.
    pub facts: BTreeMap<String, String>,
}

/// How one record stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// The line as it is stored.
    pub line: String,
    /// It, read; none where it was erased or is damaged.
    pub record: Option<TrailRecord>,
    /// Whether what it said was erased.
    pub is_erased: bool,
    /// What is wrong with it by itself.
    pub flaw: Option<String>,
    /// How it fits the record before it.
    pub before: Beside,
    /// How the record after it fits.
    pub after: Beside,
    /// Whether a signed checkpoint states it.
    pub sealed: Sealing,
}

/// How a record and one beside it fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// One names the other's hash.
    Fits,
    /// One of them was changed.
    Broken,
    /// There is none here.
    Absent,
}

/// Whether a signed checkpoint states a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealing {
    /// One of so many records does.
    Signed(u64),
    /// None does yet.
    NotYet,
    /// It states other records.
    Broken(String),
    /// Not looked at: too many records.
    Unasked,
}
