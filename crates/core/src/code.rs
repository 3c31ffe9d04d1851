//! The stable codes of everything that can be refused or fail.

/// Why a request was not granted: one word, the same in answers, audit,
/// metrics and documentation.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    /// The caller, the interview, the profile or everything was revoked.
    AccessRevoked,
    /// The trail can't be written, so nothing may be done.
    AuditUnavailable,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is over the limit.
    BodyTooLarge,
    /// The day's budget of the caller or its role is used up.
    BudgetExhausted,
    /// A cookie-authenticated request came from another site.
    CrossSiteRequest,
    /// The credential's time is over.
    ExpiredCredential,
    /// `expires_after.seconds` is outside what OpenAI or the profile allows.
    ExpiryOutOfRange,
    /// The grant's time is over, and the time to refresh it too.
    GrantExpired,
    /// The grant was revoked.
    GrantRevoked,
    /// The grant was refreshed before.
    GrantSuperseded,
    /// An `Idempotency-Key` was used before with another request.
    IdempotencyConflict,
    /// Something failed inside Hallpass.
    Internal,
    /// As many grants as the interview may have were issued.
    InterviewExhausted,
    /// The interview is registered already, with other members.
    InterviewExists,
    /// The interview is over.
    InterviewFinished,
    /// The interview is another caller's.
    InterviewNotYours,
    /// No interview of this id is registered.
    InterviewUnknown,
    /// The credential is wrong.
    InvalidCredential,
    /// The body is not JSON.
    InvalidJson,
    /// A member's value is not of the right kind.
    InvalidMember,
    /// The API key is revoked, expired or replaced.
    KeyNotActive,
    /// A grant and its refreshes have lived as long as they may.
    LineageExpired,
    /// The credential can't be read.
    MalformedCredential,
    /// The route has no such method.
    MethodNotAllowed,
    /// The request carries no credential.
    MissingCredential,
    /// The profile or the role does not allow this mode.
    ModeNotAllowed,
    /// This server does not serve this mode.
    ModeUnavailable,
    /// The secret is for another model.
    ModelNotAllowed,
    /// There is no such thing, or it is not the caller's.
    NotFound,
    /// The live session has no lease, or is over.
    NothingToRenew,
    /// The server is over its capacity.
    Overloaded,
    /// A session member the profile does not let a caller change.
    OverrideNotAllowed,
    /// OpenAI refused the value of an allowed override.
    OverrideRejected,
    /// A pass was used before.
    PassUsed,
    /// No role of the caller allows this.
    PermissionDenied,
    /// No role of the caller allows this profile.
    ProfileNotAllowed,
    /// A limit of the caller, the profile or the server is reached.
    RateLimited,
    /// The grant is too young to be refreshed.
    RefreshTooEarly,
    /// Another request is refreshing the grant.
    RefreshUnderWay,
    /// The replica does not know the latest revocations.
    RevocationsStale,
    /// The credential was revoked.
    RevokedCredential,
    /// The profile asks for a session id and none was given.
    SessionIdRequired,
    /// The session id is not the one the credential is bound to.
    SessionMismatch,
    /// The server is stopping.
    ShuttingDown,
    /// A store can't be reached.
    StoreUnavailable,
    /// The caller holds as many unexpired grants as it may.
    TooManyGrants,
    /// The caller has as many live sessions as it may.
    TooManySessions,
    /// A member Hallpass does not know.
    UnknownMember,
    /// There is no such profile.
    UnknownProfile,
    /// The body's type is not `application/json`.
    UnsupportedMediaType,
    /// OpenAI's answer was cut, malformed, too large or not plausible.
    UpstreamBadAnswer,
    /// OpenAI refuses the operator's project or region.
    UpstreamForbidden,
    /// OpenAI refuses the operator's standard key.
    UpstreamKeyRefused,
    /// The operator's OpenAI account has no credit left.
    UpstreamQuotaExhausted,
    /// OpenAI limits the operator's rate.
    UpstreamRateLimited,
    /// OpenAI refused the profile's session configuration.
    UpstreamRejected,
    /// OpenAI did not answer in time.
    UpstreamTimeout,
    /// OpenAI answered that it is unwell.
    UpstreamUnavailable,
    /// OpenAI can't be connected to.
    UpstreamUnreachable,
}

impl Code {
    /// Every code, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> {
        <Self as strum::IntoEnumIterator>::iter()
    }

    /// The code as it is written everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the fault lies with the credential.
    #[must_use]
    pub const fn is_unauthenticated(self) -> bool {
        matches!(
            self,
            Self::ExpiredCredential
                | Self::InvalidCredential
                | Self::MalformedCredential
                | Self::MissingCredential
                | Self::PassUsed
                | Self::RevokedCredential
        )
    }

    /// Whether Hallpass or OpenAI failed, rather than refused.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::AuditUnavailable
                | Self::Internal
                | Self::Overloaded
                | Self::RevocationsStale
                | Self::ShuttingDown
                | Self::StoreUnavailable
                | Self::UpstreamBadAnswer
                | Self::UpstreamForbidden
                | Self::UpstreamKeyRefused
                | Self::UpstreamQuotaExhausted
                | Self::UpstreamRateLimited
                | Self::UpstreamRejected
                | Self::UpstreamTimeout
                | Self::UpstreamUnavailable
                | Self::UpstreamUnreachable
        )
    }

    /// Whether Hallpass itself could not, whatever OpenAI would have answered.
    #[must_use]
    pub const fn is_own_failure(self) -> bool {
        matches!(
            self,
            Self::AuditUnavailable
                | Self::Overloaded
                | Self::RevocationsStale
                | Self::ShuttingDown
                | Self::StoreUnavailable
        )
    }

    /// Whether the same request may succeed a moment later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::AuditUnavailable
                | Self::BodyTimeout
                | Self::Overloaded
                | Self::RateLimited
                | Self::RefreshTooEarly
                | Self::RefreshUnderWay
                | Self::RevocationsStale
                | Self::ShuttingDown
                | Self::StoreUnavailable
                | Self::TooManyGrants
                | Self::TooManySessions
                | Self::UpstreamBadAnswer
                | Self::UpstreamRateLimited
                | Self::UpstreamTimeout
                | Self::UpstreamUnavailable
                | Self::UpstreamUnreachable
        )
    }
}
