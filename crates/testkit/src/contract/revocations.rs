//! The contract of [`Revocations`].

use hallpass_core::{
    Timestamp,
    caller::{Caller, Scheme},
    grant::Grant,
    ids::{CredentialId, ProfileName, RevocationId, SessionId, Subject},
    ports::Revocations,
    revocation::{Lifted, Question, Revocation, Scope, ScopeKind},
};

use crate::{clock::moment, contract::grants::grant};

/// Every check, as a test of its own, on what `$fresh` makes.
#[macro_export]
macro_rules! revocations_contract {
    ($fresh:path) => {
        $crate::checks!(
            revocations,
            $fresh,
            nothing_is_revoked_at_first,
            each_kind_stops_what_it_names,
            the_same_again_is_the_same_revocation,
            a_lifted_one_stops_nothing_and_stays_in_history,
            an_operator_is_not_locked_out_by_everything,
            each_change_is_another_epoch,
            what_is_over_is_forgotten_and_nothing_else,
        );
    };
}

/// A revocation, made at a second of 2027.
///
/// # Panics
///
/// When the number has no id.
#[must_use]
pub fn revocation(number: u8, scope: Scope) -> Revocation {
    Revocation {
        id: RevocationId::from_random([number; 16]),
        scope,
        reason: Some("stolen".to_owned()),
        created_at: moment(1_800_000_000 + i64::from(number)),
        created_by: Subject::new("operator").unwrap(),
        lifted: None,
    }
}

fn caller() -> Caller {
    Caller {
        subject: Subject::new("user-1").unwrap(),
        scheme: Scheme::ApiKey,
        credential: CredentialId::new("app").unwrap(),
        roles: Vec::new(),
        session_id: None,
        tenant: None,
        issued_at: Some(moment(1_800_000_000)),
        expires_at: None,
    }
}

/// The scopes that name the caller, the profile, the session or the grant of
/// these checks.
fn scopes() -> [Scope; 8] {
    let grant = grant(1, 0);
    [
        Scope::All,
        Scope::Before(moment(1_800_000_001)),
        Scope::Grant(grant.id),
        Scope::Key(grant.credential),
        Scope::Lineage(grant.lineage),
        Scope::Profile(grant.profile),
        Scope::Session(SessionId::new("interview-1").unwrap()),
        Scope::Subject(grant.subject),
    ]
}

fn hit(store: &dyn Revocations, question: &Question<'_>) -> Option<ScopeKind> {
    store.check(question).map(|hit| hit.kind)
}

fn lift(second: i64) -> Lifted {
    Lifted {
        at: moment(1_800_000_000 + second),
        by: Subject::new("operator-2").unwrap(),
    }
}

fn asked(store: &dyn Revocations) -> [Option<ScopeKind>; 3] {
    let (caller, grant) = (caller(), grant(1, 0));
    let profile = ProfileName::new("interview").unwrap();
    [
        hit(
            store,
            &Question::Caller {
                caller: &caller,
                operator: false,
            },
        ),
        hit(
            store,
            &Question::Issue {
                caller: &caller,
                profile: &profile,
                session_id: grant.session_id.as_ref(),
            },
        ),
        hit(store, &Question::Grant(&grant)),
    ]
}

/// An empty store stops nobody.
pub async fn nothing_is_revoked_at_first(store: &dyn Revocations) {
    assert_eq!(asked(store), [None; 3]);
    assert!(store.list(true, 10).await.unwrap().is_empty());
}

/// Each kind stops what it names, from the moment it was added.
pub async fn each_kind_stops_what_it_names(store: &dyn Revocations) {
    for (number, scope) in (1..).zip(scopes()) {
        let kind = scope.kind();
        let added = store.add(&revocation(number, scope)).await.unwrap();
        let on_caller = matches!(
            kind,
            ScopeKind::All | ScopeKind::Before | ScopeKind::Key | ScopeKind::Subject
        );
        let on_issue = on_caller || matches!(kind, ScopeKind::Profile | ScopeKind::Session);
        let expected = [on_caller, on_issue, true].map(|stops| stops.then_some(kind));
        assert_eq!(asked(store), expected, "{kind}");
        store.lift(&added.id, &lift(100)).await.unwrap();
        assert_eq!(asked(store), [None; 3], "{kind}");
    }
}

/// Adding what is in force gives that back and changes nothing.
pub async fn the_same_again_is_the_same_revocation(store: &dyn Revocations) {
    for (number, scope) in (1..).zip(scopes()) {
        let first = revocation(number, scope.clone());
        assert_eq!(store.add(&first).await.unwrap(), first);
        let again = revocation(number + 100, scope);
        assert_eq!(store.add(&again).await.unwrap(), first);
    }
    assert_eq!(store.list(false, 100).await.unwrap().len(), 8);
}

/// Lifting keeps who and when; a second time nothing changes.
pub async fn a_lifted_one_stops_nothing_and_stays_in_history(store: &dyn Revocations) {
    let scope = Scope::Subject(Subject::new("user-1").unwrap());
    let added = store.add(&revocation(1, scope.clone())).await.unwrap();
    let lifted = store.lift(&added.id, &lift(50)).await.unwrap().unwrap();
    assert_eq!(lifted.lifted, Some(lift(50)));
    let again = store.lift(&added.id, &lift(60)).await.unwrap().unwrap();
    assert_eq!(again.lifted, Some(lift(50)));
    let next = store.add(&revocation(2, scope)).await.unwrap();
    assert_ne!(next.id, added.id);
    assert_eq!(
        store.list(false, 10).await.unwrap(),
        std::slice::from_ref(&next)
    );
    assert_eq!(store.list(true, 10).await.unwrap(), [next, lifted]);
    let none = RevocationId::from_random([9; 16]);
    assert_eq!(store.lift(&none, &lift(1)).await.unwrap(), None);
}

/// Whoever may lift can still ask to; secrets they get no more than others.
pub async fn an_operator_is_not_locked_out_by_everything(store: &dyn Revocations) {
    let (caller, profile) = (caller(), ProfileName::new("interview").unwrap());
    let operator = Question::Caller {
        caller: &caller,
        operator: true,
    };
    let issue = Question::Issue {
        caller: &caller,
        profile: &profile,
        session_id: None,
    };
    let far: Timestamp = moment(1_900_000_000);
    for (number, scope) in (1..).zip([Scope::All, Scope::Before(far)]) {
        store.add(&revocation(number, scope)).await.unwrap();
        assert_eq!(hit(store, &operator), None);
        assert!(hit(store, &issue).is_some());
    }
    let own = Scope::Subject(caller.subject.clone());
    store.add(&revocation(9, own)).await.unwrap();
    assert_eq!(hit(store, &operator), Some(ScopeKind::Subject));
}

/// Who kept the epoch learns that something changed.
pub async fn each_change_is_another_epoch(store: &dyn Revocations) {
    let at_first = store.epoch();
    let added = store.add(&revocation(1, Scope::All)).await.unwrap();
    let in_force = store.epoch();
    assert_ne!(at_first, in_force);
    store.add(&revocation(2, Scope::All)).await.unwrap();
    assert_eq!(store.epoch(), in_force, "the same again changes nothing");
    store.lift(&added.id, &lift(1)).await.unwrap();
    assert_ne!(store.epoch(), in_force);
}

/// What was lifted long ago and what names one grant of long ago is forgotten;
/// what names a person, a key or everything holds until it is lifted.
pub async fn what_is_over_is_forgotten_and_nothing_else(revocations: &dyn Revocations) {
    let old = grant(1, 0);
    let scopes = [
        Scope::Grant(old.id.clone()),
        Scope::Lineage(old.lineage.clone()),
        Scope::Subject(old.subject.clone()),
        Scope::All,
        Scope::Key(CredentialId::new("app").unwrap()),
    ];
    for (number, scope) in (1..).zip(scopes) {
        revocations.add(&revocation(number, scope)).await.unwrap();
    }
    let by = Subject::new("operator").unwrap();
    let lift = |number: u8, second: i64| {
        let at = moment(1_800_000_000 + second);
        let end = Lifted { at, by: by.clone() };
        async move {
            let id = RevocationId::from_random([number; 16]);
            revocations.lift(&id, &end).await.unwrap().unwrap();
        }
    };
    lift(4, 100).await;
    lift(5, 300).await;

    let early = revocations.prune(moment(1_800_000_000)).await.unwrap();
    assert_eq!(early, 0);
    let pruned = revocations.prune(moment(1_800_000_200)).await.unwrap();
    assert_eq!(
        pruned, 3,
        "the grant's, the lineage's and the one lifted first"
    );
    let left = revocations.list(true, 10).await.unwrap();
    let left: Vec<ScopeKind> = left.iter().map(|it| it.scope.kind()).collect();
    assert_eq!(left, [ScopeKind::Key, ScopeKind::Subject]);
    let other = Grant {
        subject: Subject::new("user-2").unwrap(),
        ..old.clone()
    };
    assert_eq!(revocations.check(&Question::Grant(&other)), None);
    assert!(revocations.check(&Question::Grant(&old)).is_some());
}
