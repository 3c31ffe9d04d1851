//! Who may what, in every simulation.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use hallpass_core::{
    caller::{AuthFailure, Authentication, Caller, Presented, Scheme},
    code::Code,
    grant::Mode,
    ids::{CredentialId, ProfileName, RoleName, Subject},
    policy::Policy,
    ports::Authenticator,
    profile::{LiveRules, Profile, RefreshRules, SessionConfig},
    role::{ProfileRule, Role, RoleLimits},
    usage::Budget,
};
use serde_json::{Value, json};

/// Mints a minute of one person.
pub(crate) const PER_MINUTE: u32 = 6;
/// The longest a call may last, in seconds.
pub(crate) const CALL_SECONDS: u32 = 40;

/// The rules: people mint and call, operators do everything.
pub(crate) fn policy() -> Policy {
    let direct = profile("talk", Mode::Direct);
    let call = profile("call", Mode::Call);
    let person = role("person", &["grants:create", "grants:read:own"]);
    let person = Role {
        limits: RoleLimits {
            per_minute: Some(PER_MINUTE),
            concurrent_sessions: Some(2),
            ..RoleLimits::default()
        },
        ..person
    };
    let operator = role("operator", &["*"]);
    Policy {
        profiles: [direct, call]
            .map(|it| (it.name.clone(), Arc::new(it)))
            .into(),
        roles: BTreeMap::from([person, operator].map(|it| (it.name.clone(), Arc::new(it)))),
        default_role: None,
        global_per_minute: None,
        served_modes: vec![Mode::Direct, Mode::Call],
    }
}

fn role(name: &str, permissions: &[&str]) -> Role {
    let permissions = permissions.iter().map(|rule| rule.parse().unwrap());
    Role {
        name: RoleName::new(name).unwrap(),
        permissions: permissions.collect(),
        profiles: ProfileRule::All,
        modes: None,
        kinds: None,
        max_expires_after_seconds: None,
        max_session_seconds: None,
        limits: RoleLimits::default(),
        budget: Budget::default(),
    }
}

fn profile(name: &str, mode: Mode) -> Profile {
    let session = json!({"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Ask."});
    let Value::Object(session) = session else {
        unreachable!("it is an object")
    };
    Profile {
        name: ProfileName::new(name).unwrap(),
        mode,
        modes: vec![mode],
        expires_after_seconds: 60,
        max_expires_after_seconds: 60,
        require_session_id: false,
        overrides: Vec::new(),
        echo: Vec::new(),
        session: SessionConfig::new(session).unwrap(),
        per_minute: None,
        refresh: RefreshRules::default(),
        live: LiveRules {
            max_session_seconds: CALL_SECONDS,
            ..LiveRules::default()
        },
    }
}

/// Takes callers at their word: `Bearer <subject> <role>`.
pub(crate) struct AtTheirWord;

#[async_trait]
impl Authenticator for AtTheirWord {
    async fn authenticate(&self, presented: &Presented<'_>) -> Authentication {
        let Some(header) = &presented.authorization else {
            return Authentication::NotRequested;
        };
        let text = String::from_utf8_lossy(header);
        let words = text
            .strip_prefix("Bearer ")
            .and_then(|it| it.split_once(' '));
        let named = words.and_then(|(subject, role)| {
            Some((Subject::new(subject).ok()?, RoleName::new(role).ok()?))
        });
        let Some((subject, role)) = named else {
            return Authentication::Failed(AuthFailure {
                code: Code::InvalidCredential,
                reason: "unreadable",
                detail: "no subject and role".to_owned(),
                scheme: Scheme::Jwt,
                credential: None,
            });
        };
        Authentication::Authenticated(Arc::new(Caller {
            subject,
            scheme: Scheme::Jwt,
            credential: CredentialId::new("simulated").unwrap(),
            roles: vec![role],
            session_id: None,
            tenant: None,
            issued_at: None,
            expires_at: None,
        }))
    }
}
