//! Shapes a key has in real bundles, sources and dumps.

use base64::{Engine, prelude::BASE64_STANDARD};
use hallpass_scan::Detector;

use crate::keys::{Chance, KINDS};

/// A shape: how a key is written in it.
type Shape = (&'static str, fn(&str) -> String);

/// A key as two or three parts, the first within its prefix.
fn parts(key: &str) -> (&str, &str, &str) {
    (&key[..5], &key[5..20], &key[20..])
}

const SHAPES: [Shape; 23] = [
    ("a chain of concat", |key| {
        let (a, b, c) = parts(key);
        format!("x(\"{a}\".concat(\"{b}\").concat('{c}'))")
    }),
    ("a sum within parentheses", |key| {
        let (a, b, c) = parts(key);
        format!("const k = (\"{a}\" + \"{b}\") + \"{c}\";")
    }),
    ("a sum with comments between", |key| {
        let (a, b, c) = parts(key);
        format!("\"{a}\" + // first\n  \"{b}\" /* second */ + \"{c}\"")
    }),
    ("literals side by side, as Python and C join them", |key| {
        let (a, b, c) = parts(key);
        format!("API_KEY = (\n    \"{a}\"\n    '{b}'\n    \"{c}\"\n)\n")
    }),
    ("dots, as PHP and Perl join", |key| {
        let (a, b, c) = parts(key);
        format!("$k = '{a}' . '{b}'.\"{c}\";")
    }),
    ("two dots, as Lua joins", |key| {
        let (a, b, c) = parts(key);
        format!("local k = \"{a}\" .. \"{b}\"..\"{c}\"")
    }),
    ("a literal over several lines", |key| {
        let (a, b, c) = parts(key);
        format!("k=\"{a}\\\n{b}\\\r\n{c}\"")
    }),
    ("a list joined by the sign between its parts", |key| {
        let sign = if key.starts_with("sk") { '-' } else { '_' };
        let list: Vec<String> = key.split(sign).map(|part| format!("\"{part}\"")).collect();
        format!("[{}].join(\"{sign}\")", list.join(","))
    }),
    ("a list with a trailing comma", |key| {
        let (a, b, c) = parts(key);
        format!("[\n  \"{a}\",\n  \"{b}\",\n  \"{c}\",\n].join(\"\")")
    }),
    ("pretty character codes", |key| {
        let codes: Vec<String> = key.bytes().map(|byte| byte.to_string()).collect();
        format!(
            "{{\"type\":\"Buffer\",\"data\":[\n    {}\n  ]}}",
            codes.join(",\n    ")
        )
    }),
    ("hexadecimal character codes", |key| {
        let codes: Vec<String> = key.bytes().map(|byte| format!("0x{byte:02x}")).collect();
        format!("new Uint8Array([{}])", codes.join(","))
    }),
    ("spaced hexadecimal character codes", |key| {
        let codes: Vec<String> = key.bytes().map(|byte| format!("0x{byte:02X}")).collect();
        format!("{{ {} }};", codes.join(", "))
    }),
    ("octal escapes", |key| {
        key.bytes().map(|byte| format!("\\{byte:03o}")).collect()
    }),
    ("base64 of an environment file", |key| {
        let file = format!("NODE_ENV=production\nOPENAI_API_KEY={key}\nPORT=3000\n");
        format!("  .env: {}", BASE64_STANDARD.encode(file))
    }),
    ("wrapped and indented base64", |key| {
        wrapped(&format!("A=1\nOPENAI_API_KEY=\"{key}\"\n"), "\n      ")
    }),
    ("wrapped base64 within a literal", |key| {
        wrapped(&format!("A=12345\nOPENAI_API_KEY=\"{key}\"\n"), "\\n")
    }),
    ("base64 in pieces", |key| {
        let whole = BASE64_STANDARD.encode(format!("{{\"k\":\"{key}\"}}"));
        let (a, b) = whole.split_at(21);
        format!("atob(\"{a}\"+\"{b}\")")
    }),
    ("JSON in an attribute", |key| {
        format!("<div data-props=\"{{&quot;k&quot;:&quot;{key}&quot;}}\">")
    }),
    ("JSON in an attribute, signs as entities", |key| {
        let key = key.replace('-', "&#x2D;").replace('_', "&lowbar;");
        format!("<div data-props='{{&#34;k&#34;:&#34;{key}&#34;}}'>")
    }),
    ("JSON within JSON within JSON", |key| {
        format!("{{\"a\":\"{{\\\"b\\\":\\\"{{\\\\\\\"k\\\\\\\":\\\\\\\"{key}\\\\\\\"}}\\\"}}\"}}")
    }),
    ("behind a quote escaped twice in an address", |key| {
        format!("?state=%257B%2522k%2522%253A%2522{key}%2522%257D")
    }),
    ("behind an escaped quote", |key| {
        format!("a\\042{key}\\042 b\\x27{key}")
    }),
    ("a React flight chunk", |key| {
        format!(
            "self.__next_f.push([1,\"7:[\\\"$\\\",\\\"$L9\\\",null,{{\\\"apiKey\\\":\\\"{key}\\\"}}]\\n\"])"
        )
    }),
];

/// Base64 of a text in lines of 64 digits.
fn wrapped(text: &str, line_break: &str) -> String {
    let digits = BASE64_STANDARD.encode(text);
    let lines: Vec<&str> = digits
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("data: |{line_break}{}", lines.join(line_break))
}

#[test]
fn every_kind_is_found_in_every_shape() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(2_611);
    let mut missed = std::collections::BTreeSet::new();
    for _ in 0..4 {
        for kind in KINDS {
            for (shape, write) in SHAPES {
                let key = chance.key(kind);
                let plain = detector.detect(key.as_bytes());
                let found = detector.detect(write(&key).as_bytes());
                let same = found
                    .iter()
                    .any(|leak| leak.fingerprint() == plain[0].fingerprint());
                if !same {
                    missed.insert(format!("{shape}: {kind}"));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} of them: {missed:#?}", missed.len());
}
