//! Which keys of a document are used, and which documents are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_auth::{
    Algorithm,
    jwt::{JwksError, KeySet, MAX_JWKS_BYTES, MAX_JWKS_KEYS},
};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _};
use serde_json::{Value, json};

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];

fn parse(keys: &[Value]) -> Result<KeySet, JwksError> {
    let document = json!({ "keys": keys }).to_string();
    KeySet::parse(document.as_bytes(), &ALGORITHMS)
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn ed25519(kid: &str) -> Value {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.der_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })
}

fn p256(kid: &str) -> Value {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (x, y) = pair.der_bytes()[1..].split_at(32);
    let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
}

/// A key whose numbers are chosen; none need be prime to be read.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Value {
    let [n, e] = [modulus, exponent].map(|number| URL_SAFE_NO_PAD.encode(number));
    json!({ "kty": "RSA", "kid": "rsa", "n": n, "e": e })
}

/// An odd number of so many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut number = vec![0xa7; bits.div_ceil(8)];
    if !bits.is_multiple_of(8) {
        number[0] = 1 << (bits % 8 - 1);
    }
    number
}

fn dropped_for(key: Value) -> &'static str {
    let set = parse(&[ed25519("good"), key]).unwrap();
    assert_eq!(set.len(), 1);
    set.dropped()[0].reason
}

#[test]
fn keys_of_each_type_are_used() {
    let keys = [
        ed25519("a"),
        p256("b"),
        rsa(&modulus(2048), &[1, 0, 1]),
        with(ed25519("c"), "alg", json!("Ed25519")),
        with(p256("d"), "key_ops", json!(["verify"])),
        with(
            with(p256("e"), "use", json!("sig")),
            "x5c",
            json!(["ignored"]),
        ),
    ];
    let set = parse(&keys).unwrap();
    assert_eq!((set.len(), set.dropped()), (6, &[][..]));
}

#[test]
fn secret_private_and_encryption_keys_are_dropped() {
    let oct = json!({ "kty": "oct", "kid": "o", "k": "AAAA", "alg": "HS256" });
    assert!(dropped_for(oct).contains("secret"));
    assert!(dropped_for(with(p256("b"), "d", json!("AA"))).contains("private"));
    assert!(dropped_for(with(p256("b"), "use", json!("enc"))).contains("use"));
    assert!(dropped_for(with(p256("b"), "use", Value::Null)).contains("use"));
    let operations = json!(["encrypt", "wrapKey"]);
    assert!(dropped_for(with(p256("b"), "key_ops", operations)).contains("key_ops"));
    assert!(dropped_for(with(p256("b"), "kid", json!(7))).contains("kid"));
    assert!(dropped_for(json!("key")).contains("object"));
}

#[test]
fn weak_and_impossible_keys_are_dropped() {
    let exponent = [1, 0, 1];
    for bits in [512, 1024, 2040, 2047, 8193] {
        let key = rsa(&modulus(bits), &exponent);
        assert!(dropped_for(key).contains("bits"), "{bits}");
    }
    let padded = [vec![0; 200], modulus(1024)].concat();
    assert!(dropped_for(rsa(&padded, &exponent)).contains("bits"));
    let mut even = modulus(2048);
    even[255] = 2;
    assert!(dropped_for(rsa(&even, &exponent)).contains("even"));
    for exponent in [&[1][..], &[0, 1], &[0], &[], &[2], &[1, 0, 0, 0, 1]] {
        let key = rsa(&modulus(2048), exponent);
        assert!(dropped_for(key).contains("exponent"), "{exponent:?}");
    }
    let off = URL_SAFE_NO_PAD.encode([7; 32]);
    assert!(dropped_for(with(p256("b"), "y", json!(off))).contains("curve"));
    let short = URL_SAFE_NO_PAD.encode([7; 31]);
    assert!(dropped_for(with(p256("b"), "y", json!(short))).contains("length"));
    assert!(dropped_for(with(ed25519("b"), "x", json!(short))).contains("length"));
    assert!(dropped_for(with(p256("b"), "x", json!("a b"))).contains("base64url"));
    assert!(dropped_for(json!({ "kty": "RSA", "kid": "b" })).contains("lacks"));
}

#[test]
fn a_key_of_no_configured_algorithm_is_dropped() {
    assert!(dropped_for(with(p256("b"), "alg", json!("ES384"))).contains("alg"));
    assert!(dropped_for(with(p256("b"), "alg", json!("none"))).contains("alg"));
    assert!(dropped_for(with(p256("b"), "alg", json!("RS256"))).contains("algorithm"));
    assert!(dropped_for(with(p256("b"), "crv", json!("secp256k1"))).contains("algorithm"));
    assert!(dropped_for(with(ed25519("b"), "crv", json!("X25519"))).contains("algorithm"));
}

#[test]
fn a_document_that_cannot_be_trusted_is_refused_whole() {
    let twice = [ed25519("a"), ed25519("a")];
    assert_eq!(parse(&twice).err(), Some(JwksError::DuplicateKid));
    let one_unusable = [ed25519("a"), json!({ "kty": "oct", "kid": "a" })];
    assert_eq!(parse(&one_unusable).err(), Some(JwksError::DuplicateKid));
    let many: Vec<_> = (0..=MAX_JWKS_KEYS)
        .map(|n| json!({ "kid": n.to_string() }))
        .collect();
    assert_eq!(parse(&many).err(), Some(JwksError::TooMany));
    assert_eq!(parse(&[]).err(), Some(JwksError::NoneUsable));
    for (document, fault) in [
        ("{}", JwksError::NoKeys),
        (r#"{"keys":{}}"#, JwksError::NoKeys),
        ("[]", JwksError::Json("json_not_an_object")),
        ("<html>", JwksError::Json("json_invalid")),
        (
            r#"{"keys":[],"keys":[]}"#,
            JwksError::Json("json_duplicate_member"),
        ),
    ] {
        let refused = KeySet::parse(document.as_bytes(), &ALGORITHMS).err();
        assert_eq!(refused, Some(fault), "{document}");
    }
    let large = vec![b' '; MAX_JWKS_BYTES + 1];
    let refused = KeySet::parse(&large, &ALGORITHMS).err();
    assert_eq!(refused, Some(JwksError::TooLarge));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeySet::parse(&bytes, &ALGORITHMS);
    }

    #[test]
    fn no_members_panic(
        kty in "RSA|EC|OKP|oct|.{0,3}",
        crv in "P-256|P-384|Ed25519|.{0,3}",
        x in "[A-Za-z0-9_-]{0,90}",
        y in "[A-Za-z0-9_-]{0,90}",
    ) {
        let key = json!({ "kty": kty, "crv": crv, "x": x, "y": y, "n": x, "e": y });
        let _ = parse(&[key]);
    }
}
