//! The contract of [`KeyDirectory`].

use hallpass_core::{
    hash::KeyedHash,
    ids::{CredentialId, RoleName, Subject},
    key::KeyKind,
    ports::{KeyDirectory, StoredKey},
};

use crate::clock::moment;

/// Every check, as a test of its own, on what `$fresh` makes.
///
/// `$fresh` is an async function that gives an empty directory and whatever
/// must live as long.
#[macro_export]
macro_rules! keys_contract {
    ($fresh:path) => {
        $crate::checks!(
            keys,
            $fresh,
            an_unknown_key_is_none,
            a_kept_key_is_found_whole,
            an_id_is_kept_once,
            the_list_is_newest_first,
            the_first_revocation_stays,
            a_successor_ends_a_key_sooner_never_later,
            use_is_noted,
            what_is_not_there_can_not_be_changed,
        );
    };
}

/// A key in force, made at a second of 2027.
///
/// # Panics
///
/// When the id is none.
#[must_use]
pub fn key(id: &str, second: i64) -> StoredKey {
    StoredKey {
        id: named(id),
        kind: KeyKind::Svc,
        name: Subject::new("backend").unwrap(),
        hash: KeyedHash::from_bytes([7; 32]),
        roles: vec![RoleName::new("service").unwrap()],
        networks: Vec::new(),
        created_at: moment(1_800_000_000 + second),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
    }
}

fn named(id: &str) -> CredentialId {
    CredentialId::new(id).unwrap()
}

async fn found(keys: &dyn KeyDirectory, id: &str) -> StoredKey {
    keys.find(&named(id)).await.unwrap().expect("the key")
}

/// Looking for a key that was never kept is no error.
pub async fn an_unknown_key_is_none(keys: &dyn KeyDirectory) {
    assert_eq!(keys.find(&named("nobody")).await.unwrap(), None);
    assert!(keys.list().await.unwrap().is_empty());
}

/// No member of a key is lost.
pub async fn a_kept_key_is_found_whole(keys: &dyn KeyDirectory) {
    let mut whole = key("whole", 0);
    whole.kind = KeyKind::Adm;
    whole.name = Subject::new("Bäckend \"1\"").unwrap();
    whole.roles.push(RoleName::new("operator").unwrap());
    whole.networks = vec!["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
    whole.expires_at = Some(moment(1_900_000_000));
    keys.insert(&whole).await.unwrap();
    assert_eq!(found(keys, "whole").await, whole);
    assert_eq!(keys.list().await.unwrap(), [whole]);
}

/// A second key of the same id is refused and changes nothing.
pub async fn an_id_is_kept_once(keys: &dyn KeyDirectory) {
    keys.insert(&key("one", 0)).await.unwrap();
    let mut other = key("one", 5);
    other.hash = KeyedHash::from_bytes([9; 32]);
    assert!(keys.insert(&other).await.is_err());
    assert_eq!(found(keys, "one").await, key("one", 0));
}

/// Lists begin with the newest key.
pub async fn the_list_is_newest_first(keys: &dyn KeyDirectory) {
    for (id, second) in [("b", 2), ("a", 1), ("d", 3), ("c", 3)] {
        keys.insert(&key(id, second)).await.unwrap();
    }
    let listed = keys.list().await.unwrap();
    let ids: Vec<&str> = listed.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["d", "c", "b", "a"]);
}

/// Revoking again does not move the time of the revocation.
pub async fn the_first_revocation_stays(keys: &dyn KeyDirectory) {
    keys.insert(&key("bad", 0)).await.unwrap();
    let (first, later) = (moment(1_800_000_100), moment(1_800_000_200));
    assert!(keys.revoke(&named("bad"), first).await.unwrap());
    assert!(keys.revoke(&named("bad"), later).await.unwrap());
    assert_eq!(found(keys, "bad").await.revoked_at, Some(first));
    assert_eq!(keys.list().await.unwrap()[0].revoked_at, Some(first));
}

/// A key that was to end before its overlap is over still ends then.
pub async fn a_successor_ends_a_key_sooner_never_later(keys: &dyn KeyDirectory) {
    let (soon, late) = (moment(1_800_000_100), moment(1_800_009_000));
    let ending = StoredKey {
        expires_at: Some(soon),
        ..key("ending", 0)
    };
    keys.insert(&ending).await.unwrap();
    keys.insert(&key("endless", 0)).await.unwrap();
    for id in ["ending", "endless"] {
        assert!(
            keys.supersede(&named(id), &named("next"), late)
                .await
                .unwrap()
        );
        assert_eq!(found(keys, id).await.replaced_by, Some(named("next")));
    }
    assert_eq!(found(keys, "ending").await.expires_at, Some(soon));
    assert_eq!(found(keys, "endless").await.expires_at, Some(late));
}

/// The last use is kept.
pub async fn use_is_noted(keys: &dyn KeyDirectory) {
    keys.insert(&key("used", 0)).await.unwrap();
    let when = moment(1_800_000_060);
    keys.touch(&named("used"), when).await.unwrap();
    assert_eq!(found(keys, "used").await.last_used_at, Some(when));
}

/// Changing a key that is not there says so and makes none.
pub async fn what_is_not_there_can_not_be_changed(keys: &dyn KeyDirectory) {
    let (id, when) = (named("nobody"), moment(1_800_000_000));
    assert!(!keys.revoke(&id, when).await.unwrap());
    assert!(!keys.supersede(&id, &named("next"), when).await.unwrap());
    assert!(keys.touch(&id, when).await.is_ok());
    assert_eq!(keys.find(&id).await.unwrap(), None);
}
