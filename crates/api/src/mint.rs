//! Requests for a client secret.

use hallpass_core::{code::Code, grant::Mode, ids::SessionId, policy::MintAsk, refusal::Refusal};
use serde::Deserialize;
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

use crate::members::Members;

/// Body of `POST /api/generate-client-secret`; every member is optional.
///
/// For the document only: [`read_mint`] reads bodies.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MintRequest {
    /// The profile by name; the caller's first one when left out.
    #[schema(example = "interview")]
    pub profile: Option<String>,
    /// The app's own id of the interview.
    #[schema(example = "interview-42")]
    pub session_id: Option<String>,
    /// `direct`, `relay` or `call`; the profile's when left out.
    #[schema(example = "direct")]
    pub mode: Option<String>,
    /// How long the secret lives.
    pub expires_after: Option<ExpiresAfter>,
    /// Members of the session to change; only those the profile allows.
    #[schema(value_type = Object, example = json!({"audio": {"output": {"voice": "cedar"}}}))]
    pub session: Option<Map<String, Value>>,
}

/// How long a secret lives.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ExpiresAfter {
    /// From when; always `created_at`.
    #[schema(example = "created_at")]
    pub anchor: Option<String>,
    /// Seconds, 10 to 7,200 and within the profile's limit.
    #[schema(example = 60, minimum = 10, maximum = 7200)]
    pub seconds: Option<u64>,
}

/// Body of `POST /v1/realtime/client_secrets`, as OpenAI's clients send it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DropInRequest {
    /// How long the secret lives.
    pub expires_after: Option<ExpiresAfter>,
    /// The session; its type and model choose the profile.
    #[schema(value_type = Object, example = json!({"type": "realtime", "model": "gpt-realtime-2.1"}))]
    pub session: Option<Map<String, Value>>,
}

/// Reads the body of `POST /api/generate-client-secret`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_mint(body: &[u8]) -> Result<MintAsk, Refusal> {
    let mut members = Members::parse(body)?;
    let ask = MintAsk {
        profile: members.text("profile")?,
        session_id: members.parsed(
            "session_id",
            "a text of 1 to 256 bytes without control characters",
            SessionId::new,
        )?,
        mode: members.parsed("mode", "\"direct\", \"relay\" or \"call\"", |text| {
            text.parse::<Mode>()
        })?,
        expires_after_seconds: read_expiry(&mut members)?,
        session: members.map("session")?.unwrap_or_default(),
        match_profile: false,
    };
    members.finish()?;
    Ok(ask)
}

/// Reads the body of `POST /api/interview/realtime-token`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_interview(body: &[u8]) -> Result<MintAsk, Refusal> {
    read_mint(body)
}

/// Body of `POST /api/setup/ai-sdk`, as Vercel's hook sends it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AiSdkRequest {
    /// What the hook will send in its own `session.update`: not needed here.
    #[serde(rename = "sessionConfig")]
    #[schema(value_type = Object)]
    pub session_config: Option<Map<String, Value>>,
}

/// Reads the body of `POST /api/setup/ai-sdk`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_ai_sdk(body: &[u8]) -> Result<MintAsk, Refusal> {
    let mut members = Members::parse(body)?;
    members.map("sessionConfig")?;
    members.finish()?;
    Ok(MintAsk::default())
}

/// Reads the body of `POST /v1/realtime/client_secrets`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_drop_in(body: &[u8]) -> Result<MintAsk, Refusal> {
    let mut members = Members::parse(body)?;
    let ask = MintAsk {
        expires_after_seconds: read_expiry(&mut members)?,
        session: members.map("session")?.unwrap_or_default(),
        match_profile: true,
        ..MintAsk::default()
    };
    members.finish()?;
    Ok(ask)
}

pub(crate) fn read_expiry(members: &mut Members) -> Result<Option<u64>, Refusal> {
    let Some(mut expiry) = members.object("expires_after")? else {
        return Ok(None);
    };
    if expiry
        .text("anchor")?
        .is_some_and(|anchor| anchor != "created_at")
    {
        let text = "\"expires_after.anchor\" must be \"created_at\".";
        return Err(Refusal::new(Code::InvalidMember, text).member("expires_after.anchor"));
    }
    let seconds = expiry.number("seconds")?;
    expiry.finish()?;
    seconds.as_ref().map(whole_seconds).transpose()
}

/// What is negative, broken or huge lies outside of what a profile may allow.
fn whole_seconds(number: &Number) -> Result<u64, Refusal> {
    number.as_u64().ok_or_else(|| {
        let within = number.as_f64().filter(|it| (10.0..=7200.0).contains(it));
        let code = match within {
            Some(_) => Code::InvalidMember,
            None => Code::ExpiryOutOfRange,
        };
        let text =
            format!("\"expires_after.seconds\": {number} is no whole number from 10 to 7200.");
        Refusal::new(code, text).member("expires_after.seconds")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_no_profile_could_allow_is_out_of_range() {
        let code = |seconds: &str| {
            let body = format!("{{\"expires_after\": {{\"seconds\": {seconds}}}}}");
            read_mint(body.as_bytes()).unwrap_err().code
        };
        for seconds in ["-1", "1e30", "99999999999999999999", "0.5"] {
            assert_eq!(code(seconds), Code::ExpiryOutOfRange, "{seconds}");
        }
        for seconds in ["60.5", "\"60\"", "true"] {
            assert_eq!(code(seconds), Code::InvalidMember, "{seconds}");
        }
    }

    #[test]
    fn a_whole_request_is_read() {
        let body = br#"{"profile":"interview","session_id":"i-1","mode":"direct",
            "expires_after":{"anchor":"created_at","seconds":30},"session":{"audio":{}}}"#;
        let ask = read_mint(body).unwrap();
        assert_eq!(ask.profile.as_deref(), Some("interview"));
        assert_eq!(ask.mode, Some(Mode::Direct));
        assert_eq!(ask.expires_after_seconds, Some(30));
    }

    #[test]
    fn each_wrong_member_is_named() {
        let cases: [(&[u8], &str); 6] = [
            (br#"{"profile": 1}"#, "profile"),
            (br#"{"mode": "carrier pigeon"}"#, "mode"),
            (br#"{"session_id": ""}"#, "session_id"),
            (
                br#"{"expires_after": {"anchor": "now"}}"#,
                "expires_after.anchor",
            ),
            (
                br#"{"expires_after": {"seconds": -1}}"#,
                "expires_after.seconds",
            ),
            (
                br#"{"expires_after": {"minutes": 1}}"#,
                "expires_after.minutes",
            ),
        ];
        for (body, member) in cases {
            assert_eq!(read_mint(body).unwrap_err().member.as_deref(), Some(member));
        }
    }
}
