//! What a record can be found by, and the filter that remembers it.

use std::{borrow::Cow, collections::HashSet};

use memchr::memmem::Finder;
use serde::Deserialize;

use crate::{
    chain::Hash,
    glance::{OURS, Place, TIME, Text, split, value},
    search::Query,
};

static ACTOR: Place = Place::new(|| Finder::new(br#""actor":"#));
static ENDPOINT: Place = Place::new(|| Finder::new(br#""src_endpoint":"#));

/// Bytes of one block of the filter: a cache line, one read.
pub(crate) const BLOCK: usize = 64;
/// Bits of the filter a term is given.
const BITS_PER_TERM: usize = 12;
/// Bits a term sets within its block.
const PROBES: u32 = 8;

/// A term as the filter knows it.
pub(crate) type Term = u64;

fn term(kind: u8, value: &str) -> Term {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(value.as_bytes());
    hashed(&bytes)
}

fn hashed(bytes: &[u8]) -> Term {
    let [a, b, c, d, e, f, g, h, ..] = *Hash::of(bytes).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The terms of a segment's records. Most come again and again: they are
/// hashed once.
#[derive(Default)]
pub(crate) struct Terms {
    seen: HashSet<Box<[u8]>>,
    terms: Vec<Term>,
    text: Vec<u8>,
}

impl Terms {
    /// Of so many records, or about so many.
    pub(crate) fn of_records(count: usize) -> Self {
        Self {
            seen: HashSet::with_capacity(count),
            ..Self::default()
        }
    }

    fn add(&mut self, kind: u8, value: &str) {
        self.text.clear();
        self.text.push(kind);
        self.text.extend_from_slice(value.as_bytes());
        if !self.seen.contains(&*self.text) {
            self.seen.insert(self.text.as_slice().into());
            self.terms.push(hashed(&self.text));
        }
    }
}

const SUBJECT: u8 = b's';
const GRANT: u8 = b'g';
const SESSION: u8 = b'i';
const ACTION: u8 = b'n';
const OUTCOME: u8 = b'o';
const ADDRESS: u8 = b'a';

/// The terms a query needs; a segment without one of them holds nothing for it.
pub(crate) fn of_query(query: &Query) -> Vec<Term> {
    let texts = [
        (SUBJECT, query.subject.clone()),
        (GRANT, query.grant.clone()),
        (SESSION, query.session.clone()),
        (ACTION, query.action.clone()),
        (OUTCOME, query.outcome.map(|outcome| outcome.to_string())),
        (ADDRESS, query.address.map(|address| address.to_string())),
    ];
    let given = texts
        .into_iter()
        .filter_map(|(kind, text)| Some((kind, text?)));
    given.map(|(kind, text)| term(kind, &text)).collect()
}

/// The parts of a record that are indexed, read without the rest.
#[derive(Deserialize)]
pub(crate) struct Indexed<'a> {
    pub(crate) time: i64,
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
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
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

    /// Adds the record's terms to those of its segment.
    pub(crate) fn add_to(&self, terms: &mut Terms) {
        let ours = &self.unmapped.hallpass;
        let mut add = |kind, text: &str| terms.add(kind, text);
        add(ACTION, &ours.action);
        add(OUTCOME, &ours.outcome);
        let user = self.actor.user.as_ref();
        let optional = [
            (SUBJECT, user.and_then(|user| user.uid.as_ref())),
            (SESSION, ours.session_id.as_ref()),
            (ADDRESS, self.src_endpoint.ip.as_ref()),
            (GRANT, ours.facts.grant.as_ref()),
        ];
        for (kind, text) in optional {
            if let Some(text) = text {
                add(kind, text.as_str());
            }
        }
        for ids in [&ours.draft, &ours.grant].into_iter().flatten() {
            add(GRANT, &ids.id);
            add(GRANT, &ids.lineage);
        }
    }
}

/// Which block of so many a term belongs to.
pub(crate) fn block_of(term: Term, blocks: u64) -> u64 {
    // The upper half chooses the block, the lower half the bits.
    (term >> 32) % blocks
}

fn bits(term: Term) -> impl Iterator<Item = usize> {
    // Two halves of the lower word, combined: Kirsch and Mitzenmacher's way.
    let (start, step) = (term as u32 & 0xffff, (term as u32 >> 16) | 1);
    (0..PROBES).map(move |n| (start.wrapping_add(n.wrapping_mul(step)) % 512) as usize)
}

/// Whether a block may hold a term.
pub(crate) fn may_hold(block: &[u8; BLOCK], term: Term) -> bool {
    bits(term).all(|bit| block[bit / 8] & 1 << (bit % 8) != 0)
}

/// The filter of a segment's terms.
pub(crate) fn filter(Terms { terms, .. }: &Terms) -> Vec<[u8; BLOCK]> {
    let count = (terms.len() * BITS_PER_TERM).div_ceil(BLOCK * 8).max(1);
    let mut blocks = vec![[0; BLOCK]; count];
    for &term in terms {
        let at = usize::try_from(block_of(term, count as u64)).unwrap_or(0);
        bits(term).for_each(|bit| blocks[at][bit / 8] |= 1 << (bit % 8));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found at a glance is what reading the whole line finds.
    fn assert_same(line: &str) {
        let texts = |record: Option<Indexed<'_>>| {
            let mut terms = Terms::default();
            let record = record.unwrap();
            record.add_to(&mut terms);
            let mut texts: Vec<_> = terms.seen.into_iter().collect();
            texts.sort_unstable();
            (record.time, texts)
        };
        let whole = serde_json::from_str(line).ok();
        assert_eq!(texts(Indexed::glance(line.as_bytes())), texts(whole));
    }

    #[test]
    fn a_glance_finds_what_reading_all_of_it_finds() {
        let ours = r#""action":"grant.create","phase":"outcome","outcome":"success","session_id":"i-1","draft":{"id":"gr_1","lineage":"ln_1"},"grant":{"id":"gr_1","lineage":"ln_1","subject":"else"},"facts":{"grant":"gr_2","actor":"x"},"sequence":4"#;
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

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let mut terms = Terms::default();
        (0..20_000).for_each(|n| terms.add(GRANT, &n.to_string()));
        let blocks = filter(&terms);
        let found = |term| {
            let at = block_of(term, blocks.len() as u64) as usize;
            may_hold(&blocks[at], term)
        };
        assert!((0..20_000).all(|n| found(term(GRANT, &n.to_string()))));
        let others = (0..20_000).map(|n| term(SUBJECT, &n.to_string()));
        let wrong = others.filter(|&term| found(term)).count();
        assert!(wrong < 600, "{wrong} of 20,000");
    }
}
