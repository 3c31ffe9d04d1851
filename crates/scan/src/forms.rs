//! The forms of keys: what a needle's hit must be part of.

use memchr::memmem;

use crate::{
    charset::{begins_identifier, begins_token, is_key_byte, run_end, run_start},
    checksum,
    randomness::{HEX_ENTROPY, MARKED_ENTROPY, entropy, is_placeholder, looks_random},
    rule::Rule,
};

/// What stands in the middle of most OpenAI keys.
pub(crate) const MARKER: &[u8] = &[0x54, 0x33, 0x42, 0x6c, 0x62, 0x6b, 0x46, 0x4a];
/// Prefixes that name their kind.
pub(crate) const PREFIXES: [(&[u8], Rule); 5] = [
    (b"sk-proj-", Rule::OpenaiProjectKey),
    (b"sk-svcacct-", Rule::OpenaiServiceAccountKey),
    (b"sk-admin-", Rule::OpenaiAdminKey),
    (b"sk-None-", Rule::OpenaiUserKey),
    (b"sk-service-", Rule::OpenaiServiceKey),
];

/// Characters on each side of the marker that OpenAI is known to use.
const KNOWN_SIDES: [usize; 4] = [20, 47, 58, 74];
/// Characters on a side in every key.
const SIDE: usize = 20;
/// Longest side looked at.
const LONGEST_SIDE: usize = 160;
/// Characters of a body without the marker.
const UNMARKED: std::ops::RangeInclusive<usize> = 40..=400;
/// Hexadecimal digits of a client secret.
const CLIENT_SECRET: std::ops::RangeInclusive<usize> = 32..=256;
/// Characters of the last part of our own keys and passes, with the checksum.
const OWN_TAIL: usize = 32 + checksum::LENGTH;

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) rule: Rule,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The key around OpenAI's marker at `at`.
pub(crate) fn marked(text: &[u8], at: usize) -> Option<Span> {
    let first = run_start(text, at, LONGEST_SIDE + 64, is_key_byte);
    let left = text.get(first..at)?;
    let (rule, offset, body, side) = prefixed(left)
        .or_else(|| unnamed(left))
        .or_else(|| named(text, first, left))?;
    let right_start = at + MARKER.len();
    let right_end = run_end(text, right_start, LONGEST_SIDE, is_key_byte);
    let right = right_end - right_start;
    if right < SIDE {
        return None;
    }
    let end = right_start + right.min(side.max(SIDE));
    let mut sides = left.get(body..)?.to_vec();
    sides.extend_from_slice(text.get(right_start..end)?);
    (entropy(&sides) >= MARKED_ENTROPY).then_some(Span {
        rule,
        start: first + offset,
        end,
    })
}

/// Rule, where the key begins, where its body begins, characters of the side.
type Left = (Rule, usize, usize, usize);

fn prefixed(left: &[u8]) -> Option<Left> {
    let candidates = || {
        PREFIXES
            .iter()
            .filter(|(_, rule)| *rule != Rule::OpenaiServiceKey)
            .flat_map(|(prefix, rule)| {
                memmem::find_iter(left, prefix).map(|at| {
                    let body = at + prefix.len();
                    (*rule, at, body, left.len() - body)
                })
            })
    };
    let known = candidates().find(|(.., side)| KNOWN_SIDES.contains(side));
    known.or_else(|| {
        candidates()
            .filter(|(.., side)| (SIDE..=LONGEST_SIDE).contains(side))
            .min_by_key(|(_, at, ..)| *at)
    })
}

/// `sk-` and twenty letters and digits: the oldest form.
fn unnamed(left: &[u8]) -> Option<Left> {
    let body = left.len().checked_sub(SIDE)?;
    let at = body.checked_sub(3)?;
    let alphanumeric = left.get(body..)?.iter().all(u8::is_ascii_alphanumeric);
    (left.get(at..body)? == b"sk-" && alphanumeric).then_some((Rule::OpenaiUserKey, at, body, SIDE))
}

/// `sk-`, a name, and twenty characters.
fn named(text: &[u8], first: usize, left: &[u8]) -> Option<Left> {
    let body = left.len().checked_sub(SIDE)?;
    let at =
        memmem::find_iter(left.get(..body)?, b"sk-").find(|at| begins_token(text, first + at))?;
    Some((Rule::OpenaiServiceKey, at, body, SIDE))
}

/// The key without the marker whose prefix is at `at`.
pub(crate) fn unmarked(text: &[u8], at: usize, prefix: &[u8], rule: Rule) -> Option<Span> {
    if !begins_token(text, at) {
        return None;
    }
    let start = at + prefix.len();
    let end = run_end(text, start, UNMARKED.end() + 1, is_key_byte);
    let body = text.get(start..end)?;
    if !UNMARKED.contains(&body.len())
        || memmem::find(body, MARKER).is_some()
        || !looks_random(body)
    {
        return None;
    }
    Some(Span {
        rule,
        start: at,
        end,
    })
}

/// The client secret whose `ek_` is at `at`.
pub(crate) fn client_secret(text: &[u8], at: usize) -> Option<Span> {
    if !begins_identifier(text, at) {
        return None;
    }
    let start = at + 3;
    if text.get(start..)?.starts_with(b"hp_") {
        return None;
    }
    let longest = CLIENT_SECRET.end() + 1;
    let digits = run_end(text, start, longest, |byte| byte.is_ascii_hexdigit()) - start;
    let accepts: fn(u8) -> bool = if CLIENT_SECRET.contains(&digits) {
        |byte| byte.is_ascii_alphanumeric()
    } else {
        is_key_byte
    };
    let end = run_end(text, start, longest, accepts);
    let body = text.get(start..end)?;
    let real = if CLIENT_SECRET.contains(&digits) {
        entropy(body) >= HEX_ENTROPY && !is_placeholder(body)
    } else {
        looks_random(body)
    };
    (real && CLIENT_SECRET.contains(&body.len())).then_some(Span {
        rule: Rule::OpenaiClientSecret,
        start: at,
        end,
    })
}

/// Hallpass's own pass whose `ek_hp_` is at `at`.
pub(crate) fn own_pass(text: &[u8], at: usize) -> Option<Span> {
    let id = at + b"ek_hp_".len();
    let id_end = run_end(text, id, 33, |byte| byte.is_ascii_hexdigit());
    (id_end - id == 32).then_some(())?;
    own(text, at, id_end, Rule::HallpassPass)
}

/// Hallpass's own API key whose `hp_` is at `at`.
pub(crate) fn own_key(text: &[u8], at: usize) -> Option<Span> {
    let kind = at + b"hp_".len();
    let kind_end = run_end(text, kind, 16, |byte| byte.is_ascii_lowercase());
    let id = kind_end + 1;
    let id_end = run_end(text, id, 13, |byte| byte.is_ascii_alphanumeric());
    let shaped = kind_end > kind && text.get(kind_end) == Some(&b'_') && id_end - id == 12;
    shaped.then_some(())?;
    own(text, at, id_end, Rule::HallpassKey)
}

fn own(text: &[u8], start: usize, underscore: usize, rule: Rule) -> Option<Span> {
    let end = underscore + 1 + OWN_TAIL;
    let whole = text.get(start..end)?;
    let tail = text.get(underscore + 1..end)?;
    let shaped = text.get(underscore) == Some(&b'_') && tail.iter().all(u8::is_ascii_alphanumeric);
    (shaped && checksum::is_right(whole)).then_some(Span { rule, start, end })
}
