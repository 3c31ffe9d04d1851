//! Claims, settings and several issuers, beyond the recorded tokens.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod support;

use std::time::Duration;

use hallpass_auth::{
    Algorithm, Chain, ClaimNames, JwtKeys, JwtSettings, JwtVerifier, SettingsError, jwt,
};
use hallpass_core::caller::Authentication;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use support::{AUDIENCE, ISSUER, NOW, accepted, at, bearer, chain, refused};

const SECRET: &str = "a-secret-for-tests-that-guards-nothing";

fn settings(issuer: &str, secret: &str) -> JwtSettings {
    let keys = JwtKeys::Secret(SecretString::from(secret));
    let mut settings = JwtSettings::new("app", issuer, AUDIENCE, [Algorithm::Hs256], keys);
    settings.claims = ClaimNames {
        roles: Some("realm_access.roles".to_owned()),
        session_id: Some("https://app.test/session".to_owned()),
        tenant: Some("org".to_owned()),
        ..ClaimNames::default()
    };
    settings
}

fn with(settings: impl IntoIterator<Item = JwtSettings>) -> Chain {
    chain().with_jwt(JwtVerifier::new(settings).unwrap())
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": NOW, "exp": NOW + 600,
    });
    let members = more.as_object().unwrap().clone();
    claims.as_object_mut().unwrap().extend(members);
    claims
}

fn sign(secret: &str, claims: &Value) -> String {
    jwt::sign_hs256(&SecretString::from(secret), claims).unwrap()
}

async fn verdict(chain: &Chain, token: &str, second: i64) -> Authentication {
    chain.explain(&bearer(token), at(second)).await
}

async fn reason(chain: &Chain, more: Value) -> &'static str {
    let token = sign(SECRET, &claims(&more));
    refused(verdict(chain, &token, NOW).await).reason
}

#[tokio::test]
async fn claims_are_found_by_name_and_by_path() {
    let chain = with([settings(ISSUER, SECRET)]);
    let token = sign(
        SECRET,
        &claims(&json!({
            "realm_access": { "roles": ["candidate", "admin"] },
            "https://app.test/session": "int-7",
            "org": "acme",
        })),
    );
    let caller = accepted(verdict(&chain, &token, NOW).await);
    let roles: Vec<_> = caller.roles.iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["candidate", "admin"]);
    assert_eq!(caller.session_id.unwrap().as_str(), "int-7");
    assert_eq!(caller.tenant.unwrap().as_str(), "acme");
    assert_eq!(caller.issued_at, Some(at(NOW)));
    assert_eq!(caller.expires_at, Some(at(NOW + 600)));
    assert_eq!(caller.credential.as_str(), "app");
}

#[tokio::test]
async fn only_an_array_of_names_gives_roles() {
    let chain = with([settings(ISSUER, SECRET)]);
    for roles in [
        json!("admin"),
        json!({"admin": true}),
        json!(["admin", 7]),
        json!([""]),
    ] {
        let token = sign(
            SECRET,
            &claims(&json!({ "realm_access": { "roles": roles } })),
        );
        assert_eq!(accepted(verdict(&chain, &token, NOW).await).roles, []);
    }
}

#[tokio::test]
async fn a_token_does_not_lose_what_it_is_bound_to() {
    let chain = with([settings(ISSUER, SECRET)]);
    for value in [json!(7), json!(["int-7"]), json!(""), json!("a\nb")] {
        let session = json!({ "https://app.test/session": value });
        assert_eq!(reason(&chain, session).await, "session_id_invalid");
        assert_eq!(
            reason(&chain, json!({ "org": value })).await,
            "tenant_invalid"
        );
    }
    let none = sign(SECRET, &claims(&json!({ "org": null })));
    assert_eq!(accepted(verdict(&chain, &none, NOW).await).tenant, None);
}

#[tokio::test]
async fn a_longest_life_catches_milliseconds_and_excess() {
    let mut short = settings(ISSUER, SECRET);
    short.max_lifetime = Some(Duration::from_hours(1));
    let chain = with([short]);
    let ends = |exp: i64| json!({ "exp": exp });
    assert_eq!(reason(&chain, ends(NOW + 3601)).await, "lifetime_too_long");
    assert_eq!(reason(&chain, ends(NOW * 1000)).await, "time_invalid");
    let token = sign(SECRET, &claims(&ends(NOW + 3600)));
    accepted(verdict(&chain, &token, NOW).await);
}

#[tokio::test]
async fn a_remembered_token_still_ends() {
    let chain = with([settings(ISSUER, SECRET)]);
    let token = sign(SECRET, &claims(&json!({ "nbf": NOW })));
    for _ in 0..3 {
        accepted(verdict(&chain, &token, NOW + 629).await);
        let ended = refused(verdict(&chain, &token, NOW + 630).await);
        assert_eq!(ended.reason, "expired");
        let early = refused(verdict(&chain, &token, NOW - 31).await);
        assert_eq!(early.reason, "not_yet_valid");
    }
}

#[tokio::test]
async fn each_issuer_has_its_own_keys_and_audience() {
    let other_secret = "another-secret-for-tests-of-no-value";
    let other_issuer = "https://other.example.test";
    let chain = with([
        settings(ISSUER, SECRET),
        settings(other_issuer, other_secret),
    ]);
    accepted(verdict(&chain, &sign(SECRET, &claims(&json!({}))), NOW).await);
    let other = claims(&json!({ "iss": other_issuer }));
    accepted(verdict(&chain, &sign(other_secret, &other), NOW).await);
    let crossed = refused(verdict(&chain, &sign(SECRET, &other), NOW).await);
    assert_eq!(crossed.reason, "signature_invalid");
    assert_eq!(
        reason(&chain, json!({ "iss": "https://third.test" })).await,
        "issuer_mismatch"
    );
    assert_eq!(
        reason(&chain, json!({ "iss": [ISSUER] })).await,
        "issuer_mismatch"
    );
}

#[tokio::test]
async fn one_issuer_may_have_two_audiences_with_a_key_each() {
    let other_secret = "another-secret-for-tests-of-no-value";
    let mut second = settings(ISSUER, other_secret);
    second.audiences = vec!["calls".to_owned()];
    let chain = with([settings(ISSUER, SECRET), second]);
    let token = sign(other_secret, &claims(&json!({ "aud": "calls" })));
    accepted(verdict(&chain, &token, NOW).await);
    let crossed = sign(other_secret, &claims(&json!({})));
    refused(verdict(&chain, &crossed, NOW).await);
}

#[tokio::test]
async fn a_pem_key_has_the_algorithm_of_its_type() {
    let all = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    for (kind, alg) in [(&PKCS_ECDSA_P256_SHA256, "ES256"), (&PKCS_ED25519, "EdDSA")] {
        let pair = KeyPair::generate_for(kind).unwrap();
        let keys = JwtKeys::Pem(pem(&pair));
        let issuer = JwtSettings::new("app", ISSUER, AUDIENCE, all, keys);
        let chain = with([issuer]);
        let token = sign_with(&pair, alg);
        accepted(verdict(&chain, &token, NOW).await);
        let confused = sign(&pem(&pair), &claims(&json!({})));
        assert_eq!(
            refused(verdict(&chain, &confused, NOW).await).reason,
            "alg_not_allowed"
        );
    }
}

/// Anyone can make a second signature of an ECDSA one, and so a second token.
#[tokio::test]
async fn two_signatures_of_one_token_are_one_principal() {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let keys = JwtKeys::Pem(pem(&pair));
    let issuer = JwtSettings::new("app", ISSUER, AUDIENCE, [Algorithm::Es256], keys);
    let chain = with([issuer]);
    let token = sign_with(&pair, "ES256");
    let twin = with_negated_s(&token);
    assert_ne!(token, twin);
    let caller = accepted(verdict(&chain, &token, NOW).await);
    assert_eq!(caller, accepted(verdict(&chain, &twin, NOW).await));
}

/// The order of P-256, in bytes.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn with_negated_s(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (place, order) in ORDER.iter().enumerate().rev() {
        let digit = i16::from(*order) - i16::from(signature[32 + place]) - borrow;
        borrow = i16::from(digit < 0);
        signature[32 + place] = digit.rem_euclid(256).to_le_bytes()[0];
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn pem(pair: &KeyPair) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let body = STANDARD.encode(pair.subject_public_key_info());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

/// Signs the usual claims with an asymmetric key.
fn sign_with(pair: &KeyPair, alg: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg }).to_string());
    let payload = URL_SAFE_NO_PAD.encode(claims(&json!({})).to_string());
    let signed = format!("{header}.{payload}");
    let mut signature = pair.sign(signed.as_bytes()).unwrap();
    if alg == "ES256" {
        signature = fixed(&signature);
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A DER signature as two numbers of 32 bytes.
fn fixed(der: &[u8]) -> Vec<u8> {
    let mut numbers = &der[2..];
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let (number, rest) = numbers[2..].split_at(usize::from(numbers[1]));
        let number = &number[number.len().saturating_sub(32)..];
        fixed.extend(std::iter::repeat_n(0, 32 - number.len()));
        fixed.extend(number);
        numbers = rest;
    }
    fixed
}

#[test]
fn settings_that_cannot_hold_are_refused() {
    let refused = |change: &dyn Fn(&mut JwtSettings)| {
        let mut settings = settings(ISSUER, SECRET);
        change(&mut settings);
        JwtVerifier::new([settings]).err()
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(
        refused(&|s| s.issuer.clear()),
        Some(SettingsError::Missing("issuer"))
    );
    assert_eq!(
        refused(&|s| s.audiences.clear()),
        Some(SettingsError::Missing("audience"))
    );
    assert_eq!(
        refused(&|s| s.leeway = Duration::from_secs(121)),
        Some(SettingsError::Leeway)
    );
    assert_eq!(
        refused(&|s| s.keys = JwtKeys::Secret("short".into())),
        Some(SettingsError::SecretTooShort(32))
    );
    assert_eq!(
        refused(&|s| s.algorithms = vec![Algorithm::Hs256, Algorithm::Rs256]),
        Some(SettingsError::Algorithms)
    );
    // A public key next to an HS algorithm is how keys get confused.
    assert_eq!(
        refused(&|s| s.keys = JwtKeys::Jwks(r#"{"keys":[]}"#.into())),
        Some(SettingsError::Algorithms)
    );
    let asymmetric = |s: &mut JwtSettings, keys| {
        s.algorithms = vec![Algorithm::Rs256];
        s.keys = keys;
    };
    let not_pem = refused(&|s| asymmetric(s, JwtKeys::Pem("MIIB".into())));
    assert!(matches!(not_pem, Some(SettingsError::PublicKey(_))));
    let empty = refused(&|s| asymmetric(s, JwtKeys::Jwks(r#"{"keys":[]}"#.into())));
    assert_eq!(empty, Some(SettingsError::Jwks(jwt::JwksError::NoneUsable)));
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let other_type = refused(&|s| asymmetric(s, JwtKeys::Pem(pem(&pair))));
    assert_eq!(other_type, Some(SettingsError::Algorithms));
}
