//! Who may have which secret: the rules of one configuration, and the verdict
//! on one request.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    caller::Caller,
    code::Code,
    expiry::{self, ExpiryError},
    grant::Mode,
    ids::{ProfileName, RoleName, SessionId},
    overrides::{self, NotAllowed},
    permission::Permission,
    profile::{Profile, SessionConfig},
    quota::{Charge, Rate},
    refusal::Refusal,
    role::{ProfileRule, Role},
};

/// The name of the profile Hallpass ships.
pub const DEFAULT_PROFILE: &str = "interview";

/// All rules of a configuration.
#[derive(Debug, Default)]
pub struct Policy {
    /// Profiles by name.
    pub profiles: BTreeMap<ProfileName, Arc<Profile>>,
    /// Roles by name.
    pub roles: BTreeMap<RoleName, Arc<Role>>,
    /// The role of a caller whose credential names none.
    pub default_role: Option<RoleName>,
    /// Requests a minute over all callers; none means no limit.
    pub global_per_minute: Option<u32>,
    /// The modes this server can serve.
    pub served_modes: Vec<Mode>,
}

/// What a caller asks for, read from a request's body.
#[derive(Debug, Clone, Default)]
pub struct MintAsk {
    /// The profile by name.
    pub profile: Option<String>,
    /// The app's own id of the interview.
    pub session_id: Option<SessionId>,
    /// How the browser wants to reach OpenAI.
    pub mode: Option<Mode>,
    /// The life of the secret, in seconds.
    pub expires_after_seconds: Option<u64>,
    /// Members of the session to change.
    pub session: Map<String, Value>,
    /// Whether the profile may be found by the session's type and model: the
    /// way of clients that know nothing of profiles.
    pub match_profile: bool,
}

/// What a permitted request gets.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The profile.
    pub profile: Arc<Profile>,
    /// The role that allowed it.
    pub role: Arc<Role>,
    /// The mode.
    pub mode: Mode,
    /// The interview the grant is bound to.
    pub session_id: Option<SessionId>,
    /// The life of the secret, in seconds.
    pub expires_after_seconds: u32,
    /// The whole session.
    pub session: SessionConfig,
    /// The members the caller changed.
    pub overridden: Vec<String>,
}

impl Policy {
    /// The roles of a caller that are configured, in the credential's order.
    ///
    /// A credential that names roles, none of them known, gets no role: the
    /// default is only for credentials that name none.
    pub fn roles_of<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Arc<Role>> {
        let default = self.default_role.iter().filter(|_| caller.roles.is_empty());
        caller
            .roles
            .iter()
            .chain(default)
            .filter_map(|name| self.roles.get(name))
    }

    /// The first role of a caller that allows something.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with [`Code::PermissionDenied`] when none does.
    pub fn require<'a>(
        &'a self,
        caller: &'a Caller,
        permission: Permission,
    ) -> Result<&'a Arc<Role>, Refusal> {
        self.roles_of(caller)
            .find(|role| role.may(permission))
            .ok_or_else(|| denied(permission))
    }

    /// The verdict on a request for a secret.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] naming the member at fault.
    pub fn authorise(&self, caller: &Caller, ask: &MintAsk) -> Result<Terms, Refusal> {
        self.require(caller, Permission::GrantsCreate)?;
        let (role, profile) = self.choose_profile(caller, ask)?;
        if !role.may_open(profile.session.kind()) {
            return Err(profile_denied(&profile.name));
        }
        let mode = self.choose_mode(&role, &profile, ask.mode)?;
        let session_id = choose_session_id(caller, &profile, ask)?;
        let limit = profile.longest_life(role.max_expires_after_seconds);
        let expires_after_seconds = expiry::choose(
            ask.expires_after_seconds,
            profile.expires_after_seconds,
            limit,
        )
        .map_err(|error| expiry_refused(&error))?;
        let (session, overridden) = apply_overrides(&profile, &ask.session)?;
        Ok(Terms {
            profile,
            role,
            mode,
            session_id,
            expires_after_seconds,
            session,
            overridden,
        })
    }

    /// Every limit one permitted request counts against.
    #[must_use]
    pub fn charges(&self, caller: &Caller, terms: &Terms) -> Vec<Charge> {
        let limits = terms.role.limits;
        let who = caller.subject.as_str();
        let caller_charge = |name: &'static str, rate: fn(u32) -> Rate, count: Option<u32>| {
            count.map(|count| Charge {
                name,
                key: [name, ":", who].concat(),
                rate: rate(count),
            })
        };
        let profile = terms.profile.per_minute.map(|count| Charge {
            name: "profile-minute",
            key: ["profile-minute:", terms.profile.name.as_str()].concat(),
            rate: Rate::per_minute(count),
        });
        let global = self.global_per_minute.map(|count| Charge {
            name: "global-minute",
            key: "global-minute".to_owned(),
            rate: Rate::per_minute(count),
        });
        [
            caller_charge("caller-minute", Rate::per_minute, limits.per_minute),
            caller_charge("caller-hour", Rate::per_hour, limits.per_hour),
            caller_charge("caller-day", Rate::per_day, limits.per_day),
            profile,
            global,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn choose_profile(
        &self,
        caller: &Caller,
        ask: &MintAsk,
    ) -> Result<(Arc<Role>, Arc<Profile>), Refusal> {
        let minting = |role: &&Arc<Role>| role.may(Permission::GrantsCreate);
        if let Some(name) = &ask.profile {
            let profile = self.named_profile(name)?;
            let role = self
                .roles_of(caller)
                .filter(minting)
                .find(|role| role.may_use(&profile.name));
            let role = role.ok_or_else(|| profile_denied(&profile.name))?;
            return Ok((role.clone(), profile.clone()));
        }
        for role in self.roles_of(caller).filter(minting) {
            let mut candidates = self.candidates(role);
            let chosen = match ask.match_profile {
                true => candidates.find(|profile| fits(profile, &ask.session)),
                false => candidates.next(),
            };
            if let Some(profile) = chosen {
                return Ok((role.clone(), profile.clone()));
            }
        }
        Err(no_profile(ask))
    }

    fn named_profile(&self, name: &str) -> Result<&Arc<Profile>, Refusal> {
        self.profiles.get(name).ok_or_else(|| {
            Refusal::new(
                Code::UnknownProfile,
                "There is no profile of this name. Leave \"profile\" out for the default one.",
            )
            .member("profile")
        })
    }

    /// The profiles of a role, its default first.
    fn candidates<'a>(&'a self, role: &'a Role) -> impl Iterator<Item = &'a Arc<Profile>> {
        let (named, all) = match &role.profiles {
            ProfileRule::Named(names) => (names.as_slice(), None),
            ProfileRule::All => (&[][..], Some(&self.profiles)),
        };
        let named = named.iter().filter_map(|name| self.profiles.get(name));
        let default = all.and_then(|all| all.get(DEFAULT_PROFILE));
        let others = all.into_iter().flat_map(BTreeMap::values);
        let others = others.filter(|profile| profile.name.as_str() != DEFAULT_PROFILE);
        named.chain(default).chain(others)
    }

    fn choose_mode(
        &self,
        role: &Role,
        profile: &Profile,
        asked: Option<Mode>,
    ) -> Result<Mode, Refusal> {
        let mode = asked.unwrap_or(profile.mode);
        if !profile.modes.contains(&mode) || !role.may_use_mode(mode) {
            let text = format!("Mode \"{mode}\" is not allowed for this profile and role.");
            return Err(Refusal::new(Code::ModeNotAllowed, text).member("mode"));
        }
        if !self.served_modes.contains(&mode) {
            let text = format!("This server does not serve mode \"{mode}\". Ask for \"direct\".");
            return Err(Refusal::new(Code::ModeUnavailable, text).member("mode"));
        }
        Ok(mode)
    }
}

/// Whether a session as an SDK sends it belongs to a profile.
fn fits(profile: &Profile, asked: &Map<String, Value>) -> bool {
    let same = |name: &str| {
        asked
            .get(name)
            .is_none_or(|v| profile.session.members().get(name) == Some(v))
    };
    same("type") && same("model")
}

fn choose_session_id(
    caller: &Caller,
    profile: &Profile,
    ask: &MintAsk,
) -> Result<Option<SessionId>, Refusal> {
    let bound = caller.session_id.as_ref();
    if let (Some(bound), Some(asked)) = (bound, &ask.session_id)
        && bound != asked
    {
        let text = "This credential is bound to another session id.";
        return Err(Refusal::new(Code::SessionMismatch, text).member("session_id"));
    }
    let chosen = ask.session_id.clone().or_else(|| bound.cloned());
    if profile.require_session_id && chosen.is_none() {
        let text = "This profile needs \"session_id\": the app's own id of the interview.";
        return Err(Refusal::new(Code::SessionIdRequired, text).member("session_id"));
    }
    Ok(chosen)
}

fn apply_overrides(
    profile: &Profile,
    asked: &Map<String, Value>,
) -> Result<(SessionConfig, Vec<String>), Refusal> {
    if asked.is_empty() {
        return Ok((profile.session.clone(), Vec::new()));
    }
    let merged = overrides::merge(profile.session.members(), asked, &profile.overrides)
        .map_err(|NotAllowed(member)| override_refused(&member))?;
    if merged.changed.is_empty() {
        return Ok((profile.session.clone(), Vec::new()));
    }
    let session = SessionConfig::new(merged.session).map_err(|error| {
        Refusal::new(
            Code::InvalidMember,
            format!("The session is not valid: {error}."),
        )
        .member("session")
    })?;
    Ok((session, merged.changed))
}

fn denied(permission: Permission) -> Refusal {
    let text = format!("No role of this caller has the permission \"{permission}\".");
    Refusal::new(Code::PermissionDenied, text)
}

fn profile_denied(name: &ProfileName) -> Refusal {
    let text = format!("No role of this caller may use the profile \"{name}\".");
    Refusal::new(Code::ProfileNotAllowed, text).member("profile")
}

fn no_profile(ask: &MintAsk) -> Refusal {
    match ask.match_profile {
        true => Refusal::new(
            Code::ProfileNotAllowed,
            "No profile this caller may use has this session type and model.",
        )
        .member("session.model"),
        false => Refusal::new(
            Code::ProfileNotAllowed,
            "No role of this caller may use any profile.",
        ),
    }
}

fn override_refused(member: &str) -> Refusal {
    let shown = crate::request::clean(member, 100);
    let text = format!(
        "This profile does not let callers set \"session.{shown}\". Leave it out, or ask the operator to add it to the profile's overrides."
    );
    Refusal::new(Code::OverrideNotAllowed, text).member(format!("session.{shown}"))
}

fn expiry_refused(error: &ExpiryError) -> Refusal {
    Refusal::new(
        Code::ExpiryOutOfRange,
        format!("\"expires_after.seconds\": {error}."),
    )
    .member("expires_after.seconds")
}
