//! Moving everything durable from one store to another.
//!
//! A store gives its records page by page and takes them in again; what was
//! taken is the same as what was given when their digests agree, in whatever
//! order each store keeps them.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::digest;
use serde_json::json;

use crate::{
    call::StandingCall,
    grant::Grant,
    interview::InterviewStanding,
    pass::PassRecord,
    ports::{StoreError, StoredKey},
    revocation::Revocation,
    usage::{Usage, UsageKey},
};

/// The kinds of records, in the order in which they are copied.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumIter, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// API keys.
    Keys,
    /// Revocations, those of history too.
    Revocations,
    /// Interviews and how many grants they got.
    Interviews,
    /// Grants.
    Grants,
    /// Passes, spent ones too.
    Passes,
    /// Calls that are not known to be over.
    Calls,
    /// Usage by hour.
    Usage,
}

/// One durable record, whatever store it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An API key.
    Key(StoredKey),
    /// A revocation.
    Revocation(Revocation),
    /// An interview.
    Interview(InterviewStanding),
    /// A grant.
    Grant(Box<Grant>),
    /// A pass, and whether it was spent.
    Pass(PassRecord, bool),
    /// A call.
    Call(StandingCall),
    /// Some usage.
    Usage(UsageKey, Usage),
}

impl Record {
    /// The record as a line that says all of it, the same whatever store it
    /// came from.
    #[must_use]
    pub fn line(&self) -> String {
        let line = match self {
            Self::Key(key) => json!([
                key.id,
                key.kind.to_string(),
                key.name,
                key.hash.to_hex(),
                key.roles,
                key.networks,
                key.created_at,
                key.expires_at,
                key.revoked_at,
                key.last_used_at,
                key.replaced_by,
            ]),
            Self::Revocation(it) => json!([
                it.id,
                it.scope.kind().to_string(),
                it.scope.target(),
                it.reason,
                it.created_at,
                it.created_by,
                it.lifted.as_ref().map(|end| (end.at, &end.by)),
            ]),
            Self::Interview(InterviewStanding {
                interview: it,
                issued,
            }) => json!([
                it.session_id,
                it.subject,
                it.profile,
                it.expires_at,
                it.max_grants,
                it.registered_by,
                it.registered_at,
                it.ended_at,
                issued,
            ]),
            Self::Grant(grant) => json!(grant),
            Self::Pass(pass, spent) => json!([
                pass.grant,
                pass.hash.to_hex(),
                pass.role,
                pass.session,
                pass.expires_at,
                spent,
            ]),
            Self::Call(call) => json!([
                call.session,
                call.grant,
                call.place.call_id,
                &*call.place.upstream,
                &*call.place.key,
                call.ends_at,
            ]),
            Self::Usage(key, usage) => json!([
                key.hour.to_string(),
                key.session,
                key.subject,
                key.role,
                key.profile,
                key.mode.map(|mode| mode.to_string()),
                key.model,
                key.source.to_string(),
                usage,
            ]),
        };
        line.to_string()
    }
}

/// A page of records.
#[derive(Debug, Default)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// What asks for the next page; none on the last.
    pub next: Option<String>,
}

/// Gives its records away.
#[async_trait]
pub trait Giver: Send + Sync {
    /// How many records of a kind there are.
    async fn count(&self, kind: Kind) -> Result<u64, StoreError>;
    /// The first records of a kind, or those after a page's `next`.
    async fn page(&self, kind: Kind, after: Option<&str>) -> Result<Page, StoreError>;
}

/// Takes records in.
#[async_trait]
pub trait Taker: Giver {
    /// How far a copy of this name had got with a kind; none before it began.
    async fn mark(&self, copy: &str, kind: Kind) -> Result<Option<String>, StoreError>;
    /// Takes records in, and notes how far the copy has got. One that is there
    /// stays as it is.
    async fn take(
        &self,
        records: &[Record],
        copy: &str,
        kind: Kind,
        mark: &str,
    ) -> Result<(), StoreError>;
    /// The copy is whole: its marks are forgotten.
    async fn finish(&self, copy: &str) -> Result<(), StoreError>;
}

/// What all records of a kind come to, in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many they are.
    pub count: u64,
    lanes: [u64; 4],
}

impl Sum {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        let digest = digest::digest(&digest::SHA256, record.line().as_bytes());
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.as_ref().chunks_exact(8)) {
            let part = bytes.try_into().map_or(0, u64::from_be_bytes);
            *lane = lane.wrapping_add(part);
        }
        self.count += 1;
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lanes
            .iter()
            .try_for_each(|lane| write!(f, "{lane:016x}"))
    }
}

/// Adds up all records of a kind in a store; `seen` is told after each page.
///
/// # Errors
///
/// [`StoreError`] when the store can't be read.
pub async fn sum(
    store: &dyn Giver,
    kind: Kind,
    mut seen: impl FnMut(u64),
) -> Result<Sum, StoreError> {
    let (mut sum, mut after) = (Sum::default(), None);
    loop {
        let page = store.page(kind, after.as_deref()).await?;
        page.records.iter().for_each(|record| sum.add(record));
        seen(sum.count);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(sum),
        }
    }
}
