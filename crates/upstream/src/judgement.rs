//! What a fault says about the upstream, and what may be tried after it.
//!
//! A mint is no idempotent call: one that may have reached OpenAI is sent again
//! only where OpenAI itself answered that it failed, and is then marked as a
//! possible orphan.

use crate::fault::Fault;

/// What an answer says about an upstream's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It gave a secret.
    Well,
    /// It answered, and the fault is the caller's or the operator's.
    Answered,
    /// It is unwell, or there is no way to it.
    Unwell,
    /// It does not know our key, and won't until an operator acts.
    KeyRefused,
}

/// What may be tried after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: it would fail again, or might mint unseen.
    None,
    /// The same again, after a moment; another host where there is one.
    AnyAgain,
    /// The same again at the same place, after a moment.
    SameAgain,
    /// The same again at the same place, but only after the wait it asked for.
    AfterWait,
    /// Another key; without one, the same as [`Remedy::AfterWait`].
    OtherKeyOrWait,
    /// Another key.
    OtherKey,
}

/// The verdict of a fault.
pub(crate) const fn verdict(fault: Fault) -> Verdict {
    match fault {
        Fault::KeyRefused => Verdict::KeyRefused,
        Fault::Unsendable
        | Fault::Forbidden
        | Fault::OverrideRejected
        | Fault::Rejected
        | Fault::OfferRejected
        | Fault::NoSuchRoute
        | Fault::RequestTimeout => Verdict::Answered,
        _ => Verdict::Unwell,
    }
}

/// The remedy of a fault that came with this status.
pub(crate) const fn remedy(fault: Fault, status: Option<u16>) -> Remedy {
    match fault {
        // Nothing was sent, so nothing can have been minted.
        Fault::NameNotFound
        | Fault::ConnectRefused
        | Fault::ConnectTimeout
        | Fault::ConnectFailed
        | Fault::TlsFailed
        | Fault::LostBeforeSent => Remedy::AnyAgain,
        Fault::KeyRefused | Fault::Forbidden | Fault::QuotaExhausted => Remedy::OtherKey,
        Fault::RateLimited => Remedy::OtherKeyOrWait,
        Fault::Unavailable => match status {
            Some(500 | 502 | 504) => Remedy::SameAgain,
            Some(503) => Remedy::AfterWait,
            _ => Remedy::None,
        },
        _ => Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn what_may_have_minted_is_only_sent_again_where_openai_said_it_failed() {
        for fault in Fault::iter().filter(|fault| fault.row().orphan_possible) {
            for status in [None, Some(200), Some(501), Some(520)] {
                assert_eq!(remedy(fault, status), Remedy::None, "{fault:?}");
            }
        }
        assert_eq!(remedy(Fault::Unavailable, Some(500)), Remedy::SameAgain);
        assert_eq!(remedy(Fault::Unavailable, Some(503)), Remedy::AfterWait);
    }

    #[test]
    fn only_faults_of_a_key_go_to_another_key() {
        let moves = |fault| {
            matches!(
                remedy(fault, None),
                Remedy::OtherKey | Remedy::OtherKeyOrWait
            )
        };
        let moving: Vec<_> = Fault::iter().filter(|fault| moves(*fault)).collect();
        assert_eq!(
            moving,
            [
                Fault::KeyRefused,
                Fault::Forbidden,
                Fault::QuotaExhausted,
                Fault::RateLimited
            ]
        );
    }

    #[test]
    fn a_fault_of_the_caller_or_profile_is_no_sign_of_ill_health() {
        for fault in Fault::iter() {
            let healthy = verdict(fault) == Verdict::Answered;
            assert!(!healthy || !fault.row().orphan_possible, "{fault:?}");
        }
    }
}
