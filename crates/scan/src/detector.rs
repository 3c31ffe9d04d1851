//! The search through one text.

use std::{ops::Range, sync::Arc};

use aho_corasick::BuildError;
use zeroize::Zeroizing;

use crate::{
    decode::{self, Encoding, Reading, base64, character_codes, escapes, hexadecimal, utf16},
    fold::{self, Folded},
    forms::{self, Span},
    known::KnownKeys,
    names,
    needles::{Needle, Needles},
    rule::Rule,
};

/// How many encodings may lie within each other.
const DEPTH: usize = 3;
/// Bytes that may be unpacked from gzip within one text.
const UNPACKED: u64 = 16 * 1024 * 1024;
/// Fingerprints of examples that OpenAI publishes in its documentation.
const PUBLISHED: [&str; 1] = ["92eaaa771007cfaa6b7c2dbe5468434d"];
/// Leaks reported of one text; more than that is no accident.
const MOST_LEAKS: usize = 10_000;
/// Different memories of how far readings went: one for each place of base64
/// and one for each other needle that is read.
const MEMORIES: usize = 13;

/// Finds leaked credentials in texts.
#[derive(Debug)]
pub struct Detector {
    needles: Needles,
    known: Option<KnownKeys>,
    witness: Option<Witness>,
}

/// Is shown every credential that is found.
#[derive(Clone)]
struct Witness(Arc<dyn Fn(&Leak) + Send + Sync>);

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

/// A credential that was found. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Leak {
    /// What it is.
    pub rule: Rule,
    /// Where it stands in the text, in bytes; where it is encoded, its run.
    pub span: Range<usize>,
    /// How it was written, from the outside in; empty when plainly.
    pub encodings: Vec<Encoding>,
    /// The name under which the deployment gave its keyed hash.
    pub known_as: Option<String>,
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Leak({} at {:?})", self.rule.id(), self.span)
    }
}

impl Detector {
    /// A detector of every rule.
    ///
    /// # Errors
    ///
    /// When the automaton of all needles can't be built, which depends on
    /// nothing outside this crate.
    pub fn new() -> Result<Self, BuildError> {
        Ok(Self {
            needles: Needles::new()?,
            known: None,
            witness: None,
        })
    }

    /// Shows every find to a witness, who may recognise it as its own.
    #[must_use]
    pub fn with_witness(mut self, witness: impl Fn(&Leak) + Send + Sync + 'static) -> Self {
        self.witness = Some(Witness(Arc::new(witness)));
        self
    }

    /// Looks for these keys too, whatever their form.
    #[must_use]
    pub fn with_known_keys(mut self, known: KnownKeys) -> Self {
        self.known = Some(known);
        self
    }

    /// Every credential in a text, in the order of their places.
    #[must_use]
    pub fn detect(&self, text: &[u8]) -> Vec<Leak> {
        let text = decode::transcoded(text);
        let mut search = Search {
            detector: self,
            leaks: Vec::new(),
            fuel: text.len().saturating_mul(8).saturating_add(1024 * 1024),
            unpacked: UNPACKED,
        };
        search.layer(&text, &Layer::default());
        let leaks = without_doubles(search.leaks);
        if let Some(Witness(witness)) = &self.witness {
            leaks.iter().for_each(|leak| witness(leak));
        }
        leaks
    }
}

/// Where a text that is searched comes from.
#[derive(Default)]
struct Layer {
    encodings: Vec<Encoding>,
    /// The run within the outermost text; none where this is the outermost.
    origin: Option<Range<usize>>,
}

struct Search<'a> {
    detector: &'a Detector,
    leaks: Vec<Leak>,
    /// Bytes that readings may still cost; keeps every text's cost linear.
    fuel: usize,
    unpacked: u64,
}

impl Search<'_> {
    fn layer(&mut self, text: &[u8], layer: &Layer) {
        let mut done = [0; MEMORIES];
        let Needles { automaton, kinds } = &self.detector.needles;
        for hit in automaton.find_overlapping_iter(text) {
            let (at, needle) = (hit.start(), kinds[hit.pattern().as_usize()]);
            if let Some(span) = plain(text, at, needle) {
                self.found(text, span, layer);
                continue;
            }
            if layer.encodings.len() >= DEPTH {
                continue;
            }
            let Some(memory) = memory(needle).and_then(|memory| done.get_mut(memory)) else {
                continue;
            };
            if at >= *memory
                && let Some((encoding, reading)) = self.read(text, at, needle)
            {
                *memory = reading.done;
                self.nested(encoding, &reading, layer);
            }
        }
        self.sums(text, layer);
        self.wrapped(text, layer);
        self.known(text, layer);
    }

    fn found(&mut self, text: &[u8], span: Span, layer: &Layer) {
        if self.leaks.len() >= MOST_LEAKS {
            return;
        }
        let Span {
            mut rule,
            start,
            end,
        } = span;
        let secret = Zeroizing::new(text.get(start..end).unwrap_or_default().to_vec());
        let known_as = self
            .detector
            .known
            .as_ref()
            .and_then(|known| known.name_of(&secret));
        if known_as.is_some() {
            rule = Rule::DeploymentKey;
        }
        let leak = Leak {
            rule,
            span: layer.origin.clone().unwrap_or(start..end),
            encodings: layer.encodings.clone(),
            known_as,
            secret,
        };
        if !PUBLISHED.contains(&leak.fingerprint().as_str()) {
            self.leaks.push(leak);
        }
    }

    fn nested(&mut self, encoding: Encoding, reading: &Reading, layer: &Layer) {
        let cost = reading.span.len() + reading.text.len();
        if reading.text.len() < 20 || self.fuel < cost {
            return;
        }
        self.fuel -= cost;
        let mut encodings = layer.encodings.clone();
        encodings.push(encoding);
        let origin = layer.origin.clone().unwrap_or_else(|| reading.span.clone());
        self.layer(
            &reading.text,
            &Layer {
                encodings,
                origin: Some(origin),
            },
        );
    }

    fn read(&mut self, text: &[u8], at: usize, needle: Needle) -> Option<(Encoding, Reading)> {
        Some(match needle {
            Needle::Base64(place) => (Encoding::Base64, base64(text, at, place)),
            Needle::Hexadecimal => (Encoding::Hexadecimal, hexadecimal(text, at)),
            Needle::Escape => (Encoding::Escapes, escapes(text, at)),
            Needle::Utf16 => (Encoding::Utf16, utf16(text, at)),
            Needle::CharacterCodes => (Encoding::CharacterCodes, character_codes(text, at)?),
            Needle::Begun => (Encoding::Pieces, self.put_together(fold::glued(text, at))?),
            Needle::Packed => (Encoding::Gzip, self.inflate(text, at)?),
            Needle::Join => (Encoding::Pieces, self.put_together(fold::joined(text, at))?),
            Needle::Concat => (
                Encoding::Pieces,
                self.put_together(fold::concatenated(text, at))?,
            ),
            Needle::Template => (
                Encoding::Pieces,
                self.put_together(fold::template(text, at))?,
            ),
            _ => return None,
        })
    }

    fn inflate(&mut self, text: &[u8], at: usize) -> Option<Reading> {
        decode::is_packed_base64(text, at).then_some(())?;
        let reading = decode::inflated(text, at, self.unpacked);
        self.unpacked -= (reading.text.len() as u64).min(self.unpacked);
        // Unpacking is bounded by itself; searching it costs what it is long.
        self.fuel += reading.span.len() + reading.text.len();
        Some(reading)
    }

    /// Literals joined by `+`.
    fn sums(&mut self, text: &[u8], layer: &Layer) {
        if layer.encodings.len() >= DEPTH {
            return;
        }
        let mut done = 0;
        for plus in memchr::memchr_iter(b'+', text) {
            if plus < done || !between_literals(text, plus) {
                continue;
            }
            if let Some(reading) = self.put_together(fold::sum(text, plus)) {
                done = reading.done;
                self.nested(Encoding::Pieces, &reading, layer);
            }
        }
    }

    /// Base64 in lines, which may break every needle.
    fn wrapped(&mut self, text: &[u8], layer: &Layer) {
        if layer.encodings.len() >= DEPTH {
            return;
        }
        let mut done = 0;
        for at in decode::wrapped(text) {
            if at < done {
                continue;
            }
            let reading = base64(text, at, 0);
            done = reading.done;
            self.nested(Encoding::Base64, &reading, layer);
        }
    }

    fn put_together(&mut self, folded: Option<Folded>) -> Option<Reading> {
        let cost = folded.as_ref().map_or(64, |folded| folded.cost);
        self.fuel = self.fuel.checked_sub(cost)?;
        folded.map(|Folded { span, text, .. }| Reading {
            done: span.end,
            span,
            text,
        })
    }

    fn known(&mut self, text: &[u8], layer: &Layer) {
        let detector = self.detector;
        let Some(known) = &detector.known else {
            return;
        };
        for (start, end) in known.candidates(text) {
            if known.name_of(&text[start..end]).is_some() {
                let rule = Rule::DeploymentKey;
                self.found(text, Span { rule, start, end }, layer);
            }
        }
    }
}

fn plain(text: &[u8], at: usize, needle: Needle) -> Option<Span> {
    match needle {
        Needle::Marker => forms::marked(text, at),
        Needle::Prefix(prefix, rule) => forms::unmarked(text, at, prefix, rule),
        Needle::ClientSecret => forms::client_secret(text, at),
        Needle::OwnPass => forms::own_pass(text, at),
        Needle::OwnKey => forms::own_key(text, at),
        Needle::PublicName => names::assigned(text, at),
        _ => None,
    }
}

const fn memory(needle: Needle) -> Option<usize> {
    Some(match needle {
        Needle::Base64(place) => place,
        Needle::Hexadecimal => 4,
        Needle::Escape => 5,
        Needle::Utf16 => 6,
        Needle::CharacterCodes => 7,
        Needle::Packed => 8,
        Needle::Join => 9,
        Needle::Concat => 10,
        Needle::Template => 11,
        Needle::Begun => 12,
        _ => return None,
    })
}

/// A cheap look at the neighbours of a `+`, before the literals are read.
fn between_literals(text: &[u8], plus: usize) -> bool {
    let may_stand = |byte: Option<&u8>| {
        byte.is_some_and(|byte| {
            matches!(byte, b'"' | b'\'' | b'`' | b'\\') || byte.is_ascii_whitespace()
        })
    };
    may_stand(plus.checked_sub(1).and_then(|before| text.get(before)))
        && may_stand(text.get(plus + 1))
}

/// Drops what was found twice: in a text and in a reading of the same text.
fn without_doubles(mut leaks: Vec<Leak>) -> Vec<Leak> {
    leaks.sort_by(|a, b| {
        (a.span.start, a.encodings.len(), b.secret.len()).cmp(&(
            b.span.start,
            b.encodings.len(),
            a.secret.len(),
        ))
    });
    let mut kept: Vec<Leak> = Vec::with_capacity(leaks.len());
    let longest = leaks.iter().map(|leak| leak.span.len()).max().unwrap_or(0);
    for leak in leaks {
        let near = kept
            .iter()
            .rposition(|other| other.span.start + longest < leak.span.start)
            .map_or(0, |at| at + 1);
        let overlapping =
            |other: &Leak| other.span.start < leak.span.end && leak.span.start < other.span.end;
        let covered = kept[near..]
            .iter()
            .any(|other| overlapping(other) && holds(&other.secret, &leak.secret));
        if covered {
            continue;
        }
        let mut at = near;
        while at < kept.len() {
            if overlapping(&kept[at]) && holds(&leak.secret, &kept[at].secret) {
                kept.remove(at);
            } else {
                at += 1;
            }
        }
        kept.push(leak);
    }
    kept
}

fn holds(outer: &[u8], inner: &[u8]) -> bool {
    memchr::memmem::find(outer, inner).is_some()
}
