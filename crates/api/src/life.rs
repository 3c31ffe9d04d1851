//! Refreshing and revoking: what is asked, and what is answered.

use hallpass_core::{
    code::Code,
    grant::Grant,
    pipeline::{RefreshAsk, Withdrawal},
    refusal::Refusal,
    request::clean,
    revocation::{Revocation, Scope, ScopeKind},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    members::Members,
    mint::{ExpiresAfter, read_expiry},
};

/// Longest reason kept, in bytes.
pub(crate) const MAX_REASON: usize = 256;

/// Body of `POST /api/client-secrets/{id}/refresh`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RefreshRequest {
    /// How long the next secret lives; the profile's default where absent.
    pub expires_after: Option<ExpiresAfter>,
    /// Session members to change, as in the first request: they are not kept.
    #[schema(value_type = Object, example = json!({"audio": {"output": {"voice": "cedar"}}}))]
    pub session: Option<Map<String, Value>>,
}

/// Reads the body of a refresh.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_refresh(body: &[u8]) -> Result<RefreshAsk, Refusal> {
    let mut members = Members::parse(body)?;
    let ask = RefreshAsk {
        expires_after_seconds: read_expiry(&mut members)?,
        session: members.map("session")?.unwrap_or_default(),
    };
    members.finish()?;
    Ok(ask)
}

/// Body of a request that revokes one grant.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RevokeRequest {
    /// Why, for the trail.
    #[schema(example = "signed out")]
    pub reason: Option<String>,
}

/// Reads the body of a request that revokes one grant.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_revoke(body: &[u8]) -> Result<Option<String>, Refusal> {
    let mut members = Members::parse(body)?;
    let reason = members.text("reason")?;
    members.finish()?;
    Ok(reason.map(|text| clean(&text, MAX_REASON)))
}

/// Body of `POST /api/admin/revocations`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RevocationRequest {
    /// `grant`, `lineage`, `session`, `subject`, `key`, `profile`, `before` or
    /// `all`.
    #[schema(example = "subject")]
    pub kind: String,
    /// The id or name; of `before` a time such as `2026-11-22T21:00:00Z`; none
    /// of `all`.
    #[schema(example = "user-42")]
    pub target: Option<String>,
    /// Why, for the trail.
    #[schema(example = "laptop stolen")]
    pub reason: Option<String>,
}

/// Reads the body of `POST /api/admin/revocations`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_revocation(body: &[u8]) -> Result<(Scope, Option<String>), Refusal> {
    const KINDS: &str = "\"grant\", \"lineage\", \"session\", \"subject\", \"key\", \"profile\", \"before\" or \"all\"";
    let mut members = Members::parse(body)?;
    let kind = members.parsed("kind", KINDS, |text| text.parse::<ScopeKind>())?;
    let target = members.text("target")?;
    let reason = members.text("reason")?;
    members.finish()?;
    let Some(kind) = kind else {
        let text = format!("\"kind\" is missing. It is {KINDS}.");
        return Err(Refusal::new(Code::InvalidMember, text).member("kind"));
    };
    let scope = Scope::asked(kind, target).map_err(|error| {
        let text = format!("\"target\" of a revocation of kind \"{kind}\" {error}.");
        Refusal::new(Code::InvalidMember, text).member("target")
    })?;
    Ok((scope, reason.map(|text| clean(&text, MAX_REASON))))
}

/// A revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationAnswer {
    /// Its id.
    #[schema(example = "rv_0f3b5c6d7e8f90123456789abcdef012")]
    pub id: String,
    /// What kind of thing it is of.
    #[schema(example = "subject")]
    pub kind: &'static str,
    /// Which one.
    #[schema(example = "user-42")]
    pub target: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was added, Unix seconds.
    pub created_at: i64,
    /// Who added it.
    pub created_by: String,
    /// When it was lifted, Unix seconds; absent while it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<i64>,
    /// Who lifted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
}

impl From<&Revocation> for RevocationAnswer {
    fn from(revocation: &Revocation) -> Self {
        let lifted = revocation.lifted.as_ref();
        Self {
            id: revocation.id.to_string(),
            kind: revocation.scope.kind().into(),
            target: revocation.scope.target(),
            reason: revocation.reason.clone(),
            created_at: revocation.created_at.as_second(),
            created_by: revocation.created_by.to_string(),
            lifted_at: lifted.map(|lifted| lifted.at.as_second()),
            lifted_by: lifted.map(|lifted| lifted.by.to_string()),
        }
    }
}

/// All revocations, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationList {
    /// The revocations.
    pub data: Vec<RevocationAnswer>,
}

/// What a revocation did, and what it could not reach.
#[derive(Debug, Serialize, ToSchema)]
pub struct Effect {
    /// Nothing more is issued to what it reaches.
    pub blocked: bool,
    /// Grants that were in use or could be, and now are revoked.
    #[schema(example = 3)]
    pub revoked: u64,
    /// Of these, those whose secret is worthless from now on (relay, call).
    #[schema(example = 0)]
    pub ended: u64,
    /// Live sessions it ended (relay, call), on all replicas that have said so.
    #[schema(example = 0)]
    pub sessions_ended: u64,
    /// Other replicas that did not say within a second that it is in force
    /// there. They follow within `store.revocations_stale_seconds`, or let
    /// nobody through. Null where they can't be asked, as without Redis.
    #[schema(example = 0)]
    pub replicas_pending: Option<u64>,
    /// Secrets of OpenAI's that nothing can recall.
    pub unexpired_secrets: UnexpiredSecrets,
}

/// Secrets that open sessions until their time is over.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnexpiredSecrets {
    /// How many.
    #[schema(example = 3)]
    pub count: u64,
    /// When the last of them is over, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub until: Option<i64>,
}

impl From<&Withdrawal> for Effect {
    fn from(withdrawal: &Withdrawal) -> Self {
        let withdrawn = withdrawal.withdrawn;
        Self {
            blocked: true,
            revoked: withdrawn.revoked,
            ended: withdrawn.ended,
            sessions_ended: withdrawal.sessions_ended,
            replicas_pending: withdrawal.replicas_pending,
            unexpired_secrets: UnexpiredSecrets {
                count: withdrawn.unexpired,
                // Rounded up: nobody is told it is over while it is not.
                until: withdrawn
                    .unexpired_until
                    .map(|until| until.as_second() + i64::from(until.subsec_nanosecond() > 0)),
            },
        }
    }
}

/// Answer of `POST /api/admin/revocations`.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawalAnswer {
    /// The revocation.
    #[serde(flatten)]
    pub revocation: RevocationAnswer,
    /// What it did.
    #[serde(flatten)]
    pub effect: Effect,
}

impl From<&Withdrawal> for WithdrawalAnswer {
    fn from(withdrawal: &Withdrawal) -> Self {
        Self {
            revocation: (&withdrawal.revocation).into(),
            effect: withdrawal.into(),
        }
    }
}

/// Answer of a request that revokes one grant.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedGrantAnswer {
    /// The grant's id.
    pub id: String,
    /// Its state now: `revoked`, unless it was at its end before.
    #[schema(example = "revoked")]
    pub state: &'static str,
    /// The revocation's id.
    pub revocation: String,
    /// What it did.
    #[serde(flatten)]
    pub effect: Effect,
}

impl RevokedGrantAnswer {
    /// The answer for a grant as it is now.
    #[must_use]
    pub fn new(grant: &Grant, withdrawal: &Withdrawal) -> Self {
        Self {
            id: grant.id.to_string(),
            state: grant.state.into(),
            revocation: withdrawal.revocation.id.to_string(),
            effect: withdrawal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_revocation_is_read_back_as_written() {
        let targets = [
            ("grant", "gr_1"),
            ("lineage", "ln_1"),
            ("session", "i-1"),
            ("subject", "user-1"),
            ("key", "k1"),
            ("profile", "interview"),
            ("before", "2026-11-22T21:00:00Z"),
        ];
        for (kind, target) in targets {
            let body = json!({"kind": kind, "target": target, "reason": "a\nb"}).to_string();
            let (scope, reason) = read_revocation(body.as_bytes()).unwrap();
            assert_eq!(<&str>::from(scope.kind()), kind);
            assert_eq!(scope.target().as_deref(), Some(target));
            assert_eq!(reason.as_deref(), Some("ab"));
        }
        assert_eq!(
            read_revocation(br#"{"kind": "all"}"#).unwrap().0,
            Scope::All
        );
    }

    #[test]
    fn each_wrong_member_of_a_revocation_is_named() {
        let cases = [
            ("{}", "kind"),
            (r#"{"kind": "planet"}"#, "kind"),
            (r#"{"kind": "subject"}"#, "target"),
            (r#"{"kind": "subject", "target": ""}"#, "target"),
            (r#"{"kind": "before", "target": "noon"}"#, "target"),
            (r#"{"kind": "grant", "target": "user-1"}"#, "target"),
            (r#"{"kind": "lineage", "target": "gr_1"}"#, "target"),
            (r#"{"kind": "all", "target": "x"}"#, "target"),
            (r#"{"kind": "all", "until": 1}"#, "until"),
        ];
        for (body, member) in cases {
            let refusal = read_revocation(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.member.as_deref(), Some(member), "{body}");
        }
    }
}
