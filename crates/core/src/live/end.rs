//! Why a session ended, and how its client is told.

use serde::{Deserialize, Serialize};

/// Why a live session ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// The client closed it.
    ClientClosed,
    /// The client went away without a word.
    ClientLost,
    /// OpenAI closed it.
    UpstreamClosed,
    /// OpenAI went away without a word.
    UpstreamLost,
    /// OpenAI could not be reached, or refused to begin it.
    UpstreamUnreachable,
    /// OpenAI did not take the profile's configuration.
    ProfileRefused,
    /// Its grant, caller, interview, profile or everything was revoked.
    Revoked,
    /// An operator ended it.
    Operator,
    /// It lasted as long as it may.
    TimeLimit,
    /// Nobody said anything for as long as that is allowed.
    Idle,
    /// Its lease was not renewed.
    LeaseExpired,
    /// Whoever asked to renew its lease may not any more.
    LeaseRefused,
    /// Its budget is used up.
    Budget,
    /// The client broke the WebSocket protocol.
    ProtocolError,
    /// The client tried to get an event past the guard.
    PolicyViolation,
    /// The client or OpenAI did not read for too long.
    Stalled,
    /// The server is stopping.
    Drain,
    /// The server is over its capacity.
    Overload,
    /// The server that carried it broke down; the next one ended it.
    Orphaned,
    /// It goes on in the hands of another replica, which took this one for dead.
    TakenOver,
}

/// How a session came to its end, whatever the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum EndKind {
    /// Client or OpenAI closed it.
    Closed,
    /// Its time or its lease was over.
    Expired,
    /// It broke off.
    Dropped,
    /// A rule or an operator ended it.
    Ended,
}

impl EndReason {
    /// Which kind of end this is.
    #[must_use]
    pub const fn kind(self) -> EndKind {
        match self {
            Self::ClientClosed | Self::UpstreamClosed => EndKind::Closed,
            Self::TimeLimit | Self::LeaseExpired => EndKind::Expired,
            Self::ClientLost
            | Self::UpstreamLost
            | Self::UpstreamUnreachable
            | Self::Stalled
            | Self::Drain
            | Self::Overload
            | Self::Orphaned
            | Self::TakenOver => EndKind::Dropped,
            Self::ProfileRefused
            | Self::Revoked
            | Self::Operator
            | Self::Idle
            | Self::LeaseRefused
            | Self::Budget
            | Self::ProtocolError
            | Self::PolicyViolation => EndKind::Ended,
        }
    }

    /// The WebSocket close code its client gets; none where the client is gone
    /// or has its code from OpenAI.
    ///
    /// Official clients come back after 1011, 1012 and 1013 and stay away after
    /// 1002 and 1008.
    #[must_use]
    pub const fn close_code(self) -> Option<u16> {
        match self {
            Self::ClientClosed
            | Self::ClientLost
            | Self::UpstreamClosed
            | Self::Orphaned
            | Self::TakenOver => None,
            Self::ProtocolError => Some(1002),
            Self::Revoked
            | Self::Operator
            | Self::TimeLimit
            | Self::Idle
            | Self::LeaseExpired
            | Self::LeaseRefused
            | Self::Budget
            | Self::PolicyViolation => Some(1008),
            Self::UpstreamLost | Self::ProfileRefused | Self::Stalled => Some(1011),
            Self::Drain => Some(1012),
            Self::UpstreamUnreachable | Self::Overload => Some(1013),
        }
    }

    /// What its client is told before the close; none where nothing is to tell.
    #[must_use]
    pub const fn sentence(self) -> Option<&'static str> {
        Some(match self {
            Self::ClientClosed
            | Self::ClientLost
            | Self::UpstreamClosed
            | Self::Orphaned
            | Self::TakenOver => return None,
            Self::UpstreamLost => "The connection to OpenAI was lost.",
            Self::UpstreamUnreachable => {
                "OpenAI can't be reached now. Try again with a new secret."
            }
            Self::ProfileRefused => "OpenAI refused the profile's session. Tell the operator.",
            Self::Revoked => "Your access to this session was revoked.",
            Self::Operator => "The operator ended this session.",
            Self::TimeLimit => "Your session hit its maximum duration.",
            Self::Idle => "The session was idle for too long.",
            Self::LeaseExpired => "The session's lease was not renewed in time.",
            Self::LeaseRefused => "The session's lease may not be renewed.",
            Self::Budget => "The budget of this session is used up.",
            Self::ProtocolError => "A frame broke the WebSocket protocol.",
            Self::PolicyViolation => "An event could not be judged and was not sent on.",
            Self::Stalled => "Nothing could be delivered for too long.",
            Self::Drain => "The server restarts. Connect again with a new secret.",
            Self::Overload => "The server is over its capacity. Try again later.",
        })
    }

    /// The reason as it is written everywhere.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn whoever_gets_a_code_is_told_why() {
        for reason in EndReason::iter() {
            assert_eq!(
                reason.close_code().is_some(),
                reason.sentence().is_some(),
                "{reason}"
            );
        }
    }

    #[test]
    fn what_must_not_come_back_gets_a_code_official_clients_stop_at() {
        let stop = [
            EndReason::Revoked,
            EndReason::Budget,
            EndReason::Operator,
            EndReason::LeaseRefused,
        ];
        assert!(stop.iter().all(|reason| reason.close_code() == Some(1008)));
        assert_eq!(EndReason::Drain.close_code(), Some(1012));
        assert_eq!(EndReason::Overload.close_code(), Some(1013));
    }
}
