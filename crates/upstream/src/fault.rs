//! Everything that can go wrong with a mint, as one table.
//!
//! Nothing in a row comes from the upstream: the caller is told what to do, the
//! operator what to look at.

use std::time::Duration;

use hallpass_core::code::Code;

/// One way a mint can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub(crate) enum Fault {
    /// The order can't be written as a request.
    Unsendable,
    /// The host name has no address.
    NameNotFound,
    /// Nothing listens at the address.
    ConnectRefused,
    /// Connecting took longer than it may.
    ConnectTimeout,
    /// There is no way to the address.
    ConnectFailed,
    /// The TLS handshake broke off.
    TlsFailed,
    /// The certificate's issuer is not trusted.
    CertificateUntrusted,
    /// The certificate is expired, or not valid yet.
    CertificateOutOfTime,
    /// The certificate is for another host.
    CertificateOfAnother,
    /// The deadline passed before the request was written.
    DeadlineBeforeSent,
    /// The deadline passed before the reply's head.
    DeadlineBeforeHead,
    /// The deadline passed in the reply's body.
    DeadlineInBody,
    /// The connection ended before the request was written.
    LostBeforeSent,
    /// The connection ended before the reply's head.
    LostBeforeHead,
    /// The connection ended in the reply's body.
    LostInBody,
    /// The reply is not HTTP.
    NotHttp,
    /// A status that is no answer to a mint.
    OddStatus,
    /// A success without a secret: 202, 204.
    OddSuccess,
    /// The reply's body is over the limit.
    TooLarge,
    /// The reply's body is not JSON.
    NotJson,
    /// The reply's JSON is not a client secret.
    NotASecret,
    /// The secret can't be carried in a header.
    SecretMalformed,
    /// The secret has the form of our own credentials or of a standard key.
    SecretNotTheirs,
    /// The reply holds the standard key.
    KeyShown,
    /// The secret is already over.
    ExpiryPast,
    /// The secret lives longer than OpenAI lets one live.
    ExpiryFar,
    /// The session is of another kind than was asked for.
    OtherKind,
    /// The upstream sends us elsewhere.
    Redirected,
    /// The standard key is refused.
    KeyRefused,
    /// The project or region is refused.
    Forbidden,
    /// A member the caller chose is refused.
    OverrideRejected,
    /// The profile's session is refused.
    Rejected,
    /// The browser's SDP offer is refused.
    OfferRejected,
    /// The answer to a call lacks the call's id, or is no SDP.
    NotACall,
    /// The upstream has no such route.
    NoSuchRoute,
    /// The upstream did not get the whole request in time.
    RequestTimeout,
    /// The account has no credit.
    QuotaExhausted,
    /// The account asks too fast.
    RateLimited,
    /// The upstream is unwell.
    Unavailable,
}

/// What a fault means to each who meets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The stable code.
    pub(crate) code: Code,
    /// What happened and what to look at, for the operator.
    pub(crate) operator: &'static str,
    /// OpenAI may have minted a secret that nobody holds.
    pub(crate) orphan_possible: bool,
}

impl Row {
    /// No secret can have been minted.
    const fn clean(code: Code, operator: &'static str) -> Self {
        Self {
            code,
            operator,
            orphan_possible: false,
        }
    }

    /// A secret may have been minted.
    const fn orphan(code: Code, operator: &'static str) -> Self {
        Self {
            code,
            operator,
            orphan_possible: true,
        }
    }
}

impl Fault {
    /// The fault's row.
    #[rustfmt::skip]
    pub(crate) const fn row(self) -> Row {
        use Code as C;
        match self {
            Self::Unsendable => Row::clean(C::Internal, "the order can't be written as a request"),
            Self::NameNotFound => Row::clean(C::UpstreamUnreachable, "its host name has no address: check base_url and DNS"),
            Self::ConnectRefused => Row::clean(C::UpstreamUnreachable, "the connection was refused: check base_url's port and firewalls"),
            Self::ConnectTimeout => Row::clean(C::UpstreamUnreachable, "connecting took too long: check firewalls and the route"),
            Self::ConnectFailed => Row::clean(C::UpstreamUnreachable, "it can't be connected to: check the network"),
            Self::TlsFailed => Row::clean(C::UpstreamUnreachable, "the TLS handshake failed: check that base_url speaks TLS"),
            Self::CertificateUntrusted => Row::clean(C::UpstreamUnreachable, "its certificate is not trusted: check for an intercepting proxy, or trust its root"),
            Self::CertificateOutOfTime => Row::clean(C::UpstreamUnreachable, "its certificate is expired or not valid yet: check this server's clock"),
            Self::CertificateOfAnother => Row::clean(C::UpstreamUnreachable, "its certificate is for another host: check base_url"),
            Self::DeadlineBeforeSent => Row::clean(C::UpstreamTimeout, "the deadline passed before the request was sent"),
            Self::DeadlineBeforeHead => Row::orphan(C::UpstreamTimeout, "the deadline passed while waiting for the reply"),
            Self::DeadlineInBody => Row::orphan(C::UpstreamTimeout, "the deadline passed in the reply's body"),
            Self::LostBeforeSent => Row::clean(C::UpstreamUnreachable, "the connection ended before the request was sent"),
            Self::LostBeforeHead => Row::orphan(C::UpstreamBadAnswer, "the connection ended before a reply"),
            Self::LostInBody => Row::orphan(C::UpstreamBadAnswer, "the connection ended in the reply's body"),
            Self::NotHttp => Row::orphan(C::UpstreamBadAnswer, "the reply is not HTTP: check base_url"),
            Self::OddStatus => Row::orphan(C::UpstreamBadAnswer, "the status is no answer to a mint"),
            Self::OddSuccess => Row::orphan(C::UpstreamBadAnswer, "the success carries no secret"),
            Self::TooLarge => Row::orphan(C::UpstreamBadAnswer, "the reply's body is over the size limit"),
            Self::NotJson => Row::orphan(C::UpstreamBadAnswer, "the reply's body is not JSON: check base_url"),
            Self::NotASecret => Row::orphan(C::UpstreamBadAnswer, "the reply is not a client secret"),
            Self::SecretMalformed => Row::orphan(C::UpstreamBadAnswer, "the secret's text can't be carried in a header"),
            Self::SecretNotTheirs => Row::orphan(C::UpstreamBadAnswer, "the secret looks like a credential of ours or a standard key: check that base_url is not this server"),
            Self::KeyShown => Row::orphan(C::UpstreamBadAnswer, "the reply holds the standard key: check what stands before the upstream"),
            Self::ExpiryPast => Row::orphan(C::UpstreamBadAnswer, "the secret is already expired: check this server's clock"),
            Self::ExpiryFar => Row::orphan(C::UpstreamBadAnswer, "the secret lives longer than OpenAI allows: check this server's clock"),
            Self::OtherKind => Row::orphan(C::UpstreamBadAnswer, "the session is of another kind than was asked for"),
            Self::Redirected => Row::clean(C::UpstreamBadAnswer, "it redirects, which is never followed: put the final address into base_url"),
            Self::KeyRefused => Row::clean(C::UpstreamKeyRefused, "it refused the standard key: check api_key"),
            Self::Forbidden => Row::clean(C::UpstreamForbidden, "it refused this project or region: check the key's permissions"),
            Self::OverrideRejected => Row::clean(C::OverrideRejected, "it refused the value a caller chose"),
            Self::Rejected => Row::clean(C::UpstreamRejected, "it refused the session: check the profile"),
            Self::OfferRejected => Row::clean(C::InvalidMember, "it refused a browser's SDP offer"),
            Self::NotACall => Row::orphan(C::UpstreamBadAnswer, "the answer to a call has no id to hang it up by, or is no SDP"),
            Self::NoSuchRoute => Row::clean(C::UpstreamRejected, "it has no such route: check base_url"),
            Self::RequestTimeout => Row::clean(C::UpstreamTimeout, "it did not get the request in time"),
            Self::QuotaExhausted => Row::clean(C::UpstreamQuotaExhausted, "the account has no credit left: check billing"),
            Self::RateLimited => Row::clean(C::UpstreamRateLimited, "it limits this account's rate"),
            Self::Unavailable => Row::orphan(C::UpstreamUnavailable, "it is unwell"),
        }
    }
}

/// What the caller is told: what happened and what to do.
pub(crate) const fn sentence(code: Code) -> &'static str {
    match code {
        Code::UpstreamUnreachable => {
            "OpenAI can't be reached right now. Try again in a few seconds."
        }
        Code::UpstreamTimeout => "OpenAI did not answer in time. Try again in a few seconds.",
        Code::UpstreamUnavailable => {
            "OpenAI is having trouble right now. Try again in a few seconds."
        }
        Code::UpstreamRateLimited => {
            "OpenAI limits how fast this server may ask. Wait a moment, then try again."
        }
        Code::UpstreamBadAnswer => {
            "OpenAI's answer can't be used, so no secret was issued. Try again; if it happens again, tell this server's operator."
        }
        Code::UpstreamKeyRefused => {
            "OpenAI does not accept this server's key. Trying again does not help: tell this server's operator."
        }
        Code::UpstreamForbidden => {
            "OpenAI does not serve this server's project or region. Trying again does not help: tell this server's operator."
        }
        Code::UpstreamQuotaExhausted => {
            "This server's OpenAI account has no credit left. Trying again does not help: tell this server's operator."
        }
        Code::UpstreamRejected => {
            "OpenAI does not accept this profile's session. Trying again does not help: tell this server's operator."
        }
        Code::InvalidMember => {
            "OpenAI does not accept this SDP offer. Make a new one and try again."
        }
        Code::OverrideRejected => {
            "OpenAI does not accept the value of this member. Choose another value, or leave the member out."
        }
        _ => "Something failed inside this server. Tell its operator.",
    }
}

/// How long to wait where the upstream does not say.
pub(crate) const fn default_wait(code: Code) -> Option<Duration> {
    match code {
        Code::UpstreamUnreachable
        | Code::UpstreamTimeout
        | Code::UpstreamBadAnswer
        | Code::UpstreamRateLimited => Some(Duration::from_secs(1)),
        Code::UpstreamUnavailable => Some(Duration::from_secs(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_fault_has_a_row_of_its_own() {
        let mut sentences = HashSet::new();
        for fault in Fault::iter() {
            let row = fault.row();
            assert!(sentences.insert(row.operator), "{fault:?} repeats a row");
            let callers = [Code::OverrideRejected, Code::InvalidMember];
            let ours = row.code.is_failure() || callers.contains(&row.code);
            assert!(ours, "{fault:?} has a code of another place");
        }
    }

    #[test]
    fn every_caller_is_told_what_happened_and_what_to_do() {
        for fault in Fault::iter() {
            let text = sentence(fault.row().code);
            assert!(text.matches('.').count() >= 2 && text.ends_with('.'));
            assert!(!text.contains("key") || fault == Fault::KeyRefused);
        }
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        for fault in Fault::iter() {
            let code = fault.row().code;
            assert_eq!(
                default_wait(code).is_some(),
                code.is_retryable(),
                "{fault:?}"
            );
        }
    }
}
