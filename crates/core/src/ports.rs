//! What the core needs from outside, as small traits.
//!
//! Each has an embedded and a distributed form and one contract both must pass.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{
    Timestamp,
    audit::{AuditEvent, UpstreamFacts},
    caller::{Authentication, Presented},
    grant::{Grant, GrantEvent, GrantState},
    hash::KeyedHash,
    ids::{
        CredentialId, GrantId, LineageId, LiveId, ProfileName, RequestId, RevocationId, RoleName,
        SessionId, Subject,
    },
    journal::Journal,
    key::KeyKind,
    profile::SessionConfig,
    quota::{Charge, Exceeded, LimitState},
    refusal::Refusal,
    revocation::{Hit, Lifted, Question, Revocation, Scope},
    secret::ClientSecret,
};

pub use crate::{
    concurrency::Leases, interview::Interviews, live::Peers, pass::Passes, usage::UsageLedger,
};

/// A future that owns what it needs.
pub type OwnedFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock's time.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes and the ids made of them.
pub trait Ids: Send + Sync {
    /// Fills a buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// The id of a grant made at a time.
    fn grant_id(&self, at: Timestamp) -> GrantId {
        let mut random = [0; 10];
        self.fill(&mut random);
        GrantId::at(at, random)
    }

    /// A new revocation's id.
    fn revocation_id(&self) -> RevocationId {
        let mut bits = [0; 16];
        self.fill(&mut bits);
        RevocationId::from_random(bits)
    }

    /// A new live session's id.
    fn live_id(&self) -> LiveId {
        let mut bits = [0; 16];
        self.fill(&mut bits);
        LiveId::from_random(bits)
    }

    /// A new request's id.
    fn request_id(&self) -> RequestId {
        let mut bits = [0; 16];
        self.fill(&mut bits);
        RequestId::from_random(bits)
    }
}

/// Finds out who sends a request.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Asks each scheme in turn; a bad credential ends the chain.
    async fn authenticate(&self, presented: &Presented<'_>) -> Authentication;
}

/// A stored API key: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The public id.
    pub id: CredentialId,
    /// What it is for.
    pub kind: KeyKind,
    /// The name its maker gave it; the subject of its callers.
    pub name: Subject,
    /// The keyed hash of the whole key.
    pub hash: KeyedHash,
    /// The roles it gives.
    pub roles: Vec<RoleName>,
    /// Networks it may be used from, as CIDR; empty means any.
    pub networks: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The key that takes its place.
    pub replaced_by: Option<CredentialId>,
}

/// A store can't do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Finds and keeps API keys.
#[async_trait]
pub trait KeyDirectory: Send + Sync {
    /// The key of this id, revoked and expired ones too.
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError>;
    /// Keeps a new key.
    async fn insert(&self, key: &StoredKey) -> Result<(), StoreError>;
    /// All keys, newest first.
    async fn list(&self) -> Result<Vec<StoredKey>, StoreError>;
    /// Withdraws a key; the first time given stays. False when there is none.
    async fn revoke(&self, id: &CredentialId, at: Timestamp) -> Result<bool, StoreError>;
    /// Sets the end of a key that got a successor. False when there is none.
    async fn supersede(
        &self,
        id: &CredentialId,
        successor: &CredentialId,
        ends: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Notes that a key was used; may be put off and gathered.
    async fn touch(&self, id: &CredentialId, at: Timestamp) -> Result<(), StoreError>;
}

/// Which grants are asked for.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Only this caller's.
    pub subject: Option<Subject>,
    /// Only of this interview.
    pub session_id: Option<SessionId>,
    /// Only of this profile.
    pub profile: Option<ProfileName>,
    /// Only of this lineage.
    pub lineage: Option<LineageId>,
    /// Only those in this state at this time.
    pub state: Option<(GrantState, Timestamp)>,
    /// Only those made before this grant, in the order of the list.
    pub before: Option<(Timestamp, GrantId)>,
    /// At most so many.
    pub limit: usize,
}

/// The registry of grants.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Keeps a new grant; a later `find` sees it.
    async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError>;
    /// The grant of this id.
    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError>;
    /// Grants, newest first.
    async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError>;
    /// Moves a grant through its life; the grant afterwards, none if there is none.
    async fn apply(&self, id: &GrantId, event: GrantEvent) -> Result<Option<Grant>, StoreError>;
    /// Notes which grant takes the place of one. False when there is none, or
    /// another took its place before.
    async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError>;
    /// Revokes every grant a scope reaches; durable when this returns.
    async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError>;
    /// Moves on grants whose time is over, at most `limit`; how many they were.
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;
    /// Forgets grants made before a time that are at their end, at most
    /// `limit`; how many they were.
    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// What withdrawing grants did, and what it could not reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// Grants that were not at their end and now are revoked.
    pub revoked: u64,
    /// Of these, those whose secret is worthless from now on: it was a pass.
    pub ended: u64,
    /// Secrets of OpenAI's that nothing can recall before their time is over.
    pub unexpired: u64,
    /// When the last of these is over.
    pub unexpired_until: Option<Timestamp>,
}

/// Keeps what was withdrawn.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// What stands in a request's way; exact, and answered from memory.
    fn check(&self, question: &Question<'_>) -> Option<Hit>;
    /// A number that is another one after every change.
    fn epoch(&self) -> u64;
    /// Whether what is known here is recent enough to go by. A store that is
    /// the only one always is; one replica of several may have heard nothing
    /// for too long, and then nobody may be let through on its word.
    fn is_fresh(&self) -> bool {
        true
    }
    /// Puts a revocation in force, durably, before this returns. Where one of
    /// the same scope is in force it stays, and is given back.
    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError>;
    /// Takes a revocation out of force; it stays in history. None if there is
    /// none; one that was lifted before stays as it was.
    async fn lift(&self, id: &RevocationId, end: &Lifted)
    -> Result<Option<Revocation>, StoreError>;
    /// Revocations, newest first; those of history too if asked for.
    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError>;
    /// Forgets those that [`Revocation::is_over`]; how many they were.
    async fn prune(&self, before: Timestamp) -> Result<usize, StoreError>;
}

/// What a look at the shared store brought that was not in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// The store's revision that memory has now: no change up to it is missing.
    pub revision: u64,
    /// Put in force elsewhere, oldest first; live sessions they reach must end.
    pub added: Vec<Revocation>,
    /// Taken out of force elsewhere: lifted, or over and forgotten.
    pub ended: Vec<Revocation>,
}

/// Follows the changes that other replicas make to what decides who is let in:
/// revocations and API keys.
///
/// The truth is the store; [`Revocations::check`] asks memory. What memory is
/// behind is bounded by how often this is called, on a hint or by a timer.
#[async_trait]
pub trait RevocationFeed: Send + Sync {
    /// The newest revision this replica knows of, its own changes included.
    fn revision(&self) -> u64;
    /// Brings memory up to date, and tells what that changed.
    async fn sync(&self) -> Result<Synced, StoreError>;
}

/// Counts what callers use.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Takes every charge, or none: then it says which one was refused.
    async fn take(&self, charges: &[Charge]) -> Result<Vec<LimitState>, TakeError>;
}

/// Why charges were not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// A limit is reached.
    #[error("limit reached")]
    Exceeded(Exceeded),
    /// The store can't tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The place of a durable record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditReceipt {
    /// The record's number within the trail, from 0.
    pub sequence: u64,
}

/// A record that is not durable, so that what it says may not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditUnavailable {
    /// The record was not taken and will never be in the trail.
    #[error("the audit trail can't be written: {0}")]
    Refused(String),
    /// The record is in line, but the disk does not answer: nobody waits longer.
    #[error("the disk of the audit trail does not answer; the record waits for it")]
    Late,
}

/// Keeps the trail.
pub trait AuditLog: Send + Sync {
    /// Queues a record at once; the future ends when it is durable.
    ///
    /// Dropping the future does not take the record back.
    fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>>;

    /// Whether a record could be written now.
    fn writable(&self) -> bool;
}

/// What OpenAI is asked for.
#[derive(Debug, Clone)]
pub struct MintOrder {
    /// The whole session configuration: the profile's with allowed overrides.
    pub session: SessionConfig,
    /// The secret's life in seconds, 10 to 7,200.
    pub expires_after_seconds: u32,
    /// The keyed hash of the subject, for `OpenAI-Safety-Identifier`.
    pub safety_identifier: String,
    /// The dotted paths the caller overrode, so that OpenAI's refusal of one
    /// can be told from a wrong profile.
    pub overridden: Vec<String>,
    /// How long the whole call may take, every attempt of it together.
    pub deadline: Duration,
    /// Where attempts are noted that another one followed.
    pub journal: Journal,
}

/// What OpenAI gave, checked.
#[derive(Debug)]
pub struct MintedSecret {
    /// The `ek_` secret.
    pub secret: ClientSecret,
    /// When it stops opening sessions.
    pub expires_at: Timestamp,
    /// The session as OpenAI will run it, as OpenAI wrote it.
    pub session: Box<RawValue>,
    /// Where the browser connects.
    pub connect_url: String,
    /// What the call left behind.
    pub upstream: UpstreamFacts,
}

/// A mint that gave no secret.
#[derive(Debug)]
pub struct MintFailure {
    /// What the caller and the operator are told.
    pub refusal: Refusal,
    /// What the call left behind.
    pub upstream: UpstreamFacts,
}

/// Obtains client secrets from OpenAI.
#[async_trait]
pub trait Minter: Send + Sync {
    /// Asks for one secret.
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>>;
}
