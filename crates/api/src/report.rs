//! What a page reports of its session: in direct mode nobody else sees it.

use hallpass_core::{
    code::Code, grant::GrantEvent, refusal::Refusal, request::clean, usage::Usage,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{life::MAX_REASON, members::Members};

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
    use super::*;

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
