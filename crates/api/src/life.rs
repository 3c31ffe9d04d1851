//! Refreshing, revoking and reporting: what is asked, and what is answered.

use hallpass_core::{
    code::Code,
    grant::{Grant, GrantEvent},
    pipeline::{RefreshAsk, Withdrawal},
    refusal::Refusal,
    request::clean,
    revocation::{Revocation, Scope, ScopeKind},
    usage::Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    members::Members,
    mint::{ExpiresAfter, read_expiry},
};

/// Longest reason kept, in bytes.
const MAX_REASON: usize = 256;

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
    let scope = Scope::new(kind, target).map_err(|error| {
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
    /// Live sessions it ended (relay, call).
    #[schema(example = 0)]
    pub sessions_ended: u64,
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

/// Body of `POST /api/client-secrets/{id}/events`: what the page saw.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReportRequest {
    /// `connected`, `disconnected` or `usage`.
    #[schema(example = "connected")]
    pub r#type: String,
    /// Why it was disconnected, as the page knows it.
    #[schema(example = "user_hung_up")]
    pub reason: Option<String>,
    /// Tokens by OpenAI's names, with `usage`.
    #[schema(value_type = Object, example = json!({"total_tokens": 253, "input_tokens": 132, "output_tokens": 121}))]
    pub usage: Option<Map<String, Value>>,
}

/// What a page reported, read.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// What it does to the grant.
    pub event: Option<GrantEvent>,
    /// What it says was used.
    pub usage: Option<Usage>,
    /// What the trail keeps of it, marked as reported.
    pub facts: Vec<(&'static str, String)>,
}

/// The counts a page may report, by OpenAI's names.
const COUNTS: [(&str, &str); 8] = [
    ("total_tokens", "reported_total_tokens"),
    ("input_tokens", "reported_input_tokens"),
    ("output_tokens", "reported_output_tokens"),
    ("cached_tokens", "reported_cached_tokens"),
    ("input_text_tokens", "reported_input_text_tokens"),
    ("input_audio_tokens", "reported_input_audio_tokens"),
    ("output_text_tokens", "reported_output_text_tokens"),
    ("output_audio_tokens", "reported_output_audio_tokens"),
];

/// Reads a page's report.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_report(body: &[u8]) -> Result<Report, Refusal> {
    const TYPES: &str = "\"connected\", \"disconnected\" or \"usage\"";
    let mut members = Members::parse(body)?;
    let report = match members.text("type")?.as_deref() {
        Some("connected") => Report {
            event: Some(GrantEvent::Connect),
            usage: None,
            facts: vec![("reported", "connected".to_owned())],
        },
        Some("disconnected") => disconnected(&mut members)?,
        Some("usage") => usage(&mut members)?,
        _ => {
            let text = format!("\"type\" must be {TYPES}.");
            return Err(Refusal::new(Code::InvalidMember, text).member("type"));
        }
    };
    members.finish()?;
    Ok(report)
}

fn disconnected(members: &mut Members) -> Result<Report, Refusal> {
    let reason = members.text("reason")?;
    let mut facts = vec![("reported", "disconnected".to_owned())];
    facts.extend(reason.map(|text| ("reported_reason", clean(&text, MAX_REASON))));
    Ok(Report {
        event: Some(GrantEvent::End),
        usage: None,
        facts,
    })
}

fn usage(members: &mut Members) -> Result<Report, Refusal> {
    let mut facts = vec![("reported", "usage".to_owned())];
    let Some(mut counts) = members.object("usage")? else {
        let text = "\"usage\" is missing: the tokens by OpenAI's names, such as \"total_tokens\".";
        return Err(Refusal::new(Code::InvalidMember, text).member("usage"));
    };
    let mut used = Usage {
        // The page does not say what it cost, and nobody could believe it.
        unpriced: 1,
        ..Usage::default()
    };
    for (name, fact) in COUNTS {
        let count = counts.whole(name)?;
        facts.extend(count.map(|count| (fact, count.to_string())));
        count_in(&mut used, name, count.unwrap_or(0));
    }
    counts.finish()?;
    Ok(Report {
        event: None,
        usage: Some(used),
        facts,
    })
}

/// Adds a count to what it is of; sums that are told in parts too are not kept.
fn count_in(used: &mut Usage, name: &str, count: u64) {
    let tokens = &mut used.tokens;
    match name {
        "cached_tokens" => tokens.cached_text = count,
        "input_text_tokens" => tokens.input_text = count,
        "input_audio_tokens" => tokens.input_audio = count,
        "output_text_tokens" => tokens.output_text = count,
        "output_audio_tokens" => tokens.output_audio = count,
        _ => {}
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
            (r#"{"kind": "all", "target": "x"}"#, "target"),
            (r#"{"kind": "all", "until": 1}"#, "until"),
        ];
        for (body, member) in cases {
            let refusal = read_revocation(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.member.as_deref(), Some(member), "{body}");
        }
    }

    #[test]
    fn a_report_is_read_strictly() {
        let report = read_report(br#"{"type": "disconnected", "reason": "closed"}"#).unwrap();
        assert_eq!(report.event, Some(GrantEvent::End));
        assert_eq!(report.facts[1], ("reported_reason", "closed".to_owned()));
        let cases = [
            ("{}", "type"),
            (r#"{"type": "exploded"}"#, "type"),
            (r#"{"type": "connected", "reason": "x"}"#, "reason"),
            (r#"{"type": "usage"}"#, "usage"),
            (
                r#"{"type": "usage", "usage": {"total_tokens": -1}}"#,
                "usage.total_tokens",
            ),
            (
                r#"{"type": "usage", "usage": {"dollars": 1}}"#,
                "usage.dollars",
            ),
        ];
        for (body, member) in cases {
            let refusal = read_report(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.member.as_deref(), Some(member), "{body}");
        }
    }
}
