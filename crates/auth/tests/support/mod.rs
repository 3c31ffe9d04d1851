//! What the tests of this crate share.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::{Arc, Mutex};

use hallpass_auth::{Algorithm, Chain, JwtKeys, JwtSettings, JwtVerifier};
use hallpass_core::{
    Timestamp,
    caller::{AuthFailure, Authentication, Caller, Presented},
    ports::Clock,
};
use secrecy::SecretString;
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://issuer.example.test";
pub(crate) const AUDIENCE: &str = "hallpass";
/// The `now` of the vectors.
pub(crate) const NOW: i64 = 1_795_348_800;

/// A clock that is set by hand.
pub(crate) struct HandClock(Mutex<Timestamp>);

impl HandClock {
    pub(crate) fn at(second: i64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(at(second))))
    }

    pub(crate) fn set(&self, second: i64) {
        *self.0.lock().unwrap() = at(second);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn chain() -> Chain {
    Chain::new(HandClock::at(NOW))
}

/// The asymmetric algorithms of the vectors' first configuration.
pub(crate) fn asymmetric() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
}

pub(crate) fn jwks(document: &Value) -> JwtVerifier {
    let keys = JwtKeys::Jwks(document.to_string());
    JwtVerifier::new([JwtSettings::new(
        "app",
        ISSUER,
        AUDIENCE,
        asymmetric(),
        keys,
    )])
    .unwrap()
}

pub(crate) fn hs256(secret: &str) -> JwtVerifier {
    let keys = JwtKeys::Secret(SecretString::from(secret));
    let algorithms = [Algorithm::Hs256];
    JwtVerifier::new([JwtSettings::new("app", ISSUER, AUDIENCE, algorithms, keys)]).unwrap()
}

pub(crate) fn bearer(token: &str) -> Presented<'static> {
    authorization(&format!("Bearer {token}"))
}

pub(crate) fn authorization(value: &str) -> Presented<'static> {
    Presented {
        authorization: Some(value.as_bytes().to_vec().into()),
        ..Presented::default()
    }
}

pub(crate) fn cookies<'a>(cookies: &[(&'a str, &'a str)]) -> Presented<'a> {
    Presented {
        cookies: cookies.to_vec(),
        ..Presented::default()
    }
}

pub(crate) fn accepted(authentication: Authentication) -> Caller {
    match authentication {
        Authentication::Authenticated(caller) => Arc::unwrap_or_clone(caller),
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) fn refused(authentication: Authentication) -> AuthFailure {
    match authentication {
        Authentication::Failed(failure) => failure,
        other => panic!("not refused: {other:?}"),
    }
}
