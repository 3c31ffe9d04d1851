//! A look at a record: what counts and alerts go by, and no more.

use std::borrow::Cow;

use jiff::Timestamp;
use memchr::memmem;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};

use crate::stored::OutcomeKind;

/// What every final record has, and no announcement. Within a text it would
/// have its quotes escaped.
const FINAL: &[u8] = br#""phase":"outcome""#;

/// A part of a final record, read without the rest of it.
#[derive(Debug, Clone)]
pub struct RecordSummary<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// What was done.
    pub action: Cow<'a, str>,
    /// How it went.
    pub outcome: OutcomeKind,
    /// The stable code of a refusal or failure.
    pub code: Option<Cow<'a, str>>,
    /// Whose grant it is about, else who did it.
    pub subject: Option<Cow<'a, str>>,
    /// How they proved it.
    pub scheme: Option<Cow<'a, str>>,
    /// The profile of its grant, or that was asked for.
    pub profile: Option<Cow<'a, str>>,
    /// The mode of its grant, or that was asked for.
    pub mode: Option<Cow<'a, str>>,
    /// Whether it is of a request, and not of the server's own.
    pub is_request: bool,
    facts: Facts<'a>,
}

impl<'a> RecordSummary<'a> {
    /// Reads a line; none where it is no final record, or one that was erased.
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<Self> {
        memmem::find(line, FINAL)?;
        let record: Record<'a> = serde_json::from_slice(line).ok()?;
        let ours = record.unmapped.hallpass;
        let grant = ours.grant.unwrap_or_default();
        let draft = ours.draft.unwrap_or_default();
        let actor = record.actor.and_then(|actor| actor.user);
        // A refusal has neither grant nor draft.
        let fact = |name: &str| ours.facts.get(name).cloned();
        let profile = grant.profile.or(draft.profile).or_else(|| fact("profile"));
        let mode = grant.mode.or(draft.mode).or_else(|| fact("mode"));
        Some(Self {
            time: Timestamp::from_millisecond(record.time).ok()?,
            action: ours.action,
            outcome: ours.outcome,
            code: ours.code,
            subject: grant.subject.or_else(|| actor.and_then(|user| user.uid)),
            scheme: ours.credential.and_then(|it| it.scheme),
            profile,
            mode,
            is_request: record.http_request.is_some(),
            facts: ours.facts,
        })
    }

    /// A further fact, by its name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(|text| &**text)
    }
}

#[derive(Deserialize)]
struct Record<'a> {
    time: i64,
    #[serde(borrow, default)]
    actor: Option<Actor<'a>>,
    #[serde(default)]
    http_request: Option<IgnoredAny>,
    #[serde(borrow)]
    unmapped: Unmapped<'a>,
}

#[derive(Deserialize)]
struct Actor<'a> {
    #[serde(borrow, default)]
    user: Option<User<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow, default)]
    uid: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Unmapped<'a> {
    #[serde(borrow)]
    hallpass: Ours<'a>,
}

#[derive(Deserialize)]
struct Ours<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    outcome: OutcomeKind,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    credential: Option<Credential<'a>>,
    #[serde(borrow, default)]
    grant: Option<Grant<'a>>,
    #[serde(borrow, default)]
    draft: Option<Grant<'a>>,
    #[serde(borrow, default)]
    facts: Facts<'a>,
}

#[derive(Deserialize)]
struct Credential<'a> {
    #[serde(borrow, default)]
    scheme: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Grant<'a> {
    #[serde(borrow, default)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    profile: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mode: Option<Cow<'a, str>>,
}

/// Facts in the order they were written; there are few.
#[derive(Debug, Clone, Default)]
struct Facts<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Facts<'a> {
    fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        let mut facts = self.0.iter();
        facts.find(|(known, _)| known == name).map(|(_, it)| it)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Facts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<'a>(std::marker::PhantomData<&'a ()>);

        impl<'de: 'a, 'a> de::Visitor<'de> for Pairs<'a> {
            type Value = Facts<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("facts")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Facts<'a>, A::Error> {
                let mut facts = Vec::new();
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    facts.push((name, value));
                }
                Ok(Facts(facts))
            }
        }

        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    const MINTED: &str = r#"{"time_dt":"2026-11-22T21:00:00.000Z","time":1795381200000,"actor":{"user":{"uid":"svc"}},"http_request":{"uid":"r","http_method":"POST","url":{"path":"/api/generate-client-secret"},"user_agent":"\"phase\":\"intent\""},"unmapped":{"hallpass":{"action":"grant.create","phase":"outcome","outcome":"success","credential":{"scheme":"api_key","id":"k"},"grant":{"id":"gr_1","subject":"user \"1\"","profile":"interview","mode":"direct"},"facts":{"a":"1","b":"\u0085"}}},"metadata":{"sequence":3}}"#;

    #[test]
    fn what_counts_is_read_and_the_rest_is_not() {
        let seen = RecordSummary::of(MINTED.as_bytes()).unwrap();
        assert_eq!(seen.action, "grant.create");
        assert_eq!(seen.outcome, OutcomeKind::Success);
        assert_eq!(seen.subject.as_deref(), Some("user \"1\""));
        assert_eq!(seen.scheme.as_deref(), Some("api_key"));
        assert_eq!(seen.profile.as_deref(), Some("interview"));
        assert_eq!(seen.mode.as_deref(), Some("direct"));
        assert_eq!((seen.fact("a"), seen.fact("c")), (Some("1"), None));
        assert!(seen.is_request);
    }

    #[test]
    fn an_announcement_an_attempt_and_what_is_no_record_are_passed_over() {
        for phase in ["intent", "attempt"] {
            let line = MINTED.replace("\"phase\":\"outcome\"", &format!("\"phase\":\"{phase}\""));
            assert!(RecordSummary::of(line.as_bytes()).is_none(), "{phase}");
        }
        for line in ["", "{}", "no json", "{\"time\":1,\"unmapped\":{}}"] {
            assert!(RecordSummary::of(line.as_bytes()).is_none(), "{line}");
        }
    }
}
