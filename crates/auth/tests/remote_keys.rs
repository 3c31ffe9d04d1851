//! Keys from an address: one fetch for a flood, none lost, none too old.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hallpass_auth::{
    Algorithm, Chain, FetchError, JwtKeys, JwtSettings, JwtVerifier, KeySource, RemoteKeys,
    RemoteSettings,
};
use hallpass_core::caller::Authentication;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _, SigningKey as _};
use serde_json::{Value, json};
use support::{AUDIENCE, ISSUER, NOW, accepted, at, bearer, chain, refused};
use tokio::time::{advance, sleep};

/// An address that is served by the test.
struct Source {
    document: Mutex<Result<Vec<u8>, FetchError>>,
    fetches: AtomicUsize,
    takes: Duration,
}

#[async_trait]
impl KeySource for Source {
    async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        sleep(self.takes).await;
        self.document.lock().unwrap().clone()
    }
}

impl Source {
    fn new(signers: &[&Signer]) -> Arc<Self> {
        Arc::new(Self {
            document: Mutex::new(Ok(document(signers))),
            fetches: AtomicUsize::new(0),
            takes: Duration::from_millis(50),
        })
    }

    fn publish(&self, signers: &[&Signer]) {
        *self.document.lock().unwrap() = Ok(document(signers));
    }

    fn answer(&self, answer: Result<&str, &str>) {
        let answer = answer.map(|text| text.as_bytes().to_vec());
        *self.document.lock().unwrap() = answer.map_err(|text| FetchError(text.to_owned()));
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

struct Signer {
    kid: String,
    pair: KeyPair,
}

impl Signer {
    fn new(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self {
            kid: kid.to_owned(),
            pair,
        }
    }

    fn token(&self) -> String {
        self.token_named(&self.kid)
    }

    fn token_named(&self, kid: &str) -> String {
        self.token_with(json!({ "alg": "EdDSA", "kid": kid }))
    }

    fn token_with(&self, header: Value) -> String {
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": NOW + 600 });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn document(signers: &[&Signer]) -> Vec<u8> {
    let keys = signers.iter().map(|signer| {
        let x = URL_SAFE_NO_PAD.encode(signer.pair.der_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": signer.kid, "x": x, "use": "sig" })
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
        .to_string()
        .into_bytes()
}

fn remote(source: &Arc<Source>) -> (Arc<Chain>, Arc<RemoteKeys>) {
    remote_with(RemoteSettings::new(source.clone()))
}

fn remote_with(settings: RemoteSettings) -> (Arc<Chain>, Arc<RemoteKeys>) {
    let keys = JwtKeys::Remote(settings);
    let algorithms = [Algorithm::EdDsa, Algorithm::Es256];
    let settings = JwtSettings::new("app", ISSUER, AUDIENCE, algorithms, keys);
    let verifier = JwtVerifier::new([settings]).unwrap();
    let (_, keys) = verifier.remote_keys().next().unwrap();
    let keys = Arc::clone(keys);
    (Arc::new(chain().with_jwt(verifier)), keys)
}

async fn verdict(chain: &Chain, token: &str) -> Authentication {
    chain.explain(&bearer(token), at(NOW)).await
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unknown_names_cause_one_fetch_in_a_cooldown() {
    let signer = Signer::new("a");
    let source = Source::new(&[&signer]);
    let (chain, keys) = remote(&source);
    keys.refresh().await.unwrap();
    let tokens: Vec<_> = (0..10_000)
        .map(|n| signer.token_named(&format!("r{n}")))
        .collect();
    for token in &tokens {
        assert_eq!(refused(verdict(&chain, token).await).reason, "kid_unknown");
    }
    assert_eq!(source.fetches(), 2, "the first and one for the flood");
    advance(Duration::from_secs(30)).await;
    for token in &tokens[..100] {
        refused(verdict(&chain, token).await);
    }
    assert_eq!(source.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_under_load_refuses_nobody_and_fetches_once() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let source = Source::new(&[&old]);
    let (chain, keys) = remote(&source);
    keys.refresh().await.unwrap();
    source.publish(&[&old, &new]);
    let requests = (0..500).map(|n| {
        let chain = Arc::clone(&chain);
        let token = if n % 2 == 0 { old.token() } else { new.token() };
        tokio::spawn(async move { verdict(&chain, &token).await })
    });
    let requests: Vec<_> = requests.collect();
    for request in requests {
        accepted(request.await.unwrap());
    }
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_fetch_do_not_fetch_again() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let source = Source::new(&[&old]);
    let (chain, keys) = remote_with(RemoteSettings {
        cooldown: Duration::ZERO,
        ..RemoteSettings::new(source.clone())
    });
    keys.refresh().await.unwrap();
    source.publish(&[&old, &new]);
    let requests = (0..20).map(|_| {
        let (chain, token) = (Arc::clone(&chain), new.token());
        tokio::spawn(async move { verdict(&chain, &token).await })
    });
    for request in requests.collect::<Vec<_>>() {
        accepted(request.await.unwrap());
    }
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_used_with_its_own_algorithm_alone() {
    let signer = Signer::new("a");
    let (chain, _keys) = remote(&Source::new(&[&signer]));
    let token = signer.token_with(json!({ "alg": "ES256", "kid": "a" }));
    let failure = refused(verdict(&chain, &token).await);
    assert_eq!(failure.reason, "alg_not_allowed");
}

#[tokio::test(start_paused = true)]
async fn a_token_may_leave_its_key_unnamed_only_where_one_fits() {
    let (one, other) = (Signer::new("a"), Signer::new("b"));
    let token = one.token_with(json!({ "alg": "EdDSA" }));
    let (alone, _keys) = remote(&Source::new(&[&one]));
    accepted(verdict(&alone, &token).await);
    let (several, _keys) = remote(&Source::new(&[&one, &other]));
    let failure = refused(verdict(&several, &token).await);
    assert_eq!(failure.reason, "kid_missing");
}

#[tokio::test(start_paused = true)]
async fn the_first_token_waits_for_the_first_fetch() {
    let signer = Signer::new("a");
    let source = Source::new(&[&signer]);
    let (chain, keys) = remote(&source);
    assert!(!keys.is_ready());
    accepted(verdict(&chain, &signer.token()).await);
    assert!(keys.is_ready());
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_token_goes_with_the_key_that_proved_it() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let source = Source::new(&[&old]);
    let (chain, keys) = remote(&source);
    accepted(verdict(&chain, &old.token()).await);
    source.publish(&[&new]);
    keys.refresh().await.unwrap();
    let failure = refused(verdict(&chain, &old.token()).await);
    assert_eq!(failure.reason, "kid_unknown");
    accepted(verdict(&chain, &new.token()).await);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_set_serves_while_the_source_fails_but_not_for_ever() {
    let signer = Signer::new("a");
    let source = Source::new(&[&signer]);
    let (chain, keys) = remote(&source);
    keys.refresh().await.unwrap();
    for answer in [
        Ok("<html>login</html>"),
        Ok(r#"{"keys":[]}"#),
        Ok(r#"{"keys":[{"kid":"a"},{"kid":"a"}]}"#),
        Err("refused"),
    ] {
        source.answer(answer);
        keys.refresh().await.unwrap_err();
        assert!(keys.fault().is_some());
        accepted(verdict(&chain, &signer.token()).await);
    }
    advance(Duration::from_hours(24)).await;
    let failure = refused(verdict(&chain, &signer.token()).await);
    assert_eq!(failure.reason, "keys_unavailable");
    assert!(failure.code.is_failure());
    source.publish(&[&signer]);
    keys.refresh().await.unwrap();
    assert!(keys.fault().is_none());
    accepted(verdict(&chain, &signer.token()).await);
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_is_given_up_in_time() {
    let signer = Signer::new("a");
    let mut slow = Source::new(&[&signer]);
    Arc::get_mut(&mut slow).unwrap().takes = Duration::from_hours(1);
    let (chain, _keys) = remote(&slow);
    let before = tokio::time::Instant::now();
    let failure = refused(verdict(&chain, &signer.token()).await);
    assert_eq!(failure.reason, "keys_unavailable");
    assert_eq!(before.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_does_not_use_up_the_cooldown() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let source = Source::new(&[&old]);
    let (chain, keys) = remote(&source);
    keys.refresh().await.unwrap();
    source.publish(&[&old, &new]);
    let token = new.token();
    let presented = bearer(&token);
    let hung_up = tokio::time::timeout(
        Duration::from_millis(10),
        chain.explain(&presented, at(NOW)),
    );
    assert!(hung_up.await.is_err());
    sleep(Duration::from_secs(1)).await;
    accepted(verdict(&chain, &token).await);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_renewed_at_their_interval_and_sooner_after_a_failure() {
    let signer = Signer::new("a");
    let source = Source::new(&[&signer]);
    let (_chain, keys) = remote(&source);
    let renewal = tokio::spawn(async move { keys.renew_forever().await });
    sleep(Duration::from_secs(299)).await;
    assert_eq!(source.fetches(), 1);
    source.answer(Err("refused"));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(source.fetches(), 2);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(source.fetches(), 5, "after 1, 2 and 4 seconds more");
    renewal.abort();
}
