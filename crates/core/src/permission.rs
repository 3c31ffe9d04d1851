//! What a role may do.

use std::{fmt, str::FromStr};

/// One thing a caller may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Permission {
    /// Obtain client secrets.
    #[strum(serialize = "grants:create")]
    GrantsCreate,
    /// Read one's own grants.
    #[strum(serialize = "grants:read:own")]
    GrantsReadOwn,
    /// Read anyone's grants.
    #[strum(serialize = "grants:read:any")]
    GrantsReadAny,
    /// Revoke one's own grants.
    #[strum(serialize = "grants:revoke:own")]
    GrantsRevokeOwn,
    /// Revoke anyone's grants.
    #[strum(serialize = "grants:revoke:any")]
    GrantsRevokeAny,
    /// Register and end interviews.
    #[strum(serialize = "interviews:manage")]
    InterviewsManage,
    /// List API keys; never their secrets.
    #[strum(serialize = "keys:read")]
    KeysRead,
    /// Create, list, revoke and rotate API keys.
    #[strum(serialize = "keys:manage")]
    KeysManage,
    /// Read and search the audit trail.
    #[strum(serialize = "audit:read")]
    AuditRead,
    /// Read usage and cost.
    #[strum(serialize = "usage:read")]
    UsageRead,
    /// List live sessions and revocations.
    #[strum(serialize = "sessions:read")]
    SessionsRead,
    /// Read alerts.
    #[strum(serialize = "alerts:read")]
    AlertsRead,
    /// Acknowledge alerts.
    #[strum(serialize = "alerts:manage")]
    AlertsManage,
    /// List and end live sessions, and add or lift revocations.
    #[strum(serialize = "sessions:manage")]
    SessionsManage,
    /// Read the upstreams' state and force their breakers.
    #[strum(serialize = "upstreams:manage")]
    UpstreamsManage,
}

impl Permission {
    /// The permission as it is written in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The permission that is this one and more: who may manage may read.
    const fn part_of(self) -> Option<Self> {
        match self {
            Self::KeysRead => Some(Self::KeysManage),
            Self::SessionsRead => Some(Self::SessionsManage),
            _ => None,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A permission as an operator writes it: exact, `area:*`, or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PermissionRule {
    /// Exactly this one.
    Exact(Permission),
    /// Every permission that begins with this text, which ends in `:`.
    Area(Box<str>),
    /// Every permission.
    All,
}

/// The text names no permission there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no permission")]
pub struct UnknownPermission(pub String);

impl PermissionRule {
    /// Whether the rule covers a permission.
    #[must_use]
    pub fn covers(&self, permission: Permission) -> bool {
        match self {
            Self::Exact(exact) => *exact == permission || permission.part_of() == Some(*exact),
            Self::Area(prefix) => permission.as_str().starts_with(&**prefix),
            Self::All => true,
        }
    }
}

impl FromStr for PermissionRule {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        use strum::IntoEnumIterator;

        if text == "*" {
            return Ok(Self::All);
        }
        if let Ok(exact) = Permission::from_str(text) {
            return Ok(Self::Exact(exact));
        }
        let area = text
            .strip_suffix('*')
            .filter(|prefix| prefix.ends_with(':'));
        match area {
            Some(prefix) if Permission::iter().any(|p| p.as_str().starts_with(prefix)) => {
                Ok(Self::Area(prefix.into()))
            }
            _ => Err(UnknownPermission(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_its_area_and_no_other() {
        let rule: PermissionRule = "grants:*".parse().unwrap();
        assert!(rule.covers(Permission::GrantsRevokeAny));
        assert!(!rule.covers(Permission::KeysManage));
    }

    #[test]
    fn who_may_manage_may_read_and_not_the_other_way_round() {
        for (manage, read) in [
            (Permission::SessionsManage, Permission::SessionsRead),
            (Permission::KeysManage, Permission::KeysRead),
        ] {
            assert!(PermissionRule::Exact(manage).covers(read));
            assert!(!PermissionRule::Exact(read).covers(manage));
        }
        let other = PermissionRule::Exact(Permission::SessionsManage);
        assert!(!other.covers(Permission::KeysRead));
    }

    #[test]
    fn a_misspelt_permission_is_an_error() {
        assert!("grant:create".parse::<PermissionRule>().is_err());
        assert!("grants*".parse::<PermissionRule>().is_err());
        assert!("".parse::<PermissionRule>().is_err());
    }
}
