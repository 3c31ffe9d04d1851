//! Profiles and roles of the configuration as the core's rules.

use std::{str::FromStr, sync::Arc};

use hallpass_config::{Config, section};
use hallpass_core::{
    grant::Mode,
    ids::{ProfileName, RoleName},
    overrides::MemberPath,
    permission::PermissionRule,
    policy::Policy,
    profile::{Profile, RefreshRules, SessionConfig, SessionKind},
    role::{ProfileRule, Role, RoleLimits},
};

use crate::cli::Stop;

/// The modes this server can serve.
const SERVED: [Mode; 1] = [Mode::Direct];

/// The rules of a configuration.
pub(crate) fn policy(config: &Config) -> Result<Policy, Stop> {
    let mut policy = Policy {
        default_role: config
            .auth
            .default_role
            .clone()
            .map(RoleName::new)
            .transpose()?,
        global_per_minute: config.limits.global_per_minute,
        served_modes: SERVED.to_vec(),
        ..Policy::default()
    };
    for (name, section) in &config.profiles {
        let profile = profile(name, section)?;
        policy
            .profiles
            .insert(profile.name.clone(), Arc::new(profile));
    }
    for (name, section) in &config.roles {
        let role = role(name, section)?;
        policy.roles.insert(role.name.clone(), Arc::new(role));
    }
    Ok(policy)
}

fn profile(name: &str, section: &section::Profile) -> Result<Profile, Stop> {
    let session = SessionConfig::new(section.session.expose().clone())
        .map_err(|error| Stop::usage(format!("profiles.{name}.session: {error}")))?;
    Ok(Profile {
        name: ProfileName::new(name)?,
        mode: named(section.mode.name())?,
        modes: section
            .modes
            .iter()
            .map(|mode| named(mode.name()))
            .collect::<Result<_, _>>()?,
        expires_after_seconds: section.expires_after_seconds,
        max_expires_after_seconds: section.max_expires_after_seconds,
        require_session_id: section.require_session_id,
        overrides: section
            .overrides
            .iter()
            .map(|path| MemberPath::parse(path))
            .collect(),
        echo: section.echo.clone(),
        session,
        per_minute: section.limits.per_minute,
        refresh: RefreshRules {
            grace_seconds: section.refresh_grace_seconds,
            max_lineage_seconds: section.max_lineage_seconds,
        },
    })
}

fn role(name: &str, section: &section::Role) -> Result<Role, Stop> {
    Ok(Role {
        name: RoleName::new(name)?,
        permissions: section
            .permissions
            .iter()
            .map(|text| named::<PermissionRule>(text))
            .collect::<Result<_, _>>()?,
        profiles: profiles(&section.profiles)?,
        modes: section
            .modes
            .as_ref()
            .map(|modes| {
                modes
                    .iter()
                    .map(|mode| named(mode.name()))
                    .collect::<Result<_, _>>()
            })
            .transpose()?,
        kinds: section
            .kinds
            .as_ref()
            .map(|kinds| {
                kinds
                    .iter()
                    .map(|kind| named::<SessionKind>(kind.name()))
                    .collect::<Result<_, _>>()
            })
            .transpose()?,
        max_expires_after_seconds: section.max_expires_after_seconds,
        limits: RoleLimits {
            per_minute: section.limits.per_minute,
            per_hour: section.limits.per_hour,
            per_day: section.limits.per_day,
            concurrent_grants: section.limits.concurrent_grants,
        },
    })
}

fn profiles(names: &[String]) -> Result<ProfileRule, Stop> {
    if names.iter().any(|name| name == "*") {
        return Ok(ProfileRule::All);
    }
    let names: Result<Vec<_>, _> = names
        .iter()
        .map(|name| ProfileName::new(name.as_str()))
        .collect();
    Ok(ProfileRule::Named(names?))
}

/// A name both the configuration and the core know.
fn named<T: FromStr>(name: &str) -> Result<T, Stop> {
    name.parse()
        .map_err(|_| Stop::usage(format!("\"{name}\" is not known here")))
}
