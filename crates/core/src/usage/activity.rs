//! What the trail counts beside usage: what was asked for, and what became of
//! it.

use std::collections::BTreeMap;

use super::{Hour, Source};
use crate::{
    live::{EndKind, EndReason},
    money::NanoUsd,
};

/// What happened.
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
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Activity {
    /// A client secret was issued.
    Minted,
    /// One was refused by a rule.
    MintRefused,
    /// One was not issued by our fault or OpenAI's.
    MintFailed,
    /// Whoever asked for one went away.
    Abandoned,
    /// Another request was refused by a rule.
    Refused,
    /// Another request failed.
    Failed,
    /// The time of a client secret was over.
    SecretExpired,
    /// A live session began.
    Started,
    /// A session ended.
    Ended,
}

/// What happened, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Happening {
    /// What.
    pub activity: Activity,
    /// The code of a refusal or failure, why a session ended; else empty. One
    /// of a small set, whatever a caller sends.
    pub reason: String,
}

impl Happening {
    /// What needs no reason.
    #[must_use]
    pub const fn plain(activity: Activity) -> Self {
        Self {
            activity,
            reason: String::new(),
        }
    }

    /// What happened for a reason.
    #[must_use]
    pub fn because(activity: Activity, reason: &str) -> Self {
        Self {
            activity,
            reason: reason.to_owned(),
        }
    }

    /// How the session came to its end; none where this is no session's end.
    #[must_use]
    pub fn end(&self) -> Option<EndKind> {
        if self.activity != Activity::Ended {
            return None;
        }
        let reason: Option<EndReason> = self.reason.parse().ok();
        Some(reason.map_or_else(|| said_end(&self.reason), EndReason::kind))
    }
}

/// What one record of the trail counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What happened.
    pub happening: Happening,
    /// Who says so.
    pub source: Source,
    /// How often.
    pub tally: Tally,
}

/// What happenings are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActivityKey {
    /// When, to the hour.
    pub hour: Hour,
    /// Whose it is; empty where nobody was known.
    pub subject: String,
    /// The profile; empty where none was chosen.
    pub profile: String,
    /// The mode; empty where none was chosen.
    pub mode: String,
    /// The profile's model; empty where no profile was chosen.
    pub model: String,
    /// Who says so.
    pub source: Source,
    /// What happened.
    pub happening: Happening,
}

/// How often something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often.
    pub times: u64,
    /// What the sessions that ended had cost, as their records say.
    pub cost: NanoUsd,
}

impl Tally {
    /// Once, for nothing.
    pub const ONCE: Self = Self {
        times: 1,
        cost: NanoUsd::ZERO,
    };

    /// Adds another's.
    pub fn add(&mut self, other: Self) {
        self.times = self.times.saturating_add(other.times);
        self.cost += other.cost;
    }
}

/// Happenings, added up.
pub type Tallies = BTreeMap<Happening, Tally>;

/// Reasons that pages give for a session's end.
const SAID: [&str; 13] = [
    "client",
    "closed",
    "error",
    "expired",
    "lost",
    "network",
    "rate_limited",
    "revoked",
    "server",
    "session_cap",
    "token",
    "unauthorized",
    "user_hung_up",
];

/// A reason a page gave, as one of few: a page may say what it likes.
#[must_use]
pub fn said_reason(text: &str) -> &'static str {
    if let Some(known) = SAID.iter().find(|known| **known == text) {
        return known;
    }
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["expire", "time_limit", "max_duration"]) {
        return "expired";
    }
    if says(&["lost", "drop", "error", "fail", "network"]) {
        return "lost";
    }
    "other"
}

fn said_end(reason: &str) -> EndKind {
    match reason {
        "expired" | "session_cap" => EndKind::Expired,
        "error" | "lost" | "network" | "server" => EndKind::Dropped,
        "rate_limited" | "revoked" | "token" | "unauthorized" => EndKind::Ended,
        _ => EndKind::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_one_of_four() {
        let end = |reason: &str| Happening::because(Activity::Ended, reason).end();
        for (reason, kind) in [
            ("client_closed", EndKind::Closed),
            ("time_limit", EndKind::Expired),
            ("client_lost", EndKind::Dropped),
            ("operator", EndKind::Ended),
            ("expired", EndKind::Expired),
            ("network", EndKind::Dropped),
            ("revoked", EndKind::Ended),
            ("other", EndKind::Closed),
        ] {
            assert_eq!(end(reason), Some(kind), "{reason}");
        }
        assert_eq!(Happening::plain(Activity::Minted).end(), None);
    }

    #[test]
    fn what_a_page_says_is_one_of_few() {
        for (said, reason) in [
            ("closed", "closed"),
            ("session_expired", "expired"),
            ("connection_lost", "lost"),
            ("=cmd()", "other"),
            ("", "other"),
        ] {
            assert_eq!(said_reason(said), reason, "{said}");
        }
    }
}
