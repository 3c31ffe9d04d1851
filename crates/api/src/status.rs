//! What each error code means over HTTP.

use hallpass_core::code::Code;

/// The HTTP status of a code.
#[must_use]
pub const fn status(code: Code) -> u16 {
    match code {
        Code::ExpiryOutOfRange
        | Code::InvalidJson
        | Code::InvalidMember
        | Code::ModeUnavailable
        | Code::OverrideRejected
        | Code::SessionIdRequired
        | Code::UnknownMember
        | Code::UnknownProfile => 400,
        Code::ExpiredCredential
        | Code::InvalidCredential
        | Code::MalformedCredential
        | Code::MissingCredential
        | Code::PassUsed
        | Code::RevokedCredential => 401,
        Code::AccessRevoked
        | Code::CrossSiteRequest
        | Code::GrantRevoked
        | Code::InterviewExhausted
        | Code::InterviewFinished
        | Code::InterviewNotYours
        | Code::InterviewUnknown
        | Code::ModeNotAllowed
        | Code::ModelNotAllowed
        | Code::OverrideNotAllowed
        | Code::PermissionDenied
        | Code::ProfileNotAllowed
        | Code::SessionMismatch => 403,
        Code::NotFound => 404,
        Code::MethodNotAllowed => 405,
        Code::BodyTimeout => 408,
        Code::GrantSuperseded | Code::RefreshTooEarly | Code::RefreshUnderWay => 409,
        Code::GrantExpired | Code::LineageExpired => 410,
        Code::InterviewExists | Code::KeyNotActive | Code::NothingToRenew => 409,
        Code::BodyTooLarge => 413,
        Code::UnsupportedMediaType => 415,
        Code::IdempotencyConflict => 422,
        Code::BudgetExhausted | Code::RateLimited | Code::TooManyGrants | Code::TooManySessions => {
            429
        }
        Code::Internal => 500,
        Code::UpstreamBadAnswer | Code::UpstreamRejected => 502,
        Code::AuditUnavailable
        | Code::Overloaded
        | Code::RevocationsStale
        | Code::ShuttingDown
        | Code::StoreUnavailable
        | Code::UpstreamForbidden
        | Code::UpstreamKeyRefused
        | Code::UpstreamQuotaExhausted
        | Code::UpstreamRateLimited
        | Code::UpstreamUnavailable
        | Code::UpstreamUnreachable => 503,
        Code::UpstreamTimeout => 504,
    }
}

/// A code in a few words; `title` of the problem document.
#[must_use]
pub const fn title(code: Code) -> &'static str {
    match code {
        Code::AccessRevoked => "Access revoked",
        Code::AuditUnavailable => "Audit trail unavailable",
        Code::BodyTimeout => "Body too slow",
        Code::BudgetExhausted => "Budget used up",
        Code::ModelNotAllowed => "Another model's secret",
        Code::NothingToRenew => "Nothing to renew",
        Code::PassUsed => "Secret used before",
        Code::TooManySessions => "Too many live sessions",
        Code::BodyTooLarge => "Body too large",
        Code::CrossSiteRequest => "Request from another site",
        Code::ExpiredCredential => "Credential expired",
        Code::ExpiryOutOfRange => "Expiry out of range",
        Code::GrantExpired => "Grant expired",
        Code::GrantRevoked => "Grant revoked",
        Code::GrantSuperseded => "Grant refreshed before",
        Code::LineageExpired => "Lineage over",
        Code::RefreshTooEarly => "Too early to refresh",
        Code::RefreshUnderWay => "Being refreshed already",
        Code::IdempotencyConflict => "Idempotency-Key used before",
        Code::Internal => "Internal error",
        Code::InterviewExhausted => "Interview used up",
        Code::InterviewExists => "Interview registered already",
        Code::InterviewFinished => "Interview over",
        Code::InterviewNotYours => "Another caller's interview",
        Code::InterviewUnknown => "Interview unknown",
        Code::InvalidCredential => "Credential not valid",
        Code::InvalidJson => "Body is not JSON",
        Code::InvalidMember => "Member not valid",
        Code::KeyNotActive => "Key not active",
        Code::MalformedCredential => "Credential unreadable",
        Code::MethodNotAllowed => "Method not allowed",
        Code::MissingCredential => "Credential missing",
        Code::ModeNotAllowed => "Mode not allowed",
        Code::ModeUnavailable => "Mode not served",
        Code::NotFound => "Not found",
        Code::Overloaded => "Over capacity",
        Code::OverrideNotAllowed => "Session member not allowed",
        Code::OverrideRejected => "Session member refused by OpenAI",
        Code::PermissionDenied => "Permission denied",
        Code::ProfileNotAllowed => "Profile not allowed",
        Code::RateLimited => "Limit reached",
        Code::RevocationsStale => "Revocations not known",
        Code::RevokedCredential => "Credential revoked",
        Code::SessionIdRequired => "Session id required",
        Code::SessionMismatch => "Another session's credential",
        Code::ShuttingDown => "Server stopping",
        Code::StoreUnavailable => "Store unavailable",
        Code::TooManyGrants => "Too many grants at once",
        Code::UnknownMember => "Member unknown",
        Code::UnknownProfile => "Profile unknown",
        Code::UnsupportedMediaType => "Content type not JSON",
        Code::UpstreamBadAnswer => "OpenAI's answer unusable",
        Code::UpstreamForbidden => "OpenAI refuses the project",
        Code::UpstreamKeyRefused => "OpenAI refuses the standard key",
        Code::UpstreamQuotaExhausted => "OpenAI credit used up",
        Code::UpstreamRateLimited => "OpenAI limits the rate",
        Code::UpstreamRejected => "OpenAI refuses the profile",
        Code::UpstreamTimeout => "OpenAI too slow",
        Code::UpstreamUnavailable => "OpenAI unwell",
        Code::UpstreamUnreachable => "OpenAI unreachable",
    }
}

/// What the operator can do about a code; shown on the page of all errors.
#[must_use]
pub const fn remedy(code: Code) -> &'static str {
    match code {
        Code::AuditUnavailable => {
            "The disk is full, read-only or broken. Free or replace it, then restart: the trail is verified at start."
        }
        Code::AccessRevoked => {
            "Lift the revocation when its reason is gone: `hallpass revocations list`."
        }
        Code::GrantSuperseded => {
            "Two hold one credential, or a page refreshed twice. The trail tells from where."
        }
        Code::BudgetExhausted => {
            "The budget of role or caller is used up for today. Raise the role's `budget` if the use is wanted."
        }
        Code::PassUsed => {
            "A page connected twice with one secret, or two hold it. The trail tells from where."
        }
        Code::Internal => "A defect. Report it with the request id; the log has the cause.",
        Code::Overloaded => {
            "Callers come faster than this machine serves them. Add capacity or lower limits."
        }
        Code::RevocationsStale => {
            "This replica has not heard of revocations for longer than it may. Look at its way to PostgreSQL; it serves again by itself."
        }
        Code::ShuttingDown => {
            "The server is draining. The load balancer should have stopped sending here."
        }
        Code::StoreUnavailable => {
            "A store can't be reached or written. See the log of this request."
        }
        Code::UpstreamKeyRefused => {
            "The standard key was revoked, mistyped, or belongs to another organisation. Put a good one in place."
        }
        Code::UpstreamForbidden => {
            "The project has no access to Realtime, or the region is not served."
        }
        Code::UpstreamQuotaExhausted => {
            "Add credit to the OpenAI account, or raise its monthly limit."
        }
        Code::UpstreamRateLimited => "Ask OpenAI for a higher tier, or lower the limits here.",
        Code::UpstreamRejected => {
            "A member of the profile's session is not what OpenAI accepts. Compare it with OpenAI's reference."
        }
        Code::UpstreamBadAnswer => {
            "OpenAI or something between answered what can't be used. See the log."
        }
        Code::UpstreamTimeout | Code::UpstreamUnavailable | Code::UpstreamUnreachable => {
            "Look at status.openai.com and at the network's way out. Hallpass recovers by itself."
        }
        Code::ProfileNotAllowed | Code::PermissionDenied | Code::ModeNotAllowed => {
            "Give the caller's role what it lacks, or the caller another role."
        }
        Code::OverrideNotAllowed => {
            "Add the member to the profile's `overrides` if callers may set it."
        }
        Code::CrossSiteRequest => {
            "Add the page's origin to `server.allowed_origins` if it is yours."
        }
        Code::RateLimited => {
            "Raise the role's, profile's or global limit if the traffic is wanted."
        }
        _ => "The request is at fault; its sender can mend it as the detail says.",
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn a_status_agrees_with_whose_fault_it_is() {
        for code in Code::iter() {
            assert_eq!(code.is_failure(), status(code) >= 500, "{code}");
            assert_eq!(code.is_unauthenticated(), status(code) == 401, "{code}");
            assert!(!title(code).is_empty() && !remedy(code).is_empty());
        }
    }
}
