//! `[roles.<name>]` and how roles, profiles and logins fit together.

use super::Findings;
use crate::document::join;
use crate::section::{Config, Profile, Role};
use crate::suggest;

/// Every permission there is.
const PERMISSIONS: [&str; 15] = [
    "grants:create",
    "grants:read:own",
    "grants:read:any",
    "grants:revoke:own",
    "grants:revoke:any",
    "interviews:manage",
    "keys:read",
    "keys:manage",
    "audit:read",
    "usage:read",
    "sessions:read",
    "alerts:read",
    "alerts:manage",
    "sessions:manage",
    "upstreams:manage",
];

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    default_role(config, findings);
    for (name, role) in &config.roles {
        let path = join("roles", name);
        name_of("role", name, &path, findings);
        permissions(role, &path, findings);
        profiles(config, role, &path, findings);
        if !is_reachable(config, name) && !findings.is_builtin(&path) {
            findings.refuse(
                &path,
                "nobody can have this role: it is not the default, no login maps roles, and API keys are off",
                "Map a claim with `claims = { roles = … }`, allow API keys, or remove the role",
            );
        }
    }
    profile_names(config, findings);
}

fn profile_names(config: &Config, findings: &mut Findings<'_>) {
    let is_used = |name: &str| config.roles.values().any(|role| role.allows_profile(name));
    for name in config.profiles.keys() {
        name_of("profile", name, &join("profiles", name), findings);
    }
    for name in config.profiles.keys().filter(|name| !is_used(name)) {
        let path = join("profiles", name);
        if !findings.is_builtin(&path) {
            let what = "nobody may use this profile: no role names it";
            findings.refuse(
                &path,
                what,
                "Add it to the `profiles` of a role, or remove it",
            );
        }
    }
}

/// Names travel in requests, tokens, metrics and the trail.
fn name_of(thing: &str, name: &str, path: &str, findings: &mut Findings<'_>) {
    const LONGEST: usize = 64;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/-_".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(is_plain) {
        let what = format!(
            "the name of a {thing} is empty, longer than 64 characters, or holds an unusual one"
        );
        findings.refuse(path, &what, "Use letters, digits and `._:/-`");
    }
}

fn default_role(config: &Config, findings: &mut Findings<'_>) {
    let Some(name) = &config.auth.default_role else {
        return;
    };
    if !config.roles.contains_key(name) {
        let known: Vec<&str> = config.roles.keys().map(String::as_str).collect();
        let what = format!("there is no role `{}`", name.escape_debug());
        findings.refuse("auth.default_role", &what, &suggest::remedy(name, &known));
    }
}

/// Roles come from the default, from a claim, or from an API key.
fn is_reachable(config: &Config, role: &str) -> bool {
    let auth = &config.auth;
    auth.api_keys
        || auth.default_role.as_deref() == Some(role)
        || auth.jwt.iter().any(|jwt| jwt.claims.roles.is_some())
        || auth
            .session_cookie
            .iter()
            .any(|cookie| cookie.roles.is_some())
}

fn permissions(role: &Role, path: &str, findings: &mut Findings<'_>) {
    for (index, permission) in role
        .permissions
        .iter()
        .enumerate()
        .filter(|(_, name)| !is_permission(name))
    {
        let what = format!("there is no permission `{}`", permission.escape_debug());
        let remedy = suggest::remedy(permission, &PERMISSIONS);
        findings.refuse(&format!("{path}.permissions[{index}]"), &what, &remedy);
    }
    if role.permissions.is_empty() {
        findings.warn(
            path,
            "the role permits nothing",
            "Add `permissions = […]`, or remove the role",
        );
    }
    let may_create = ["grants:create", "grants:*", "*"];
    if role.profiles.is_empty()
        && role
            .permissions
            .iter()
            .any(|name| may_create.contains(&name.as_str()))
    {
        let what = "the role may create grants and names no profile to create them of";
        findings.warn(path, what, "Add `profiles = […]`");
    }
}

/// An exact name, `area:*`, or `*`.
fn is_permission(name: &str) -> bool {
    let area = name.strip_suffix('*').filter(|area| area.ends_with(':'));
    let is_area = area.is_some_and(|area| PERMISSIONS.iter().any(|known| known.starts_with(area)));
    name == "*" || is_area || PERMISSIONS.contains(&name)
}

fn profiles(config: &Config, role: &Role, path: &str, findings: &mut Findings<'_>) {
    let known: Vec<&str> = config.profiles.keys().map(String::as_str).collect();
    for (index, name) in role
        .profiles
        .iter()
        .enumerate()
        .filter(|(_, name)| *name != "*")
    {
        if !known.contains(&name.as_str()) {
            let what = format!("there is no profile `{}`", name.escape_debug());
            let remedy = if findings.is_builtin(path) {
                "This role is built in: define the roles of your own profiles".to_owned()
            } else {
                suggest::remedy(name, &known)
            };
            findings.refuse(&format!("{path}.profiles[{index}]"), &what, &remedy);
        }
    }
    for (name, profile) in config
        .profiles
        .iter()
        .filter(|(name, _)| role.allows_profile(name))
    {
        expiry(role, name, profile, path, findings);
        usable(role, name, profile, path, findings);
    }
}

fn expiry(role: &Role, name: &str, profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    let Some(most) = role
        .max_expires_after_seconds
        .filter(|most| *most < profile.expires_after_seconds)
    else {
        return;
    };
    let what = format!(
        "at most {most} s is below the {} s that profile `{name}` asks for",
        profile.expires_after_seconds
    );
    let remedy = "Raise it, or lower `expires_after_seconds` of the profile";
    findings.refuse(&format!("{path}.max_expires_after_seconds"), &what, remedy);
}

/// A role that names a profile and can use no mode or type of it is a mistake;
/// with `*` it is a way to say "of any profile, these".
fn usable(role: &Role, name: &str, profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    if !role.profiles.iter().any(|allowed| allowed == name) {
        return;
    }
    if role
        .modes
        .as_ref()
        .is_some_and(|modes| !modes.iter().any(|mode| profile.modes.contains(mode)))
    {
        let what = format!("profile `{name}` has none of these modes");
        findings.refuse(
            &format!("{path}.modes"),
            &what,
            "Add one of the profile's modes",
        );
    }
    let kind = profile.session.kind();
    if role
        .kinds
        .as_ref()
        .is_some_and(|kinds| kind.is_some_and(|kind| !kinds.contains(&kind)))
    {
        let what = format!("profile `{name}` is of another type");
        findings.refuse(
            &format!("{path}.kinds"),
            &what,
            "Add the type of the profile's session",
        );
    }
}
