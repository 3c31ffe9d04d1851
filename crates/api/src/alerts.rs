//! Alerts: what is asked, and what is answered.

use std::collections::BTreeMap;

use hallpass_core::{
    alert::{Acknowledgement, Alert},
    refusal::Refusal,
    request::clean,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::members::Members;

/// Longest note kept, in bytes.
const MAX_NOTE: usize = 512;

/// An alert, from its beginning to its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertAnswer {
    /// Its id; the next time the same cause fires, it is another one.
    #[schema(example = "al_0f3b5c6d7e8f90123456789abcdef012")]
    pub id: String,
    /// The same for the same rule and cause, whenever it fires.
    #[schema(example = "9f86d081884c7d65")]
    pub fingerprint: String,
    /// The rule's name in the configuration.
    #[schema(example = "breaker_open")]
    pub rule: String,
    /// What the rule watches; the rule's name where that is a standard one.
    #[schema(example = "breaker_open")]
    pub kind: &'static str,
    /// `info`, `warning` or `critical`.
    #[schema(example = "warning")]
    pub severity: &'static str,
    /// `active`, or `ended`.
    #[schema(example = "active")]
    pub state: &'static str,
    /// What happened, in a sentence.
    #[schema(example = "The breaker of upstream openai is open: upstream_timeout")]
    pub summary: String,
    /// What to do about it, in a sentence.
    pub remedy: &'static str,
    /// What it is about, by name: a subject, an upstream, a receiver.
    pub cause: BTreeMap<String, String>,
    /// The latest measured value, in the unit of the threshold.
    pub value: f64,
    /// The rule's threshold when it fired.
    pub threshold: f64,
    /// When it began, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub started_at: i64,
    /// When its cause was last seen, Unix seconds.
    pub last_seen_at: i64,
    /// When it ended, Unix seconds; absent while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// Who has seen it; absent where nobody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<AcknowledgedAnswer>,
}

/// Who has seen an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcknowledgedAnswer {
    /// Who says so.
    pub by: String,
    /// When, Unix seconds.
    pub at: i64,
    /// What they say to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl From<&Acknowledgement> for AcknowledgedAnswer {
    fn from(seen: &Acknowledgement) -> Self {
        Self {
            by: seen.by.to_string(),
            at: seen.at.as_second(),
            note: seen.note.clone(),
        }
    }
}

impl From<&Alert> for AlertAnswer {
    fn from(alert: &Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            fingerprint: alert.fingerprint.to_string(),
            rule: alert.rule.clone(),
            kind: alert.kind.as_str(),
            severity: alert.severity.into(),
            state: match alert.is_active() {
                true => "active",
                false => "ended",
            },
            summary: alert.summary.clone(),
            remedy: alert.remedy(),
            cause: alert.cause.clone(),
            value: alert.value,
            threshold: alert.threshold,
            started_at: alert.started_at.as_second(),
            last_seen_at: alert.last_seen_at.as_second(),
            ended_at: alert.ended_at.map(hallpass_core::Timestamp::as_second),
            acknowledged: alert.acknowledged.as_ref().map(Into::into),
        }
    }
}

/// Answer of `GET /api/admin/alerts`: alerts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertPage {
    /// The alerts.
    pub data: Vec<AlertAnswer>,
    /// How many last now, by severity, whatever was asked for.
    pub active: ActiveCounts,
    /// Asks for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How many alerts last, by severity.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActiveCounts {
    /// To be looked at now.
    pub critical: u64,
    /// To be looked at today.
    pub warning: u64,
    /// To be known.
    pub info: u64,
}

/// Body of `POST /api/admin/alerts/{id}/acknowledge`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AcknowledgeRequest {
    /// What to say to it, for others and for the trail.
    #[schema(example = "looking into it")]
    pub note: Option<String>,
}

/// Reads the body of `POST /api/admin/alerts/{id}/acknowledge`; gives the note.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_acknowledge(body: &[u8]) -> Result<Option<String>, Refusal> {
    let mut members = Members::parse(body)?;
    let note = members.text("note")?;
    members.finish()?;
    Ok(note.map(|text| clean(&text, MAX_NOTE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_strictly_and_kept_on_one_line() {
        assert_eq!(read_acknowledge(b"").unwrap(), None);
        let note = read_acknowledge(br#"{"note": "looking\ninto it"}"#).unwrap();
        assert!(!note.unwrap().contains('\n'));
        let refused = read_acknowledge(br#"{"nota": "x"}"#).unwrap_err();
        assert_eq!(refused.member.as_deref(), Some("nota"));
    }
}
