//! Interviews as an app's backend registers and sees them.

use hallpass_core::{
    Timestamp,
    code::Code,
    ids::{ProfileName, SessionId, Subject},
    interview::{Interview, InterviewStanding},
    refusal::Refusal,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{keys::missing, members::Members};

/// Body of `POST /api/admin/interviews`.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterviewRequest {
    /// The app's own id of the interview.
    #[schema(example = "interview-42")]
    pub session_id: String,
    /// Whose interview it is: the subject of their session or token.
    #[schema(example = "user-7")]
    pub subject: String,
    /// The only profile it may use; absent: any the caller may use.
    #[schema(example = "interview")]
    pub profile: Option<String>,
    /// When it is over, Unix seconds; RFC 3339 text is read too.
    #[schema(example = 1_795_303_600)]
    pub expires_at: i64,
    /// How many grants may be issued for it, refreshes included; absent: any number.
    #[schema(example = 20)]
    pub max_grants: Option<u32>,
}

/// A registered interview.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterviewAnswer<'a> {
    /// The app's own id of the interview.
    pub session_id: &'a str,
    /// Whose interview it is.
    pub subject: &'a str,
    /// The only profile it may use.
    pub profile: Option<&'a str>,
    /// `open`, or `over` by its time or because it was ended.
    #[schema(example = "open")]
    pub state: &'static str,
    /// When it is over by itself, Unix seconds.
    pub expires_at: i64,
    /// How many grants may be issued for it.
    pub max_grants: Option<u32>,
    /// How many were issued.
    pub grants_issued: u32,
    /// Who registered it.
    pub registered_by: &'a str,
    /// When it was registered, Unix seconds.
    pub registered_at: i64,
    /// When it was ended, Unix seconds.
    pub ended_at: Option<i64>,
}

/// A page of interviews.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterviewPage<'a> {
    /// The interviews, newest first.
    pub data: Vec<InterviewAnswer<'a>>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What ending an interview did.
#[derive(Debug, Serialize, ToSchema)]
pub struct InterviewEndAnswer<'a> {
    /// The interview, now over.
    #[serde(flatten)]
    pub interview: InterviewAnswer<'a>,
    /// Grants that were in force and are revoked now.
    pub grants_revoked: u64,
    /// Of these, secrets of OpenAI's that nothing can recall before their time.
    pub unexpired_secrets: u64,
    /// When the last of these is over, Unix seconds.
    pub unexpired_until: Option<i64>,
}

impl<'a> InterviewAnswer<'a> {
    /// An interview as it stands at a time.
    #[must_use]
    pub fn at(standing: &'a InterviewStanding, now: Timestamp) -> Self {
        let InterviewStanding { interview, issued } = standing;
        Self {
            session_id: interview.session_id.as_str(),
            subject: interview.subject.as_str(),
            profile: interview.profile.as_ref().map(|name| name.as_str()),
            state: if interview.is_over(now) {
                "over"
            } else {
                "open"
            },
            expires_at: interview.expires_at.as_second(),
            max_grants: interview.max_grants,
            grants_issued: *issued,
            registered_by: interview.registered_by.as_str(),
            registered_at: interview.registered_at.as_second(),
            ended_at: interview.ended_at.map(Timestamp::as_second),
        }
    }
}

/// Reads the body of `POST /api/admin/interviews`.
///
/// # Errors
///
/// A [`Refusal`] naming the member at fault.
pub fn read_new(body: &[u8], by: &Subject, now: Timestamp) -> Result<Interview, Refusal> {
    let id = "a text of 1 to 256 bytes without control characters";
    let mut members = Members::parse(body)?;
    let session_id = members.parsed("session_id", id, SessionId::new)?;
    let subject = members.parsed("subject", id, Subject::new)?;
    let profile = members.parsed("profile", "a profile's name", ProfileName::new)?;
    let expires_at = members.time("expires_at")?;
    let max_grants = members.whole("max_grants")?;
    members.finish()?;
    Ok(Interview {
        session_id: session_id.ok_or_else(|| missing("session_id"))?,
        subject: subject.ok_or_else(|| missing("subject"))?,
        profile,
        expires_at: ends(expires_at.ok_or_else(|| missing("expires_at"))?, now)?,
        max_grants: max_grants.map(count).transpose()?,
        registered_by: by.clone(),
        registered_at: now,
        ended_at: None,
    })
}

/// The end in whole seconds: what is stored is then what was asked for.
fn ends(at: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    if whole > now {
        return Ok(whole);
    }
    let text = "\"expires_at\" must lie in the future.";
    Err(Refusal::new(Code::InvalidMember, text).member("expires_at"))
}

fn count(asked: u64) -> Result<u32, Refusal> {
    let count = u32::try_from(asked).ok().filter(|count| *count > 0);
    count.ok_or_else(|| {
        let text = "\"max_grants\" must be a whole number from 1 on.";
        Refusal::new(Code::InvalidMember, text).member("max_grants")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Interview, Option<String>> {
        let by = Subject::new("backend").unwrap();
        let now = Timestamp::from_second(1_000).unwrap();
        read_new(body.as_bytes(), &by, now).map_err(|refusal| refusal.member)
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        let number = read(r#"{"session_id":"i","subject":"u","expires_at":2000}"#).unwrap();
        let text =
            read(r#"{"session_id":"i","subject":"u","expires_at":"1970-01-01T00:33:20.5Z"}"#);
        assert!(number.is_same_as(&text.unwrap()));
    }

    #[test]
    fn each_wrong_member_is_named() {
        for (body, member) in [
            (r#"{"subject":"u","expires_at":2000}"#, "session_id"),
            (r#"{"session_id":"i","expires_at":2000}"#, "subject"),
            (r#"{"session_id":"i","subject":"u"}"#, "expires_at"),
            (
                r#"{"session_id":"i","subject":"u","expires_at":1000}"#,
                "expires_at",
            ),
            (
                r#"{"session_id":"i","subject":"u","expires_at":2000,"max_grants":0}"#,
                "max_grants",
            ),
            (
                r#"{"session_id":"i","subject":"u","expires_at":true}"#,
                "expires_at",
            ),
        ] {
            assert_eq!(read(body).unwrap_err().as_deref(), Some(member), "{body}");
        }
    }
}
