//! The next secret of a lineage.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    claim::Predecessor,
    issued::Issued,
    steps::{AuditSlip, Permit},
};
use crate::{
    Timestamp,
    anomaly::Anomaly,
    code::Code,
    expiry,
    grant::{Grant, GrantState},
    ids::GrantId,
    policy::{MintAsk, Terms},
    profile::RefreshRules,
    refusal::Refusal,
};

/// What a refresh may ask for.
#[derive(Debug, Clone, Default)]
pub struct RefreshAsk {
    /// The life of the next secret, in seconds.
    pub expires_after_seconds: Option<u64>,
    /// Members of the session to change; not kept from the grant before.
    pub session: Map<String, Value>,
}

impl<'b> AuditSlip<'b> {
    /// Finds one of the caller's own grants.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded: another caller's grant looks like none.
    pub async fn own_grant(self, id: &str) -> Result<(Self, Grant), Refusal> {
        let caller = self.caller().subject.clone();
        let found = self.find(id).await;
        match found.map(|grant| grant.filter(|grant| grant.subject == caller)) {
            Ok(Some(grant)) => Ok((self, grant)),
            Ok(None) => Err(self.refuse(no_such_grant()).await),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    /// Finds anyone's grant.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded.
    pub async fn any_grant(self, id: &str) -> Result<(Self, Grant), Refusal> {
        match self.find(id).await {
            Ok(Some(grant)) => Ok((self, grant)),
            Ok(None) => Err(self.refuse(no_such_grant()).await),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    async fn find(&self, id: &str) -> Result<Option<Grant>, Refusal> {
        let Ok(id) = GrantId::new(id) else {
            return Ok(None);
        };
        let found = self.broker.parts.grants.find(&id).await;
        found.map_err(|error| {
            Refusal::new(
                Code::StoreUnavailable,
                "The server can't read its records now. Try again later.",
            )
            .internal(error.to_string())
        })
    }

    /// Decides whether the caller may have the next secret of a grant.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded: too early, too late, revoked, superseded, being
    /// refreshed by another request, or not allowed any more.
    pub async fn refresh(self, grant: &Grant, ask: RefreshAsk) -> Result<Permit<'b>, Refusal> {
        let claim = match self.broker.refreshing.claim(&grant.id) {
            Ok(claim) => claim,
            Err(refusal) => return Err(self.refuse(refusal).await),
        };
        // As it is now: whoever had claimed it before may have refreshed it.
        let grant = match self.find(grant.id.as_str()).await {
            Ok(Some(grant)) => grant,
            Ok(None) => return Err(self.refuse(no_such_grant()).await),
            Err(refusal) => return Err(self.refuse(refusal).await),
        };
        match self.refresh_terms(&grant, ask) {
            Ok(terms) => {
                self.watch_networks(&grant);
                Ok(Permit {
                    slip: self,
                    terms,
                    of: Some(Box::new(Predecessor { grant, claim })),
                })
            }
            Err(refusal) => {
                if refusal.code == Code::GrantSuperseded {
                    self.report(Anomaly::SupersededRefresh, &grant.lineage.to_string());
                }
                Err(self.refuse(refusal).await)
            }
        }
    }

    /// Lets a secret be given once more that was given a moment ago.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, where its grant was revoked since.
    pub async fn may_repeat(self, issued: &Issued) -> Result<Self, Refusal> {
        match self.find(issued.grant().id.as_str()).await {
            Ok(Some(grant)) if grant.state != GrantState::Revoked => {
                match self.broker.grant_hit(&grant) {
                    Some(hit) => Err(self.refuse(super::revoked::refusal(&hit)).await),
                    None => Ok(self),
                }
            }
            Ok(_) => Err(self.refuse(revoked()).await),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    fn refresh_terms(&self, grant: &Grant, ask: RefreshAsk) -> Result<Terms, Refusal> {
        if grant.state == GrantState::Revoked {
            return Err(revoked());
        }
        if let Some(hit) = self.broker.grant_hit(grant) {
            return Err(revoked().internal(format!("revocation {} of kind {}", hit.id, hit.kind)));
        }
        let policy = self.broker.policy();
        let profile = policy.profiles.get(&grant.profile);
        let rules = profile.map_or_else(RefreshRules::default, |profile| profile.refresh);
        let now = self.broker.parts.clock.now();
        let left = within_window(grant, rules, now)?;
        let mut terms = policy.authorise(self.caller(), &ask_of(grant, ask))?;
        terms.expires_after_seconds = terms.expires_after_seconds.min(left);
        self.not_revoked(terms)
    }
}

/// What a grant's successor is asked for: the same once more.
fn ask_of(grant: &Grant, ask: RefreshAsk) -> MintAsk {
    MintAsk {
        profile: Some(grant.profile.to_string()),
        session_id: grant.session_id.clone(),
        mode: Some(grant.mode),
        expires_after_seconds: ask.expires_after_seconds,
        session: ask.session,
        match_profile: false,
    }
}

/// Whether a grant may be refreshed at a moment, and how many seconds its
/// lineage may still live then.
///
/// # Errors
///
/// A [`Refusal`]: superseded, too early, or too late.
fn within_window(grant: &Grant, rules: RefreshRules, now: Timestamp) -> Result<u32, Refusal> {
    if grant.superseded_by.is_some() {
        return Err(superseded());
    }
    if now < grant.refresh_after {
        let wait = grant.refresh_after.duration_since(now).unsigned_abs();
        let text = "It is too early to refresh this grant. Wait as Retry-After says; \"refresh_after\" tells when.";
        return Err(Refusal::new(Code::RefreshTooEarly, text).retry_after(wait));
    }
    if now > after(grant.expires_at, rules.grace_seconds) {
        let text = "The grant's time is over. Ask for a new secret.";
        return Err(Refusal::new(Code::GrantExpired, text));
    }
    let end = after(grant.lineage_started_at(), rules.max_lineage_seconds);
    let left = end.duration_since(now).as_secs().max(0);
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    if left < expiry::MIN_SECONDS {
        let text = "This lineage has lived as long as the profile allows. Ask for a new secret.";
        return Err(Refusal::new(Code::LineageExpired, text));
    }
    Ok(left)
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    let later = time.saturating_add(Duration::from_secs(seconds.into()));
    later.unwrap_or(Timestamp::MAX)
}

fn revoked() -> Refusal {
    Refusal::new(
        Code::GrantRevoked,
        "The grant was revoked. Ask for a new secret, if you still may.",
    )
}

pub(super) fn superseded() -> Refusal {
    Refusal::new(
        Code::GrantSuperseded,
        "The grant was refreshed before: only the newest of a lineage can be. If it was not you, someone else holds your credential.",
    )
}

fn no_such_grant() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "There is no such grant, or it is not yours.",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        grant::{Mode, RefreshOf},
        ids::{CredentialId, LineageId, ProfileName, RequestId, Subject},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn grant(life: i64) -> Grant {
        let id = GrantId::from_random([1; 16]);
        Grant {
            lineage: LineageId::begun_by(&id),
            id,
            state: GrantState::Active,
            subject: Subject::new("user-1").unwrap(),
            credential: CredentialId::new("app").unwrap(),
            profile: ProfileName::new("interview").unwrap(),
            session_id: None,
            mode: Mode::Direct,
            created_at: at(0),
            expires_at: at(life),
            refresh_after: expiry::refresh_after(at(0), at(life)),
            secret_last4: "wxyz".to_owned(),
            secret_hash: String::new(),
            address: None,
            user_agent: None,
            request_id: RequestId::from_random([1; 16]),
            upstream_request_id: None,
            refresh_of: None,
            superseded_by: None,
        }
    }

    const RULES: RefreshRules = RefreshRules {
        grace_seconds: 10,
        max_lineage_seconds: 3600,
    };

    fn code(grant: &Grant, second: i64) -> Option<Code> {
        within_window(grant, RULES, at(second))
            .err()
            .map(|refusal| refusal.code)
    }

    #[test]
    fn the_window_is_open_from_refresh_after_to_the_end_of_grace() {
        let grant = grant(60);
        assert_eq!(code(&grant, 47), Some(Code::RefreshTooEarly));
        assert_eq!(code(&grant, 48), None);
        assert_eq!(code(&grant, 70), None);
        assert_eq!(code(&grant, 71), Some(Code::GrantExpired));
    }

    #[test]
    fn who_waits_as_told_is_not_early() {
        let grant = grant(60);
        let early = within_window(&grant, RULES, at(40)).unwrap_err();
        assert_eq!(early.retry_after, Some(Duration::from_secs(8)));
        assert_eq!(code(&grant, 48), None);
    }

    #[test]
    fn a_lineage_ends() {
        let mut grant = grant(60);
        grant.refresh_of = Some(RefreshOf {
            grant: GrantId::from_random([2; 16]),
            lineage_started_at: at(50 - 3600 + 20),
        });
        assert_eq!(within_window(&grant, RULES, at(50)).unwrap(), 20);
        assert_eq!(code(&grant, 61), Some(Code::LineageExpired));
    }

    #[test]
    fn superseded_is_said_at_any_time() {
        let mut grant = grant(60);
        grant.superseded_by = Some(GrantId::from_random([3; 16]));
        for second in [0, 50, 100, 100_000] {
            assert_eq!(code(&grant, second), Some(Code::GrantSuperseded));
        }
    }

    proptest! {
        #[test]
        fn no_lineage_outlives_its_limit(life in 10_i64..7200, second in 0_i64..10_000, started in 0_i64..8000) {
            let mut grant = grant(life);
            grant.refresh_of = Some(RefreshOf {
                grant: GrantId::from_random([2; 16]),
                lineage_started_at: at(-started),
            });
            if let Ok(left) = within_window(&grant, RULES, at(second)) {
                prop_assert!(second + i64::from(left) <= 3600 - started);
                prop_assert!(at(second) >= grant.refresh_after);
                prop_assert!(second <= life + 10);
            }
        }
    }
}
