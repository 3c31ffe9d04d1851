//! What a kind of caller may do.

use crate::{
    grant::Mode,
    ids::{ProfileName, RoleName},
    permission::{Permission, PermissionRule},
    profile::SessionKind,
    usage::Budget,
};

/// Which profiles a role may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileRule {
    /// Every profile.
    All,
    /// These, the first being the default.
    Named(Vec<ProfileName>),
}

/// How much one caller of a role may use; none means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleLimits {
    /// Requests a minute.
    pub per_minute: Option<u32>,
    /// Requests an hour.
    pub per_hour: Option<u32>,
    /// Requests a day.
    pub per_day: Option<u32>,
    /// Live sessions, at once; in direct mode nobody can count them.
    pub concurrent_sessions: Option<u32>,
    /// Lineages with an unexpired grant, at once.
    pub concurrent_grants: Option<u32>,
}

/// A role: no rule means no.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What its callers may do.
    pub permissions: Vec<PermissionRule>,
    /// The profiles they may use.
    pub profiles: ProfileRule,
    /// The modes they may use; none named means those of the profile.
    pub modes: Option<Vec<Mode>>,
    /// The kinds of session they may open; none named means all.
    pub kinds: Option<Vec<SessionKind>>,
    /// The longest life of their secrets, in seconds.
    pub max_expires_after_seconds: Option<u32>,
    /// The longest their live sessions may last, in seconds.
    pub max_session_seconds: Option<u32>,
    /// How much each of them may use.
    pub limits: RoleLimits,
    /// How much their live sessions may cost and last.
    pub budget: Budget,
}

impl Role {
    /// Whether the role's callers may do this.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.iter().any(|rule| rule.covers(permission))
    }

    /// Whether the role's callers may use a profile.
    #[must_use]
    pub fn may_use(&self, profile: &ProfileName) -> bool {
        match &self.profiles {
            ProfileRule::All => true,
            ProfileRule::Named(names) => names.contains(profile),
        }
    }

    /// Whether the role's callers may use a mode.
    #[must_use]
    pub fn may_use_mode(&self, mode: Mode) -> bool {
        self.modes
            .as_ref()
            .is_none_or(|modes| modes.contains(&mode))
    }

    /// Whether the role's callers may open a kind of session.
    #[must_use]
    pub fn may_open(&self, kind: SessionKind) -> bool {
        self.kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&kind))
    }
}
