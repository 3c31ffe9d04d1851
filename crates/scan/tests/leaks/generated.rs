//! Keys of every kind, in every context, in every encoding.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hallpass_scan::{Detector, Rule};

use crate::keys::{Chance, KINDS};

const CONTEXTS: [(&str, &str); 14] = [
    ("const k=\"", "\";"),
    ("{apiKey:`", "`,x:1}"),
    ("KEY=", ",NEXT=1"),
    ("https://x.test/?key=", "&a=1"),
    ("https://x.test/?q=Bearer%20", "%26a"),
    ("<meta content=", ">"),
    ("\"{\\\"k\\\":\\\"", "\\\"}\""),
    ("\"sourcesContent\":[\"export const K='", "'\\nfoo()\"]"),
    ("\"line one\\n", "\\nline two\""),
    ("init(", ")"),
    ("OPENAI_API_KEY=", ""),
    ("{key:", "}"),
    ("Authorization: Bearer ", "\r\n"),
    ("https://u:", "@x.test/"),
];

type Encode = fn(&str, &mut Chance) -> Vec<u8>;

const ENCODINGS: [(&str, Encode); 20] = [
    ("base64", |key, chance| {
        shifted(key, chance, |text| BASE64_STANDARD.encode(text))
    }),
    ("base64url", |key, chance| {
        shifted(key, chance, |text| BASE64_URL_SAFE_NO_PAD.encode(text))
    }),
    ("base64 of utf-16", |key, chance| {
        shifted(key, chance, |text| {
            BASE64_STANDARD.encode(wide(text, false))
        })
    }),
    ("base64 twice", |key, chance| {
        if !key.contains("T3Blb") {
            return key.as_bytes().to_vec();
        }
        shifted(key, chance, |text| {
            BASE64_STANDARD.encode(BASE64_STANDARD.encode(text))
        })
    }),
    ("hex", |key, _| each(key, |byte| format!("{byte:02x}"))),
    ("HEX", |key, _| each(key, |byte| format!("{byte:02X}"))),
    ("percent", |key, _| each(key, |byte| format!("%{byte:02X}"))),
    ("\\x", |key, _| each(key, |byte| format!("\\x{byte:02x}"))),
    ("\\\\x", |key, _| {
        each(key, |byte| format!("\\\\x{byte:02x}"))
    }),
    ("\\u", |key, _| each(key, |byte| format!("\\u{byte:04x}"))),
    ("\\u{}", |key, _| {
        each(key, |byte| format!("\\u{{{byte:x}}}"))
    }),
    ("entities", |key, _| each(key, |byte| format!("&#{byte};"))),
    ("escaped signs", |key, _| {
        key.replace('-', "\\u002d").replace('_', "%5F").into_bytes()
    }),
    ("utf-16 little", |key, _| {
        wide(&format!("k={key};").into_bytes(), false)
    }),
    ("utf-16 big", |key, _| {
        wide(&format!("k={key};").into_bytes(), true)
    }),
    ("codes", |key, _| {
        let codes: Vec<String> = key.bytes().map(|byte| byte.to_string()).collect();
        format!("String.fromCharCode({})", codes.join(",")).into_bytes()
    }),
    ("sum", |key, chance| pieces(key, chance, "+")),
    ("spaced sum", |key, chance| pieces(key, chance, " +\n    ")),
    ("list", |key, chance| {
        let list = String::from_utf8(pieces(key, chance, ", ")).unwrap();
        format!("[{list}].join('')").into_bytes()
    }),
    ("template", |key, chance| {
        let at = 4 + chance.below(key.len() - 8);
        format!("`{}${{\"{}\"}}`", &key[..at], &key[at..]).into_bytes()
    }),
];

fn each(key: &str, write: impl Fn(u8) -> String) -> Vec<u8> {
    key.bytes().map(write).collect::<String>().into_bytes()
}

/// With something before it, so that each alignment comes up.
fn shifted(key: &str, chance: &mut Chance, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let before = chance.pick(&["", "{", "k=", "a: ", "{\"a\":\""]);
    format!("'{}'", encode(format!("{before}{key}").as_bytes())).into_bytes()
}

fn wide(text: &[u8], big: bool) -> Vec<u8> {
    let pair = |byte: &u8| if big { [0, *byte] } else { [*byte, 0] };
    text.iter().flat_map(pair).collect()
}

fn pieces(key: &str, chance: &mut Chance, between: &str) -> Vec<u8> {
    let mut rest = key;
    let mut quoted = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + chance.below(12)).min(rest.len()));
        let mark = chance.pick(&['"', '\'', '`']);
        quoted.push(format!("{mark}{piece}{mark}"));
        rest = after;
    }
    if quoted.len() == 1 {
        quoted.push("''".to_owned());
    }
    quoted.join(between).into_bytes()
}

#[test]
fn every_kind_is_found_whole_in_every_context() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(20_261_123);
    for round in 0..6 {
        for kind in KINDS {
            for (before, after) in CONTEXTS {
                let key = chance.key(kind);
                let text = format!("{before}{key}{after}");
                let found = detector.detect(text.as_bytes());
                let [leak] = found.as_slice() else {
                    panic!("{kind} in {before}…{after}, round {round}: {found:?}");
                };
                assert_eq!(
                    leak.span,
                    before.len()..before.len() + key.len(),
                    "{kind} in {before}…{after}"
                );
                assert!(leak.encodings.is_empty(), "{kind} in {before}…{after}");
            }
        }
    }
}

#[test]
fn every_kind_is_found_in_every_encoding() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(7);
    let mut missed = Vec::new();
    for _ in 0..4 {
        for kind in KINDS {
            for (name, encode) in ENCODINGS {
                let key = chance.key(kind);
                let plain = detector.detect(key.as_bytes());
                let mut text = b"x = ".to_vec();
                text.extend(encode(&key, &mut chance));
                text.extend_from_slice(b"; f()");
                let found = detector.detect(&text);
                let same = found
                    .iter()
                    .any(|leak| leak.fingerprint() == plain[0].fingerprint());
                if !same || found.len() != 1 {
                    missed.push(format!("{kind} as {name}: {found:?}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} of them: {missed:#?}", missed.len());
}

#[test]
fn kinds_are_told_apart() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(3);
    let rules = KINDS.map(|kind| detector.detect(chance.key(kind).as_bytes())[0].rule);
    assert_eq!(
        rules,
        [
            Rule::OpenaiUserKey,
            Rule::OpenaiProjectKey,
            Rule::OpenaiProjectKey,
            Rule::OpenaiProjectKey,
            Rule::OpenaiServiceAccountKey,
            Rule::OpenaiServiceAccountKey,
            Rule::OpenaiServiceAccountKey,
            Rule::OpenaiAdminKey,
            Rule::OpenaiUserKey,
            Rule::OpenaiServiceKey,
            Rule::OpenaiProjectKey,
            Rule::OpenaiClientSecret,
            Rule::HallpassKey,
            Rule::HallpassPass,
        ]
    );
}

#[test]
fn a_key_of_ours_with_a_wrong_checksum_is_none() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(5);
    for kind in ["hallpass-key", "hallpass-pass"] {
        let key = chance.key(kind);
        let last = if key.ends_with('0') { '1' } else { '0' };
        let damaged = format!("{}{last}", &key[..key.len() - 1]);
        assert!(detector.detect(damaged.as_bytes()).is_empty(), "{kind}");
    }
}
