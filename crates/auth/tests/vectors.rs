//! Every recorded token gets its verdict, at the recorded time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod support;

use hallpass_auth::{
    Algorithm, Chain, CookieFormat, CookieSettings, SessionCookies,
    jwt::{JwksError, KeySet},
};
use hallpass_core::caller::{Authentication, Caller, Presented};
use secrecy::SecretString;
use serde_json::Value;
use support::{NOW, asymmetric, at, bearer, chain, hs256, jwks};

const JWT: &str = include_str!("vectors/jwt_attacks.json");
const SESSIONS: &str = include_str!("vectors/nextauth.json");

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {row}"))
}

/// What the vectors call the fault, and what we do.
fn fits(why: &str, reason: &str) -> bool {
    let fitting: &[&str] = match why {
        "alg" => &["alg_not_allowed"],
        "signature" => &["signature_invalid", "issuer_mismatch"],
        "kid" => &["kid_unknown"],
        "header" => &[
            "kid_invalid",
            "header_member_refused",
            "json_duplicate_member",
            "json_invalid",
        ],
        "payload" => &[
            "json_duplicate_member",
            "json_invalid",
            "json_not_an_object",
            "subject_invalid",
            "token_too_large",
        ],
        "crit" => &["crit_present"],
        "typ" => &["typ_not_allowed"],
        "malformed" => &[
            "base64_invalid",
            "token_shape",
            "encrypted_token",
            "authorization_malformed",
        ],
        "iss" => &["issuer_mismatch", "issuer_missing"],
        "aud" => &["audience_mismatch", "audience_missing"],
        "sub" => &["subject_invalid", "subject_missing"],
        "exp" => &["expired", "expiry_missing", "time_invalid"],
        "nbf" => &["not_yet_valid", "time_invalid"],
        _ => return true,
    };
    fitting.contains(&reason)
}

#[tokio::test]
async fn every_jwt_gets_its_verdict_and_its_reason() {
    let vectors: Value = serde_json::from_str(JWT).unwrap();
    let config = &vectors["config"];
    let rows = vectors["vectors"].as_array().unwrap();
    for row in rows {
        let verifier = match text(row, "config") {
            "jwks" => jwks(&config["jwks"]["jwks"]),
            _ => hs256(text(&config["hs256"], "secret")),
        };
        let chain = chain().with_jwt(verifier);
        let id = text(row, "id");
        // Twice: what was remembered changes no verdict.
        for _ in 0..2 {
            match chain.explain(&bearer(text(row, "token")), at(NOW)).await {
                Authentication::Authenticated(caller) => {
                    assert_eq!(text(row, "expect"), "accept", "{id}");
                    assert_eq!(caller.roles, [], "{id}");
                }
                Authentication::Failed(failure) => {
                    assert_eq!(text(row, "expect"), "reject", "{id}: {}", failure.reason);
                    assert!(
                        fits(text(row, "why"), failure.reason),
                        "{id}: {}",
                        failure.reason
                    );
                }
                Authentication::NotRequested => panic!("{id}"),
            }
        }
    }
    assert!(rows.len() >= 174);
}

#[test]
fn every_key_document_is_read_as_recorded() {
    let vectors: Value = serde_json::from_str(JWT).unwrap();
    for row in vectors["jwks_documents"].as_array().unwrap() {
        let Some(body) = row["body"].as_str() else {
            continue;
        };
        let set = KeySet::parse(body.as_bytes(), &asymmetric());
        let id = text(row, "id");
        match text(row, "expect") {
            "drop key" | "drop key for ES256" => {
                assert_eq!(set.err(), Some(JwksError::NoneUsable), "{id}");
            }
            "keep last good set, alert" => assert!(set.is_err(), "{id}"),
            _ => assert_eq!(set.unwrap().len(), 3, "{id}"),
        }
        assert!(KeySet::parse(body.as_bytes(), &[Algorithm::Es384]).is_err() || id == "ec-p384");
    }
}

fn session_chain(row: &Value) -> Chain {
    let format = match row["version"].as_u64() {
        Some(4) => CookieFormat::NextAuthV4,
        _ => CookieFormat::AuthJsV5,
    };
    let secrets = row["secrets"].as_array().unwrap().iter();
    let secrets = secrets.map(|secret| SecretString::from(secret.as_str().unwrap()));
    let settings = CookieSettings::new("web", format, text(row, "cookie_name"), secrets.collect());
    chain().with_session_cookie(SessionCookies::new(settings).unwrap())
}

fn session_cookies(row: &Value) -> Vec<(&str, &str)> {
    match row["cookies"].as_object() {
        Some(cookies) => cookies
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect(),
        None => vec![(text(row, "cookie_name"), text(row, "token"))],
    }
}

fn assert_is_recorded(caller: &Caller, row: &Value, id: &str) {
    let claims = &row["claims"];
    if claims.is_null() {
        return;
    }
    assert_eq!(caller.subject.as_str(), text(claims, "sub"), "{id}");
    let expires = caller.expires_at.unwrap().as_second();
    #[allow(clippy::cast_possible_truncation, reason = "seconds fit")]
    let recorded = claims["exp"].as_f64().unwrap() as i64;
    assert_eq!(expires, recorded, "{id}");
}

#[tokio::test]
async fn every_session_gets_its_verdict() {
    let vectors: Value = serde_json::from_str(SESSIONS).unwrap();
    let rows = vectors["vectors"].as_array().unwrap();
    for row in rows {
        let id = text(row, "id");
        let presented = Presented {
            cookies: session_cookies(row),
            ..Presented::default()
        };
        let now = at(row["now"].as_i64().unwrap());
        let answer = session_chain(row).explain(&presented, now).await;
        let expect = text(row, "expect");
        match answer {
            Authentication::Authenticated(caller) => {
                assert!(expect.contains("accept"), "{id}");
                assert_is_recorded(&caller, row, id);
            }
            Authentication::Failed(failure) => {
                assert!(expect.starts_with("reject"), "{id}: {}", failure.reason);
                assert!(!failure.detail.contains("eyJ"), "{id}");
            }
            Authentication::NotRequested => assert_eq!(text(row, "why"), "missing", "{id}"),
        }
    }
    assert!(rows.len() >= 103);
}

#[tokio::test]
async fn the_chunks_are_preferred_to_a_stale_whole() {
    let vectors: Value = serde_json::from_str(SESSIONS).unwrap();
    let rows = vectors["vectors"].as_array().unwrap();
    let stale = rows
        .iter()
        .filter(|row| text(row, "id").ends_with("stale-unchunked"));
    for row in stale {
        let presented = support::cookies(&session_cookies(row));
        let answer = session_chain(row).explain(&presented, at(NOW)).await;
        support::accepted(answer);
    }
}
