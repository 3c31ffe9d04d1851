//! What one record is found by: of an event, or of the line it became.

use std::{borrow::Cow, net::IpAddr};

use hallpass_core::audit::AuditEvent;
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::{
    facts,
    glance::{OURS, Place, TIME, Text, split, value},
    ocsf::{Class, Kind},
    terms::{About, Term},
};

static ACTOR: Place = Place::new(|| Finder::new(br#""actor":"#));
static ENDPOINT: Place = Place::new(|| Finder::new(br#""src_endpoint":"#));

/// Terms of a record at most.
const MOST: usize = 8;

/// What a record is found by: when it happened, and its terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// In milliseconds.
    pub(crate) time: i64,
    terms: [Option<Term>; MOST],
}

impl Marks {
    /// Of a record that is about to be written.
    pub(crate) fn of(kind: Kind, event: &AuditEvent) -> Self {
        let caller = event.caller.as_deref();
        let request = event.request.as_deref();
        let comes_from = request.filter(|_| kind.class != Class::ApplicationLifecycle);
        let named = event.facts.iter().find(|(name, _)| *name == "grant");
        let issued = event.grant.as_deref();
        let issued = issued.map(|grant| (&grant.id, &grant.lineage));
        let announced = event.draft.as_deref();
        let announced = announced.map(|draft| (&draft.id, &draft.lineage));
        Parts {
            action: kind.name,
            outcome: facts::outcome_name(&event.outcome),
            subject: caller.map(|caller| caller.subject.as_str()),
            session: facts::session_id(event),
            address: comes_from.and_then(|request| request.address),
            named: named.map(|(_, id)| id.as_str()),
            grant: issued
                .or(announced)
                .map(|(id, lineage)| (id.as_str(), lineage.as_str())),
        }
        .at(event.time.as_millisecond())
    }

    /// Of a record's line.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        Indexed::read(line).map(|record| record.marks())
    }

    /// The terms.
    pub(crate) fn terms(&self) -> impl Iterator<Item = Term> {
        self.terms.into_iter().flatten()
    }
}

/// What is indexed of a record.
struct Parts<'a> {
    action: &'a str,
    outcome: &'a str,
    subject: Option<&'a str>,
    session: Option<&'a str>,
    address: Option<IpAddr>,
    /// A grant it is about without carrying it.
    named: Option<&'a str>,
    /// A grant it carries, and that one's lineage.
    grant: Option<(&'a str, &'a str)>,
}

impl Parts<'_> {
    fn at(&self, time: i64) -> Marks {
        let term = |about| move |text: &str| Term::of(about, text);
        let (id, lineage) = self.grant.unzip();
        Marks {
            time,
            terms: [
                Some(Term::of(About::Action, self.action)),
                Some(Term::of(About::Outcome, self.outcome)),
                self.subject.map(term(About::Subject)),
                self.session.map(term(About::Session)),
                self.address.map(Term::of_address),
                self.named.map(term(About::Grant)),
                id.map(term(About::Grant)),
                lineage.map(term(About::Grant)),
            ],
        }
    }
}

/// The parts of a record that are indexed, read without the rest.
#[derive(Deserialize)]
struct Indexed<'a> {
    time: i64,
    #[serde(borrow, default)]
    actor: Actor<'a>,
    #[serde(borrow, default)]
    src_endpoint: Endpoint<'a>,
    #[serde(borrow)]
    unmapped: Unmapped<'a>,
}

#[derive(Default, Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    user: Option<User<'a>>,
}

#[derive(Deserialize)]
struct User<'a> {
    #[serde(borrow)]
    uid: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
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
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Option<Text<'a>>,
    #[serde(borrow)]
    draft: Option<Ids<'a>>,
    #[serde(borrow)]
    grant: Option<Ids<'a>>,
    #[serde(borrow, default)]
    facts: Facts<'a>,
}

#[derive(Deserialize)]
struct Ids<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    lineage: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
struct Facts<'a> {
    #[serde(borrow)]
    grant: Option<Text<'a>>,
}

impl<'a> Indexed<'a> {
    /// Reads what is indexed of a line.
    fn read(line: &'a [u8]) -> Option<Self> {
        // What proves a record is most of it, and is not indexed.
        Self::glance(line).or_else(|| serde_json::from_slice(line).ok())
    }

    /// The same of a line as it is written; none of one that was erased.
    fn glance(line: &'a [u8]) -> Option<Self> {
        let (head, ours) = split(line, &OURS)?;
        let time = value(split(head, &TIME)?.1)?;
        let actor = split(head, &ACTOR).map(|(_, actor)| value(actor));
        let endpoint = split(head, &ENDPOINT).map(|(_, endpoint)| value(endpoint));
        Some(Self {
            time,
            actor: actor.unwrap_or_else(|| Some(Actor::default()))?,
            src_endpoint: endpoint.unwrap_or_else(|| Some(Endpoint::default()))?,
            unmapped: Unmapped {
                hallpass: value(ours)?,
            },
        })
    }

    fn marks(&self) -> Marks {
        let ours = &self.unmapped.hallpass;
        let user = self.actor.user.as_ref();
        let address = self.src_endpoint.ip.as_ref();
        let ids = ours.grant.as_ref().or(ours.draft.as_ref());
        Parts {
            action: &ours.action,
            outcome: &ours.outcome,
            subject: user.and_then(|user| user.uid.as_ref()).map(Text::as_str),
            session: ours.session_id.as_ref().map(Text::as_str),
            address: address.and_then(|address| address.as_str().parse().ok()),
            named: ours.facts.grant.as_ref().map(Text::as_str),
            grant: ids.map(|ids| (&*ids.id, &*ids.lineage)),
        }
        .at(self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found at a glance is what reading the whole line finds.
    fn assert_same(line: &str) {
        let whole: Indexed<'_> = serde_json::from_str(line).unwrap();
        let glance = Indexed::glance(line.as_bytes()).unwrap();
        assert_eq!(glance.marks(), whole.marks());
    }

    #[test]
    fn a_glance_finds_what_reading_all_of_it_finds() {
        let ours = r#""action":"grant.create","phase":"outcome","outcome":"success","session_id":"i-1","draft":{"id":"gr_1","lineage":"ln_1"},"facts":{"grant":"gr_2","actor":"x"},"sequence":4"#;
        let heads = [
            r#""time":5"#,
            r#""time":5,"actor":{"app_name":"Hallpass"},"src_endpoint":{"name":"unknown"}"#,
            r#""time_dt":"x","time":5,"actor":{"user":{"credential_uid":"a","uid":"u \"time\":7"}},"src_endpoint":{"ip":"::1"},"http_request":{"user_agent":"\"actor\":{"}"#,
        ];
        for head in heads {
            assert_same(&format!(
                r#"{{{head},"unmapped":{{"hallpass":{{{ours}}}}},"metadata":{{"time":9}}}}"#
            ));
        }
    }
}
