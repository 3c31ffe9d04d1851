//! A look at a record: what counts and alerts go by, and no more.

use std::borrow::Cow;

use hallpass_core::audit::Action;
use jiff::Timestamp;
use memchr::memmem::Finder;
use serde::{Deserialize, Deserializer, de};

use crate::{
    glance::{OURS, Place, TIME, Text, split, value},
    stored::OutcomeKind,
};

static USER: Place = Place::new(|| Finder::new(br#""actor":{"user":{"uid":"#));
static REQUEST: Place = Place::new(|| Finder::new(br#""http_request":"#));
/// What every final record has among its own facts, and no announcement.
static FINAL: Place = Place::new(|| Finder::new(br#""phase":"outcome""#));

/// A part of a final record, read without the rest of it.
#[derive(Debug, Clone)]
pub struct RecordSummary<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// What was done; none where this version does not know it.
    pub action: Option<Action>,
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
    pub(crate) facts: Facts<'a>,
}

impl<'a> RecordSummary<'a> {
    /// Reads a line; none where it is no final record, or one that was erased.
    #[must_use]
    pub fn of(line: &'a [u8]) -> Option<Self> {
        // Every record of the trail passes here, for each who counts: so only
        // what is asked for is read, and what proves the record is not.
        let (head, ours) = split(line, &OURS)?;
        split(ours, &FINAL)?;
        let ours: Ours<'a> = value(ours)?;
        let time = value(split(head, &TIME)?.1)?;
        let grant = ours.grant.unwrap_or_default();
        let draft = ours.draft.unwrap_or_default();
        let user = || value(split(head, &USER)?.1);
        // A refusal has neither grant nor draft.
        let named = |of_grant: Option<Text<'a>>, name: &str| {
            let text = of_grant.map(Text::into_inner);
            text.or_else(|| ours.facts.get(name))
        };
        let profile = named(grant.profile.or(draft.profile), "profile");
        let mode = named(grant.mode.or(draft.mode), "mode");
        Some(Self {
            time: Timestamp::from_millisecond(time).ok()?,
            action: ours.action.parse().ok(),
            outcome: ours.outcome,
            code: ours.code.map(Text::into_inner),
            subject: grant.subject.or_else(user).map(Text::into_inner),
            scheme: ours
                .credential
                .and_then(|it| it.scheme)
                .map(Text::into_inner),
            profile,
            mode,
            is_request: split(head, &REQUEST).is_some(),
            facts: ours.facts,
        })
    }

    /// A further fact, by its name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.find(name)
    }
}

#[derive(Deserialize)]
struct Ours<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    outcome: OutcomeKind,
    #[serde(borrow, default)]
    code: Option<Text<'a>>,
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
    scheme: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Grant<'a> {
    #[serde(borrow, default)]
    subject: Option<Text<'a>>,
    #[serde(borrow, default)]
    profile: Option<Text<'a>>,
    #[serde(borrow, default)]
    mode: Option<Text<'a>>,
}

/// Facts in the order they were written; there are few.
#[derive(Debug, Clone)]
pub(crate) enum Facts<'a> {
    /// As a line tells them.
    Read(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// As an event has them.
    Told(&'a [(&'static str, String)]),
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Self::Told(&[])
    }
}

impl<'a> Facts<'a> {
    /// A fact, as long as what it was read from.
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        match self {
            Self::Read(facts) => among(facts, name).map(|(_, it)| it.clone()),
            Self::Told(facts) => among(facts, name).map(|(_, it)| it.into()),
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        match self {
            Self::Read(facts) => among(facts, name).map(|(_, it)| &**it),
            Self::Told(facts) => among(facts, name).map(|(_, it)| it.as_str()),
        }
    }
}

fn among<'f, N: AsRef<str>, T>(facts: &'f [(N, T)], name: &str) -> Option<&'f (N, T)> {
    facts.iter().find(|(known, _)| known.as_ref() == name)
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
                Ok(Facts::Read(facts))
            }
        }

        deserializer.deserialize_map(Pairs(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINTED: &str = r#"{"time_dt":"2026-11-22T21:00:00.000Z","time":1795381200000,"actor":{"user":{"uid":"svc"}},"http_request":{"uid":"r","http_method":"POST","url":{"path":"/api/generate-client-secret"},"user_agent":"\"phase\":\"intent\""},"unmapped":{"hallpass":{"action":"grant.create","phase":"outcome","outcome":"success","credential":{"scheme":"api_key","id":"k"},"grant":{"id":"gr_1","subject":"user \"1\"","profile":"interview","mode":"direct"},"facts":{"a":"1","b":"\u0085"}}},"metadata":{"sequence":3}}"#;

    #[test]
    fn what_counts_is_read_and_the_rest_is_not() {
        let seen = RecordSummary::of(MINTED.as_bytes()).unwrap();
        assert_eq!(seen.action, Some(Action::GrantCreate));
        assert_eq!(seen.outcome, OutcomeKind::Success);
        assert_eq!(seen.subject.as_deref(), Some("user \"1\""));
        assert_eq!(seen.scheme.as_deref(), Some("api_key"));
        assert_eq!(seen.profile.as_deref(), Some("interview"));
        assert_eq!(seen.mode.as_deref(), Some("direct"));
        assert_eq!((seen.fact("a"), seen.fact("c")), (Some("1"), None));
        assert!(seen.is_request);
    }

    #[test]
    fn a_text_cannot_pose_as_what_stands_around_it() {
        let posing = r#"\"time\":1,\"actor\":{\"user\":{\"uid\":\"eve\"}},\"unmapped\":{\"hallpass\":{\"action\":\"x\",\"phase\":\"outcome\"}}"#;
        let line = MINTED
            .replace("2026-11-22T21:00:00.000Z", posing)
            .replace("\"uid\":\"r\"", &format!("\"uid\":\"{posing}\""))
            .replace("\"subject\":\"user \\\"1\\\"\",", "");
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
        let seen = RecordSummary::of(line.as_bytes()).unwrap();
        assert_eq!(seen.action, Some(Action::GrantCreate));
        assert_eq!(seen.subject.as_deref(), Some("svc"));
        assert_eq!(seen.time.as_millisecond(), 1_795_381_200_000);
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
