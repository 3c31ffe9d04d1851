//! What was answered is there after the file was closed and opened again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failure here fails the test"
)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hallpass_core::{
    grant::Grant,
    ids::CredentialId,
    ports::{GrantFilter, Grants, KeyDirectory},
};
use hallpass_store_sqlite::{Database, Flusher, Progress, SqliteGrants, SqliteKeys};
use hallpass_testkit::{
    clock::moment,
    contract::{grants::grant, keys::key},
};

/// A trail that is durable up to a number.
#[derive(Default)]
struct Upto(AtomicU64);

impl Progress for Upto {
    fn next_sequence(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

async fn open(dir: &Path) -> Database {
    Database::open(&dir.join("hallpass.db")).await.unwrap()
}

async fn stored(dir: &Path) -> Vec<Grant> {
    let database = open(dir).await;
    let all = GrantFilter {
        limit: 100,
        ..GrantFilter::default()
    };
    let grants = SqliteGrants::new(database.clone()).list(&all).await;
    database.close().await;
    grants.unwrap()
}

#[tokio::test]
async fn every_change_of_a_key_is_in_the_file_when_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let keys = SqliteKeys::load(open(dir.path()).await).await.unwrap();
    for (id, second) in [("a", 1), ("b", 2), ("c", 3)] {
        keys.insert(&key(id, second)).await.unwrap();
    }
    let named = |id: &str| CredentialId::new(id).unwrap();
    let when = moment(1_800_000_500);
    keys.revoke(&named("a"), when).await.unwrap();
    keys.supersede(&named("b"), &named("c"), when)
        .await
        .unwrap();
    keys.touch(&named("c"), when).await.unwrap();
    // Nothing is closed: another process reads what this one answered.
    let other = SqliteKeys::load(open(dir.path()).await).await.unwrap();
    assert_eq!(other.list().await.unwrap(), keys.list().await.unwrap());
}

#[tokio::test]
async fn a_usable_key_is_neither_revoked_nor_over() {
    let dir = tempfile::tempdir().unwrap();
    let keys = SqliteKeys::load(open(dir.path()).await).await.unwrap();
    let now = moment(1_800_000_500);
    assert!(!keys.any_usable(now));
    let mut over = key("over", 0);
    over.expires_at = Some(now);
    let mut revoked = key("revoked", 0);
    revoked.revoked_at = Some(now);
    keys.insert(&over).await.unwrap();
    keys.insert(&revoked).await.unwrap();
    keys.revoke(&revoked.id, now).await.unwrap();
    assert!(!keys.any_usable(now));
    keys.insert(&key("good", 0)).await.unwrap();
    assert!(keys.any_usable(now));
}

#[tokio::test]
async fn a_stopped_flusher_has_written_what_waited() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).await;
    let grants = Arc::new(SqliteGrants::new(database.clone()));
    let trail = Arc::new(Upto(AtomicU64::new(12)));
    let flusher = Flusher::new(grants.clone(), trail);
    for number in 0..150 {
        grants.record(grant(number, 0).into()).await.unwrap();
    }
    flusher.run(std::future::ready(()), || {}).await;
    assert_eq!(grants.waiting(), 0);
    assert_eq!(grants.followed().await.unwrap(), 12);
    database.close().await;
    assert_eq!(stored(dir.path()).await.len(), 100, "a page");
}

#[tokio::test]
async fn a_running_flusher_writes_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let database = open(dir.path()).await;
    let grants = Arc::new(SqliteGrants::new(database.clone()));
    let trail = Arc::new(Upto::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let flusher = Flusher::new(grants.clone(), trail.clone());
    let running = tokio::spawn(flusher.run(async { drop(stopped.await) }, || {}));
    trail.0.store(2, Ordering::SeqCst);
    grants.record(grant(1, 0).into()).await.unwrap();
    // The cursor moves in the transaction that writes the grant.
    while grants.followed().await.unwrap() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stored(dir.path()).await, [grant(1, 0)]);
    drop(stop);
    running.await.unwrap();
}

#[tokio::test]
async fn restoring_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let grants = SqliteGrants::new(open(dir.path()).await);
    let (one, two) = (grant(1, 0), grant(2, 1));
    grants.restore(std::slice::from_ref(&one), 4).await.unwrap();
    let mut changed = one.clone();
    changed.secret_last4 = "zzzz".to_owned();
    grants.restore(&[changed, two.clone()], 9).await.unwrap();
    grants.restore(&[], 6).await.unwrap();
    assert_eq!(grants.followed().await.unwrap(), 9, "it never goes back");
    assert_eq!(stored(dir.path()).await, [two, one]);
    grants.follow_anew().await.unwrap();
    assert_eq!(grants.followed().await.unwrap(), 0, "another trail");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hallpass.db"), "no database ".repeat(100)).unwrap();
    let error = Database::open(&dir.path().join("hallpass.db"))
        .await
        .expect_err("refused");
    assert!(error.to_string().contains("hallpass.db"), "{error}");
}
