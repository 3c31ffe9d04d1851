//! Profiles and roles of the configuration as the core's rules.

use std::{str::FromStr, sync::Arc, time::Duration};

use hallpass_config::{Config, section};
use hallpass_core::{
    grant::Mode,
    ids::{ProfileName, RoleName},
    money::NanoUsd,
    overrides::MemberPath,
    permission::PermissionRule,
    policy::Policy,
    profile::{LiveRules, Profile, RefreshRules, SessionConfig, SessionKind},
    role::{ProfileRule, Role, RoleLimits},
    usage::{Budget, Limit},
};

use crate::cli::Stop;

/// The modes this server can serve.
const SERVED: [Mode; 3] = [Mode::Direct, Mode::Relay, Mode::Call];

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
        live: live_rules(section)?,
    })
}

fn live_rules(section: &section::Profile) -> Result<LiveRules, Stop> {
    // The configuration holds both to an hour.
    let seconds = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
    let some = |count: u64| (count > 0).then(|| seconds(count));
    Ok(LiveRules {
        max_session_seconds: seconds(section.max_session_seconds),
        lease_seconds: some(section.lease_seconds),
        idle_seconds: some(section.idle_seconds),
        events: section.events.clone(),
        system_items: section.system_items,
        on_drift: named(section.on_drift.name())?,
    })
}

fn budget(name: &str, section: &section::Budget) -> Result<Budget, Stop> {
    let limit = |dollars: Option<f64>, minutes: Option<u32>| {
        let cost = dollars.map(NanoUsd::from_dollars);
        if cost == Some(None) {
            let text = format!("roles.{name}.budget: not an amount of money");
            return Err(Stop::usage(text));
        }
        Ok(Limit {
            cost: cost.flatten(),
            live: minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        })
    };
    Ok(Budget {
        session: limit(section.usd_per_session, section.minutes_per_session)?,
        subject_day: limit(section.usd_per_day, section.minutes_per_day)?,
        role_day: limit(section.role_usd_per_day, section.role_minutes_per_day)?,
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
            concurrent_sessions: section.limits.concurrent_sessions,
            concurrent_grants: section.limits.concurrent_grants,
        },
        max_session_seconds: section.max_session_seconds,
        budget: budget(name, &section.budget)?,
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
