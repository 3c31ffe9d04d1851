//! The rules: whatever the configuration and the request, no rule means no.

use std::{collections::BTreeMap, sync::Arc};

use hallpass_core::{
    caller::{Caller, Scheme},
    code::Code,
    grant::Mode,
    ids::{CredentialId, ProfileName, RoleName, SessionId, Subject},
    permission::{Permission, PermissionRule},
    policy::{MintAsk, Policy},
    profile::{Profile, SessionKind},
    role::{ProfileRule, Role},
};
use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use crate::fakes::{profile, realtime, role, transcription};

const NAMES: [&str; 4] = ["a", "b", "c", "interview"];
const RULES: [&str; 7] = [
    "grants:create",
    "grants:read:own",
    "grants:revoke:any",
    "grants:*",
    "keys:manage",
    "audit:read",
    "*",
];
const MODES: [Mode; 3] = [Mode::Direct, Mode::Relay, Mode::Call];

fn modes() -> impl Strategy<Value = Vec<Mode>> {
    subsequence(MODES.to_vec(), 0..=3)
}

fn life() -> impl Strategy<Value = u32> {
    10_u32..=7200
}

fn any_profile(name: &'static str) -> impl Strategy<Value = Arc<Profile>> {
    let parts = (any::<bool>(), modes(), life(), life(), any::<bool>());
    parts.prop_map(move |(speech, modes, default, longest, bound)| {
        let session = if speech { realtime() } else { transcription() };
        Arc::new(Profile {
            mode: modes.first().copied().unwrap_or(Mode::Relay),
            modes,
            expires_after_seconds: default,
            max_expires_after_seconds: longest,
            require_session_id: bound,
            ..profile(name, session)
        })
    })
}

fn any_role(name: &'static str) -> impl Strategy<Value = Arc<Role>> {
    let profiles = prop_oneof![
        Just(ProfileRule::All),
        subsequence(NAMES.to_vec(), 0..=3).prop_map(|names| {
            let names = names
                .into_iter()
                .map(|name| ProfileName::new(name).unwrap());
            ProfileRule::Named(names.collect())
        }),
    ];
    let kinds = subsequence(
        vec![SessionKind::Realtime, SessionKind::Transcription],
        0..=2,
    );
    let parts = (
        subsequence(RULES.to_vec(), 0..=3),
        profiles,
        option::of(modes()),
        option::of(kinds),
        option::of(life()),
    );
    parts.prop_map(move |(rules, profiles, modes, kinds, longest)| {
        Arc::new(Role {
            modes,
            kinds,
            max_expires_after_seconds: longest,
            ..role(name, &rules, profiles)
        })
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let profiles = NAMES.map(any_profile);
    let roles = ["r1", "r2", "r3"].map(any_role);
    let default = option::of(Just(RoleName::new("r1").unwrap()));
    (profiles, roles, default, modes()).prop_map(|(profiles, roles, default_role, served_modes)| {
        Policy {
            profiles: profiles
                .map(|p| (p.name.clone(), p))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            roles: roles.map(|r| (r.name.clone(), r)).into_iter().collect(),
            default_role,
            global_per_minute: None,
            served_modes,
        }
    })
}

fn any_session_id() -> impl Strategy<Value = Option<SessionId>> {
    option::of("[12]".prop_map(|id| SessionId::new(id).unwrap()))
}

fn any_caller() -> impl Strategy<Value = Caller> {
    let roles = vec("r[1-4]".prop_map(|name| RoleName::new(name).unwrap()), 0..3);
    (roles, any_session_id()).prop_map(|(roles, session_id)| Caller {
        subject: Subject::new("alice").unwrap(),
        scheme: Scheme::Jwt,
        credential: CredentialId::new("app").unwrap(),
        roles,
        session_id,
        tenant: None,
        issued_at: None,
        expires_at: None,
    })
}

fn any_ask() -> impl Strategy<Value = MintAsk> {
    let parts = (
        option::of("a|b|c|interview|nosuch"),
        any_session_id(),
        option::of(subsequence(MODES.to_vec(), 1).prop_map(|modes| modes[0])),
        option::of(prop_oneof![0_u64..8000, any::<u64>()]),
        any::<bool>(),
    );
    parts.prop_map(
        |(profile, session_id, mode, seconds, match_profile)| MintAsk {
            profile,
            session_id,
            mode,
            expires_after_seconds: seconds,
            session: serde_json::Map::new(),
            match_profile,
        },
    )
}

/// Whether some role of the caller says that they may mint, written anew here.
fn some_role_mints(policy: &Policy, caller: &Caller) -> bool {
    let names = match (caller.roles.as_slice(), &policy.default_role) {
        ([], Some(default)) => std::slice::from_ref(default),
        (roles, _) => roles,
    };
    let mints = |role: &Arc<Role>| {
        role.permissions.iter().any(|rule| match rule {
            PermissionRule::All => true,
            PermissionRule::Area(area) => &**area == "grants:",
            PermissionRule::Exact(exact) => *exact == Permission::GrantsCreate,
        })
    };
    names
        .iter()
        .filter_map(|name| policy.roles.get(name))
        .any(mints)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_caller_none_of_whose_roles_mints_is_denied(policy in any_policy(), caller in any_caller(), ask in any_ask()) {
        if some_role_mints(&policy, &caller) { return Ok(()) }
        let code = policy.authorise(&caller, &ask).map(drop).map_err(|refusal| refusal.code);
        prop_assert_eq!(code, Err(Code::PermissionDenied));
    }

    #[test]
    fn terms_hold_every_bound_of_role_profile_and_server(policy in any_policy(), caller in any_caller(), ask in any_ask()) {
        let Ok(terms) = policy.authorise(&caller, &ask) else { return Ok(()) };
        let (role, profile) = (&terms.role, &terms.profile);
        prop_assert!(some_role_mints(&policy, &caller));
        prop_assert!(caller.roles.contains(&role.name) || caller.roles.is_empty() && policy.default_role.as_ref() == Some(&role.name));
        prop_assert!(role.may(Permission::GrantsCreate));
        prop_assert!(role.may_use(&profile.name));
        prop_assert!(role.may_open(profile.session.kind()));
        prop_assert!(role.may_use_mode(terms.mode));
        prop_assert!(profile.modes.contains(&terms.mode));
        prop_assert!(policy.served_modes.contains(&terms.mode));
        let longest = profile.max_expires_after_seconds.min(role.max_expires_after_seconds.unwrap_or(7200));
        prop_assert!((10..=longest).contains(&terms.expires_after_seconds));
        prop_assert_eq!(terms.session.as_json(), profile.session.as_json());
    }

    #[test]
    fn terms_are_what_was_asked_for(policy in any_policy(), caller in any_caller(), ask in any_ask()) {
        let Ok(terms) = policy.authorise(&caller, &ask) else { return Ok(()) };
        if let Some(name) = &ask.profile {
            prop_assert_eq!(terms.profile.name.as_str(), name);
        }
        if let Some(seconds) = ask.expires_after_seconds {
            prop_assert_eq!(u64::from(terms.expires_after_seconds), seconds);
        }
        prop_assert_eq!(terms.mode, ask.mode.unwrap_or(terms.profile.mode));
        let session_id = ask.session_id.or_else(|| caller.session_id.clone());
        prop_assert_eq!(&terms.session_id, &session_id);
        prop_assert!(session_id.is_some() || !terms.profile.require_session_id);
        prop_assert!(caller.session_id.is_none() || caller.session_id == session_id);
    }
}
