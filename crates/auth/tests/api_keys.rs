//! API keys: what is good, what is refused and why, and what is noted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

#[path = "support/directory.rs"]
mod directory;
mod support;

use std::sync::{Arc, atomic::Ordering};

use directory::Directory;
use hallpass_auth::{ApiKeys, Chain};
use hallpass_core::{
    caller::{Presented, Scheme},
    code::Code,
    hash::{Hasher, InstallKey, Purpose},
    ids::{RoleName, Subject},
    key::{ApiKey, KEY_RANDOM_BYTES, KeyKind},
    ports::{Authenticator as _, KeyDirectory as _, StoredKey},
};
use support::{HandClock, NOW, accepted, at, bearer, chain, refused};

struct Fixture {
    directory: Arc<Directory>,
    chain: Chain,
    key: ApiKey,
}

fn hasher() -> Hasher {
    InstallKey::new([9; 32]).hasher(Purpose::ApiKey)
}

fn stored(key: &ApiKey) -> StoredKey {
    StoredKey {
        id: key.id().clone(),
        kind: key.kind(),
        name: Subject::new("billing").unwrap(),
        hash: hasher().hash(key.expose().as_bytes()),
        roles: vec![RoleName::new("service").unwrap()],
        networks: Vec::new(),
        created_at: at(NOW - 10),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    }
}

/// A chain over one key, changed as the test needs it.
fn fixture(change: impl FnOnce(&mut StoredKey)) -> Fixture {
    let key = ApiKey::generate(KeyKind::Svc, &[5; KEY_RANDOM_BYTES]);
    let directory = Arc::new(Directory::default());
    let mut record = stored(&key);
    change(&mut record);
    directory.put(record);
    let chain = chain().with_api_keys(ApiKeys::new(directory.clone(), hasher()));
    Fixture {
        directory,
        chain,
        key,
    }
}

impl Fixture {
    async fn reason(&self, text: &str) -> (&'static str, Code) {
        let failure = refused(self.chain.authenticate(&bearer(text)).await);
        assert_eq!(failure.scheme, Scheme::ApiKey);
        (failure.reason, failure.code)
    }

    async fn own_reason(&self) -> (&'static str, Code) {
        self.reason(self.key.expose()).await
    }
}

#[tokio::test]
async fn a_good_key_is_a_caller_with_its_name_and_roles() {
    let fixture = fixture(|_| {});
    let presented = bearer(fixture.key.expose());
    let answer = fixture.chain.authenticate(&presented);
    let caller = accepted(answer.await);
    assert_eq!(caller.subject.as_str(), "billing");
    assert_eq!(caller.roles[0].as_str(), "service");
    assert_eq!(&caller.credential, fixture.key.id());
    assert_eq!(caller.scheme, Scheme::ApiKey);
}

#[tokio::test]
async fn each_fault_has_its_reason() {
    let known = fixture(|_| {});
    let text = known.key.expose();
    let other = ApiKey::generate(KeyKind::Svc, &[6; KEY_RANDOM_BYTES]);
    let cut = &text[..text.len() - 1];
    let mistyped = format!("{cut}{}", if text.ends_with('a') { 'b' } else { 'a' });
    let expected = [
        (other.expose(), "key_unknown", Code::InvalidCredential),
        (cut, "key_malformed", Code::MalformedCredential),
        (&mistyped, "key_checksum", Code::MalformedCredential),
        ("hp_", "key_malformed", Code::MalformedCredential),
    ];
    for (text, reason, code) in expected {
        assert_eq!(known.reason(text).await, (reason, code));
    }
}

#[tokio::test]
async fn a_known_id_with_another_secret_is_refused() {
    let zeros = fixture(|key| key.hash = hasher().hash(b"another"));
    let expected = ("key_mismatch", Code::InvalidCredential);
    assert_eq!(zeros.own_reason().await, expected);
    let other_kind = fixture(|key| key.kind = KeyKind::Adm);
    assert_eq!(other_kind.own_reason().await, expected);
}

#[tokio::test]
async fn what_became_of_a_key_is_told_to_its_holder_alone() {
    let revoked = fixture(|key| key.revoked_at = Some(at(NOW - 1)));
    let expected = ("key_revoked", Code::RevokedCredential);
    assert_eq!(revoked.own_reason().await, expected);
    let guessed = fixture(|key| {
        key.revoked_at = Some(at(NOW - 1));
        key.hash = hasher().hash(b"another");
    });
    assert_eq!(guessed.own_reason().await.0, "key_mismatch");
}

#[tokio::test]
async fn a_key_ends_at_its_second() {
    let ended = fixture(|key| key.expires_at = Some(at(NOW)));
    let expected = ("expired", Code::ExpiredCredential);
    assert_eq!(ended.own_reason().await, expected);
    let lasting = fixture(|key| key.expires_at = Some(at(NOW + 1)));
    let presented = bearer(lasting.key.expose());
    let answer = lasting.chain.authenticate(&presented);
    accepted(answer.await);
}

#[tokio::test]
async fn a_key_is_bound_to_its_networks() {
    let bound = fixture(|key| key.networks = vec!["10.0.0.0/8".into(), "::1".into()]);
    for (address, good) in [
        (Some("10.9.8.7"), true),
        (Some("::1"), true),
        (Some("192.0.2.1"), false),
        (None, false),
    ] {
        let presented = Presented {
            address: address.map(|address| address.parse().unwrap()),
            ..bearer(bound.key.expose())
        };
        let answer = bound.chain.authenticate(&presented).await;
        if good {
            accepted(answer);
        } else {
            assert_eq!(refused(answer).reason, "network_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let fixture = fixture(|_| {});
    let presented = bearer(fixture.key.expose());
    accepted(fixture.chain.authenticate(&presented).await);
    let revoked = fixture.directory.revoke(fixture.key.id(), at(NOW)).await;
    assert!(revoked.unwrap());
    assert_eq!(fixture.own_reason().await.0, "key_revoked");
}

#[tokio::test]
async fn a_key_that_was_proven_is_held_against_all_but_its_text() {
    let proven = |fixture: &Fixture, address: &str| Presented {
        proven: Some(fixture.key.id().clone()),
        address: Some(address.parse().unwrap()),
        ..Presented::default()
    };
    let bound = fixture(|key| key.networks = vec!["10.0.0.0/8".into()]);
    let caller = accepted(bound.chain.authenticate(&proven(&bound, "10.1.2.3")).await);
    assert_eq!(caller.credential, *bound.key.id());
    let elsewhere = bound.chain.authenticate(&proven(&bound, "192.0.2.1")).await;
    assert_eq!(refused(elsewhere).reason, "network_not_allowed");
    let ended = fixture(|key| key.expires_at = Some(at(NOW)));
    let answer = ended.chain.authenticate(&proven(&ended, "::1")).await;
    assert_eq!(refused(answer).reason, "expired");
    let revoked = fixture(|_| {});
    let id = revoked.key.id();
    assert!(revoked.directory.revoke(id, at(NOW)).await.unwrap());
    let answer = revoked.chain.authenticate(&proven(&revoked, "::1")).await;
    assert_eq!(refused(answer).reason, "key_revoked");
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let clock = HandClock::at(NOW);
    let fixture = fixture(|_| {});
    let keys = ApiKeys::new(fixture.directory.clone(), hasher());
    let chain = Chain::new(clock.clone()).with_api_keys(keys);
    let presented = bearer(fixture.key.expose());
    for (second, touches) in [(0, 1), (0, 1), (59, 1), (60, 2), (61, 2), (500, 3)] {
        clock.set(NOW + second);
        accepted(chain.authenticate(&presented).await);
        let noted = fixture.directory.touches.load(Ordering::Relaxed);
        assert_eq!(noted, touches, "after {second} s");
    }
}

#[tokio::test]
async fn a_directory_that_is_away_gives_no_caller_and_blames_nobody() {
    let fixture = fixture(|_| {});
    fixture.directory.is_away.store(true, Ordering::Relaxed);
    let expected = ("directory_unavailable", Code::StoreUnavailable);
    assert_eq!(fixture.own_reason().await, expected);
}
