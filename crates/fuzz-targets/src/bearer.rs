//! Bearer tokens: raw ones, and ones that are signed and so get further.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use hallpass_auth::{Algorithm, Chain, ClaimNames, JwtKeys, JwtSettings, JwtVerifier};
use hallpass_core::{
    Timestamp,
    caller::{Authentication, Caller, Presented},
    ports::Clock,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::{SECRET, noon};

const ISSUER: &str = "https://i.test";
const AUDIENCE: &str = "hallpass";

/// A clock that stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        noon()
    }
}

/// What a chain says of a credential.
pub(crate) fn judge(chain: &Chain, presented: &Presented<'_>) -> Option<Arc<Caller>> {
    let answer = chain.explain(presented, noon()).now_or_never();
    match answer.expect("nothing here waits") {
        Authentication::Authenticated(caller) => Some(caller),
        Authentication::Failed(failure) => {
            assert!(!failure.reason.is_empty() && !failure.detail.is_empty());
            None
        }
        Authentication::NotRequested => None,
    }
}

/// A chain without schemes, at noon.
pub(crate) fn empty_chain() -> Chain {
    Chain::new(Arc::new(Noon))
}

fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let keys = JwtKeys::Secret(SecretString::from(SECRET));
        let mut settings = JwtSettings::new("app", ISSUER, AUDIENCE, [Algorithm::Hs256], keys);
        settings.claims = ClaimNames {
            roles: Some("roles".to_owned()),
            session_id: Some("session_id".to_owned()),
            tenant: Some("tenant.id".to_owned()),
            ..ClaimNames::default()
        };
        let verifier = JwtVerifier::new([settings]).expect("good settings");
        empty_chain().with_jwt(verifier)
    })
}

fn present(authorization: Vec<u8>) -> Presented<'static> {
    Presented {
        authorization: Some(authorization.into()),
        ..Presented::default()
    }
}

/// Signs a header and a payload as they are.
fn signed(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let head = format!("{}.{}", text(header), text(payload));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, head.as_bytes());
    format!("Bearer {head}.{}", text(tag.as_ref())).into_bytes()
}

/// `Authorization` as it comes, and a header that is signed, before the first
/// line feed, with the payload after it.
pub fn jws(input: &[u8]) {
    let raw = [b"Bearer ", input].concat();
    let unsigned =
        judge(chain(), &present(raw)).or_else(|| judge(chain(), &present(input.to_vec())));
    assert!(unsigned.is_none(), "accepted without the key: {unsigned:?}");
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let (header, payload) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if judge(chain(), &present(signed(header, payload))).is_some() {
        let header: Value = serde_json::from_slice(header).expect("an accepted header is JSON");
        assert_eq!(header["alg"], "HS256");
        assert_eq!(header.get("crit"), None);
        assert_claims(payload);
    }
}

/// A payload under a good header and a good signature.
pub fn claims(input: &[u8]) {
    let token = signed(br#"{"alg":"HS256"}"#, input);
    let Some(caller) = judge(chain(), &present(token)) else {
        return;
    };
    let claims = assert_claims(input);
    assert_eq!(claims["sub"], caller.subject.as_str());
    let session = caller.session_id.as_ref().map(|id| id.as_str());
    assert_eq!(claims["session_id"].as_str(), session);
    for role in &caller.roles {
        let listed = claims["roles"].as_array().expect("roles are a list");
        assert!(listed.iter().any(|listed| listed == role.as_str()));
    }
}

/// What is accepted says who, for whom, by whom and until when.
fn assert_claims(payload: &[u8]) -> Value {
    let claims: Value = serde_json::from_slice(payload).expect("an accepted payload is JSON");
    assert_eq!(claims["iss"], ISSUER);
    let named = claims["aud"] == AUDIENCE
        || claims["aud"]
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == AUDIENCE));
    assert!(named, "{claims}");
    let expires = claims["exp"].as_f64().expect("exp is a number");
    assert!(expires + 30.0 > noon().as_second() as f64, "{claims}");
    assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty()));
    claims
}
