//! What the trail is told.
//!
//! These are Hallpass's own facts; the adapter that keeps the trail gives them
//! their stored form. A request leaves exactly one final record; a mint that
//! reaches out to OpenAI leaves an intent before it.

use std::sync::Arc;

use crate::{
    Timestamp,
    caller::Caller,
    code::Code,
    grant::{Grant, GrantDraft},
    ids::CredentialId,
    request::RequestFacts,
};

/// What was done, or tried.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Action {
    /// A caller proved, or failed to prove, who they are.
    #[strum(serialize = "auth.check")]
    Authenticate,
    /// A client secret was asked for.
    #[strum(serialize = "grant.create")]
    GrantCreate,
    /// The next secret of a lineage was asked for.
    #[strum(serialize = "grant.refresh")]
    GrantRefresh,
    /// Grants were read.
    #[strum(serialize = "grant.read")]
    GrantRead,
    /// A grant was withdrawn.
    #[strum(serialize = "grant.revoke")]
    GrantRevoke,
    /// A grant's time ran out.
    #[strum(serialize = "grant.expire")]
    GrantExpire,
    /// A page reported what its session did.
    #[strum(serialize = "grant.report")]
    GrantReport,
    /// A revocation was added.
    #[strum(serialize = "revocation.add")]
    RevocationAdd,
    /// A revocation was lifted.
    #[strum(serialize = "revocation.lift")]
    RevocationLift,
    /// An API key was made.
    #[strum(serialize = "key.create")]
    KeyCreate,
    /// An API key was withdrawn.
    #[strum(serialize = "key.revoke")]
    KeyRevoke,
    /// An API key got a successor.
    #[strum(serialize = "key.rotate")]
    KeyRotate,
    /// An interview was registered.
    #[strum(serialize = "interview.register")]
    InterviewRegister,
    /// An interview was ended.
    #[strum(serialize = "interview.end")]
    InterviewEnd,
    /// A live session began, or was refused.
    #[strum(serialize = "session.start")]
    SessionStart,
    /// OpenAI made the call of a session.
    #[strum(serialize = "session.call")]
    SessionCall,
    /// A call whose process died is carried on by another.
    #[strum(serialize = "session.takeover")]
    SessionTakeover,
    /// A live session is over.
    #[strum(serialize = "session.end")]
    SessionEnd,
    /// The lease of a live session was renewed.
    #[strum(serialize = "session.renew")]
    SessionRenew,
    /// Live sessions were read.
    #[strum(serialize = "session.read")]
    SessionRead,
    /// Events of a live session were refused or set back.
    #[strum(serialize = "session.guard")]
    SessionGuard,
    /// A call's session differed from its profile.
    #[strum(serialize = "session.drift")]
    SessionDrift,
    /// Usage was read.
    #[strum(serialize = "usage.read")]
    UsageRead,
    /// The trail was read through the API.
    #[strum(serialize = "audit.read")]
    AuditRead,
    /// An operator signed in to the console.
    #[strum(serialize = "console.sign_in")]
    ConsoleSignIn,
    /// An operator signed out of the console.
    #[strum(serialize = "console.sign_out")]
    ConsoleSignOut,
    /// Pages of the console were read.
    #[strum(serialize = "console.read")]
    ConsoleRead,
    /// Some other administrative request.
    #[strum(serialize = "admin.request")]
    AdminRequest,
    /// Something that looks like an attack.
    #[strum(serialize = "security.anomaly")]
    Anomaly,
    /// An alert began.
    #[strum(serialize = "alert.start")]
    AlertStart,
    /// An alert ended.
    #[strum(serialize = "alert.end")]
    AlertEnd,
    /// Alerts were read.
    #[strum(serialize = "alert.read")]
    AlertRead,
    /// Somebody has seen an alert.
    #[strum(serialize = "alert.acknowledge")]
    AlertAcknowledge,
    /// An app's pages were scanned for leaked keys.
    #[strum(serialize = "scan.run")]
    ScanRun,
    /// The server began to serve.
    #[strum(serialize = "server.start")]
    ServerStart,
    /// The server stopped.
    #[strum(serialize = "server.stop")]
    ServerStop,
    /// The configuration changed.
    #[strum(serialize = "config.change")]
    ConfigChange,
    /// The upstream's breaker changed its state.
    #[strum(serialize = "breaker.change")]
    BreakerChange,
    /// Time passed in which nothing could be recorded.
    #[strum(serialize = "trail.gap")]
    TrailGap,
    /// The wall clock jumped.
    #[strum(serialize = "clock.jump")]
    ClockJump,
    /// The trail's head was signed.
    #[strum(serialize = "trail.checkpoint")]
    TrailCheckpoint,
    /// A sealed segment was put into the archive.
    #[strum(serialize = "trail.archive")]
    TrailArchive,
    /// Segments were removed, here or from the archive.
    #[strum(serialize = "trail.purge")]
    TrailPurge,
    /// What some records say was erased; the records keep their places.
    #[strum(serialize = "trail.erase")]
    TrailErase,
    /// Sensitive values are hashed under a new key from here on.
    #[strum(serialize = "audit_key.rotate")]
    AuditKeyRotate,
}

/// Whether a record announces, or tells how it went.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Phase {
    /// Written before the deed; an outcome follows unless the process dies.
    Intent,
    /// One try of a deed that was tried again; an outcome follows.
    Attempt,
    /// The final record.
    Outcome,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not known yet: the phase is an intent.
    Pending,
    /// Done.
    Success,
    /// Refused by a rule.
    Refused {
        /// The stable code.
        code: Code,
        /// The finer reason, where there is one.
        reason: Option<String>,
    },
    /// Failed, ours or OpenAI's fault.
    Failed {
        /// The stable code.
        code: Code,
        /// What the operator needs to know.
        reason: Option<String>,
    },
    /// The caller went away before the answer.
    Abandoned,
}

/// What a call to OpenAI left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamFacts {
    /// The upstream's name in the configuration.
    pub name: Option<Arc<str>>,
    /// OpenAI's `x-request-id`.
    pub request_id: Option<String>,
    /// The status it answered.
    pub status: Option<u16>,
    /// A secret may exist that nobody holds.
    pub orphan_possible: bool,
}

/// One record, before it is stored.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// When it happened.
    pub time: Timestamp,
    /// What was done.
    pub action: Action,
    /// Announcement or result.
    pub phase: Phase,
    /// How it went.
    pub outcome: Outcome,
    /// The request it belongs to.
    pub request: Option<Arc<RequestFacts>>,
    /// Who did it.
    pub caller: Option<Arc<Caller>>,
    /// The public id of a credential that was refused, so that guesses at one
    /// key can be counted.
    pub credential: Option<CredentialId>,
    /// The grant that was asked for.
    pub draft: Option<Arc<GrantDraft>>,
    /// The grant it is about, once issued.
    pub grant: Option<Arc<Grant>>,
    /// What OpenAI's side left behind.
    pub upstream: Option<UpstreamFacts>,
    /// Further facts, by name; never a secret.
    pub facts: Vec<(&'static str, String)>,
}

impl AuditEvent {
    /// A final record with nothing but its action and outcome.
    #[must_use]
    pub const fn outcome(time: Timestamp, action: Action, outcome: Outcome) -> Self {
        Self {
            time,
            action,
            phase: Phase::Outcome,
            outcome,
            request: None,
            caller: None,
            credential: None,
            draft: None,
            grant: None,
            upstream: None,
            facts: Vec::new(),
        }
    }
}
