//! What authentication costs: each kind of credential by itself, and the whole
//! step a request takes before anything is decided.
//!
//! `cargo xtask bench auth` runs this and writes docs/performance.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a measurement stops by panicking"
)]

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use hallpass_auth::{
    Algorithm, ApiKeys, Chain, CookieFormat, CookieSettings, JwtKeys, JwtSettings, JwtVerifier,
    SessionCookies, cookies, jwt::sign_hs256,
};
use hallpass_core::{
    Timestamp,
    caller::{Authentication, Presented},
    hash::{InstallKey, Purpose},
    ids::{CredentialId, RequestId, RoleName, Subject},
    key::{ApiKey, KEY_RANDOM_BYTES, KeyKind},
    ports::{Clock, KeyDirectory, StoreError, StoredKey},
    request::RequestFacts,
};
use hallpass_http::front_guard::{FrontGuard, FrontLimits};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::fakes::{FakeQuotas, World};

#[path = "../../core/tests/it/fakes.rs"]
mod fakes;

const JWT: &str = include_str!("../../auth/tests/vectors/jwt_attacks.json");
const SESSIONS: &str = include_str!("../../auth/tests/vectors/nextauth.json");

/// The time at which the recorded credentials are good.
const NOW: i64 = 1_795_348_800;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// A header that carries a credential.
#[derive(Clone)]
enum Sent {
    Authorization(String),
    Cookie(String),
}

impl Sent {
    fn presented(&self) -> Presented<'_> {
        let mut presented = Presented {
            address: Some([192, 0, 2, 1].into()),
            ..Presented::default()
        };
        match self {
            Self::Authorization(text) => {
                presented.authorization = Some(text.as_bytes().into());
            }
            Self::Cookie(text) => presented.cookies = cookies::parse(text.as_bytes()).unwrap(),
        }
        presented
    }
}

/// A kind of credential: its name, one of it, and a chain that takes it.
struct Kind {
    name: &'static str,
    sent: Sent,
    chain: fn() -> Chain,
    /// Whether what was verified is remembered.
    remembered: bool,
}

fn kinds() -> Vec<Kind> {
    let token = |name, sent: String, chain| Kind {
        name,
        sent: Sent::Authorization(format!("Bearer {sent}")),
        chain,
        remembered: true,
    };
    let session = |name, id, chain| Kind {
        name,
        sent: Sent::Cookie(recorded_session(id)),
        chain,
        remembered: false,
    };
    vec![
        token("HS256", shared_token(), hs256),
        token("RS256", recorded_token("ok-aud-array"), jwks),
        token("ES256", recorded_token("ok-es256"), jwks),
        token("EdDSA", recorded_token("ok-eddsa"), jwks),
        session("NextAuth v4 session", "v4-basic", next_auth_v4),
        session("Auth.js v5 session", "v5-default-maxage", authjs_v5),
        Kind {
            remembered: false,
            ..token("API key", api_key().expose().to_owned(), api_keys)
        },
    ]
}

fn chain() -> Chain {
    Chain::new(Arc::new(Standing))
}

fn vectors() -> Value {
    serde_json::from_str(JWT).unwrap()
}

fn row(vectors: &str, id: &str) -> Value {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let rows = vectors["vectors"].as_array().unwrap();
    rows.iter().find(|row| row["id"] == id).unwrap().clone()
}

fn recorded_token(id: &str) -> String {
    row(JWT, id)["token"].as_str().unwrap().to_owned()
}

fn recorded_session(id: &str) -> String {
    let row = row(SESSIONS, id);
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    format!("theme=dark; {}={}", text("cookie_name"), text("token"))
}

fn issuer(algorithms: &[Algorithm], keys: JwtKeys) -> Chain {
    let recorded = &vectors()["config"]["jwks"];
    let text = |name: &str| recorded[name].as_str().unwrap();
    let settings = JwtSettings::new("app", text("issuer"), text("audience"), algorithms, keys);
    chain().with_jwt(JwtVerifier::new([settings]).unwrap())
}

fn jwks() -> Chain {
    let document = vectors()["config"]["jwks"]["jwks"].to_string();
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    issuer(&algorithms, JwtKeys::Jwks(document))
}

fn secret() -> SecretString {
    SecretString::from("0123456789abcdef".repeat(4))
}

fn hs256() -> Chain {
    issuer(&[Algorithm::Hs256], JwtKeys::Secret(secret()))
}

fn shared_token() -> String {
    let recorded = &vectors()["config"]["jwks"];
    let claims = json!({
        "iss": recorded["issuer"], "aud": recorded["audience"], "sub": "user-1",
        "iat": NOW - 60, "exp": NOW + 600,
    });
    sign_hs256(&secret(), &claims).unwrap()
}

fn sessions(format: CookieFormat, id: &str) -> Chain {
    let row = row(SESSIONS, id);
    let secret = row["secrets"][0].as_str().unwrap();
    let cookie = row["cookie_name"].as_str().unwrap();
    let secrets = vec![SecretString::from(secret)];
    let settings = CookieSettings::new("web", format, cookie, secrets);
    chain().with_session_cookie(SessionCookies::new(settings).unwrap())
}

fn next_auth_v4() -> Chain {
    sessions(CookieFormat::NextAuthV4, "v4-basic")
}

fn authjs_v5() -> Chain {
    sessions(CookieFormat::AuthJsV5, "v5-default-maxage")
}

fn api_key() -> ApiKey {
    ApiKey::generate(KeyKind::Svc, &[7; KEY_RANDOM_BYTES])
}

fn api_keys() -> Chain {
    let hasher = InstallKey::new([7; 32]).hasher(Purpose::ApiKey);
    let key = api_key();
    let stored = StoredKey {
        id: key.id().clone(),
        kind: KeyKind::Svc,
        hash: hasher.hash(key.expose().as_bytes()),
        name: Subject::new("backend").unwrap(),
        roles: vec![RoleName::new("service").unwrap()],
        networks: Vec::new(),
        created_at: now(),
        expires_at: None,
        revoked_at: None,
        replaced_by: None,
        last_used_at: None,
    };
    let directory = Held(Mutex::new(HashMap::from([(key.id().clone(), stored)])));
    chain().with_api_keys(ApiKeys::new(Arc::new(directory), hasher))
}

/// Keys in memory, as the registry holds them too.
struct Held(Mutex<HashMap<CredentialId, StoredKey>>);

#[async_trait]
impl KeyDirectory for Held {
    async fn find(&self, id: &CredentialId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }
    async fn insert(&self, _: &StoredKey) -> Result<(), StoreError> {
        Ok(())
    }
    async fn list(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(Vec::new())
    }
    async fn revoke(&self, _: &CredentialId, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn supersede(
        &self,
        _: &CredentialId,
        _: &CredentialId,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn touch(&self, _: &CredentialId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

fn judge(chain: &Chain, sent: &Sent) {
    let answer = chain.explain(&sent.presented(), now()).now_or_never();
    assert!(matches!(answer, Some(Authentication::Authenticated(_))));
}

/// Each kind, seen for the first time.
fn first(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("first");
    for kind in kinds() {
        group.bench_function(kind.name, |bench| {
            if !kind.remembered {
                let chain = (kind.chain)();
                return bench.iter(|| judge(&chain, black_box(&kind.sent)));
            }
            // A chain of its own, so that nothing is remembered.
            bench.iter_batched_ref(
                kind.chain,
                |chain| judge(chain, black_box(&kind.sent)),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Tokens that were verified before.
fn again(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("again");
    for kind in kinds().into_iter().filter(|kind| kind.remembered) {
        let chain = (kind.chain)();
        group.bench_function(kind.name, |bench| {
            bench.iter(|| judge(&chain, black_box(&kind.sent)));
        });
    }
}

/// From the header's bytes to a known caller: front guard, credential,
/// revocations, and the watch for what is odd.
fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    for kind in kinds() {
        let world = World::assemble(Arc::new(FakeQuotas::Open), Arc::new((kind.chain)()));
        let guard = FrontGuard::new(FrontLimits {
            per_address_per_minute: 600,
            spare_loopback: true,
            bad_keys_per_minute: 10,
            bad_credentials_per_minute: 60,
            spare_loopback_credentials: true,
        });
        let facts = Arc::new(RequestFacts {
            id: RequestId::new("req_1").unwrap(),
            method: "POST",
            route: "/api/generate-client-secret",
            address: Some([192, 0, 2, 1].into()),
            user_agent: None,
            origin: None,
        });
        group.bench_function(kind.name, |bench| {
            bench.iter(|| {
                let presented = kind.sent.presented();
                let known = guard.authenticate(&world.broker, &facts, black_box(&presented));
                assert!(known.now_or_never().is_some_and(|known| known.is_ok()));
            });
        });
    }
}

criterion_group! {
    name = auth;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .without_plots();
    targets = first, again, step
}
criterion_main!(auth);
