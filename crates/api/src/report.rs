//! What a page reports of its session: in direct mode nobody else sees it.

use hallpass_core::{
    code::Code,
    grant::GrantEvent,
    refusal::Refusal,
    request::clean,
    usage::{Tokens, Usage},
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

/// Most tokens one report may tell of a kind.
const MAX_COUNT: u64 = 1_000_000_000;

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
    let (mut input, mut output) = (0, 0);
    for (name, fact) in COUNTS {
        let Some(count) = count(&mut counts, name)? else {
            continue;
        };
        facts.push((fact, count.to_string()));
        match name {
            "input_tokens" => input = count,
            "output_tokens" => output = count,
            _ => count_in(&mut used.tokens, name, count),
        }
    }
    input_details(&mut counts, &mut used.tokens)?;
    output_details(&mut counts, &mut used.tokens)?;
    counts.finish()?;
    // What a sum holds beyond its parts is of no kind the page told: text.
    let tokens = &mut used.tokens;
    tokens.input_text += input.saturating_sub(tokens.input());
    tokens.output_text += output.saturating_sub(tokens.output());
    Ok(Report {
        event: None,
        usage: Some(used),
        facts,
    })
}

/// A count no session could exceed: sums of many stay within the stores'.
fn count(members: &mut Members, name: &'static str) -> Result<Option<u64>, Refusal> {
    let count = members.whole(name)?;
    if count.is_some_and(|count| count > MAX_COUNT) {
        return Err(members.wrong(name, "at most 1000000000 tokens"));
    }
    Ok(count)
}

/// Adds a part of a sum to what it is of.
fn count_in(tokens: &mut Tokens, name: &str, count: u64) {
    match name {
        "cached_tokens" => tokens.cached_text = count,
        "input_text_tokens" => tokens.input_text = count,
        "input_audio_tokens" => tokens.input_audio = count,
        "output_text_tokens" => tokens.output_text = count,
        "output_audio_tokens" => tokens.output_audio = count,
        _ => {}
    }
}

/// Reads `input_token_details` as OpenAI's `response.done` has it.
fn input_details(usage: &mut Members, tokens: &mut Tokens) -> Result<(), Refusal> {
    let Some(mut parts) = usage.object("input_token_details")? else {
        return Ok(());
    };
    set(&mut parts, "text_tokens", &mut tokens.input_text)?;
    set(&mut parts, "audio_tokens", &mut tokens.input_audio)?;
    set(&mut parts, "image_tokens", &mut tokens.input_image)?;
    set(&mut parts, "cached_tokens", &mut tokens.cached_text)?;
    if let Some(mut cached) = parts.object("cached_tokens_details")? {
        set(&mut cached, "text_tokens", &mut tokens.cached_text)?;
        set(&mut cached, "audio_tokens", &mut tokens.cached_audio)?;
        set(&mut cached, "image_tokens", &mut tokens.cached_image)?;
        cached.finish()?;
    }
    parts.finish()
}

/// Reads `output_token_details` as OpenAI's `response.done` has it.
fn output_details(usage: &mut Members, tokens: &mut Tokens) -> Result<(), Refusal> {
    let Some(mut parts) = usage.object("output_token_details")? else {
        return Ok(());
    };
    set(&mut parts, "text_tokens", &mut tokens.output_text)?;
    set(&mut parts, "audio_tokens", &mut tokens.output_audio)?;
    parts.finish()
}

fn set(members: &mut Members, name: &'static str, tokens: &mut u64) -> Result<(), Refusal> {
    if let Some(count) = count(members, name)? {
        *tokens = count;
    }
    Ok(())
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
                r#"{"type": "usage", "usage": {"input_audio_tokens": 1000000001}}"#,
                "usage.input_audio_tokens",
            ),
            (
                r#"{"type": "usage", "usage": {"output_token_details": {"audio_tokens": 18446744073709551615}}}"#,
                "usage.output_token_details.audio_tokens",
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

    fn tokens(usage: &str) -> Tokens {
        let body = format!("{{\"type\": \"usage\", \"usage\": {usage}}}");
        read_report(body.as_bytes()).unwrap().usage.unwrap().tokens
    }

    #[test]
    fn openais_own_usage_is_read_as_it_is() {
        let usage = r#"{"total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
            "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0,
                "cached_tokens": 64, "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4}},
            "output_token_details": {"text_tokens": 30, "audio_tokens": 91}}"#;
        let expected = Tokens {
            input_text: 119,
            input_audio: 13,
            cached_text: 60,
            cached_audio: 4,
            output_text: 30,
            output_audio: 91,
            ..Tokens::default()
        };
        assert_eq!(tokens(usage), expected);
    }

    #[test]
    fn a_sum_without_parts_is_not_lost() {
        let sums = tokens(r#"{"total_tokens": 253, "input_tokens": 132, "output_tokens": 121}"#);
        assert_eq!((sums.input(), sums.output()), (132, 121));
        let parts = tokens(r#"{"input_tokens": 20, "input_audio_tokens": 15}"#);
        assert_eq!((parts.input_text, parts.input_audio), (5, 15));
    }
}
