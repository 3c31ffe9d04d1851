//! The contract of [`Grants`].

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantEvent, GrantState, Mode, RefreshOf},
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, SessionId, Subject},
    ports::{GrantFilter, Grants, Withdrawn},
    revocation::Scope,
};

use crate::clock::moment;

/// Every check, as a test of its own, on what `$fresh` makes.
///
/// `$fresh` is an async function that gives an empty registry and whatever
/// must live as long.
#[macro_export]
macro_rules! grants_contract {
    ($fresh:path) => {
        $crate::checks!(
            grants,
            $fresh,
            an_unknown_grant_is_none,
            a_recorded_grant_is_found_whole,
            absent_members_stay_absent,
            the_list_is_newest_first,
            each_filter_holds,
            filters_hold_together,
            pages_show_each_grant_once,
            a_page_goes_on_after_a_newer_grant_came,
            a_refresh_is_found_whole_and_by_its_lineage,
            a_grant_goes_through_its_life,
            only_the_first_successor_takes_a_grants_place,
            a_withdrawal_reaches_what_its_scope_covers,
            a_withdrawal_tells_what_it_could_not_reach,
            a_withdrawal_done_twice_does_nothing_more,
            what_is_due_moves_on_and_nothing_else,
            old_grants_are_forgotten_and_living_ones_kept,
            any_history_ends_where_the_model_does,
        );
    };
}

/// An active grant, made at a second of 2027.
///
/// # Panics
///
/// When the number has no id.
#[must_use]
pub fn grant(number: u8, second: i64) -> Grant {
    let created_at = moment(1_800_000_000 + second);
    Grant {
        id: GrantId::from_random([number; 16]),
        lineage: LineageId::from_random([number; 16]),
        state: GrantState::Active,
        subject: Subject::new("user-1").unwrap(),
        credential: CredentialId::new("app").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        session_id: Some(SessionId::new("interview-1").unwrap()),
        mode: Mode::Direct,
        created_at,
        expires_at: moment(1_800_000_060 + second),
        refresh_after: moment(1_800_000_048 + second),
        secret_last4: "wxyz".to_owned(),
        secret_hash: "00".repeat(32),
        address: Some([192, 0, 2, 7].into()),
        user_agent: Some("a page \"é\"".to_owned()),
        request_id: RequestId::from_random([number; 16]),
        upstream_request_id: Some("req_upstream".to_owned()),
        refresh_of: None,
        superseded_by: None,
    }
}

fn all() -> GrantFilter {
    GrantFilter {
        limit: 100,
        ..GrantFilter::default()
    }
}

async fn listed(grants: &dyn Grants, filter: &GrantFilter) -> Vec<Grant> {
    grants.list(filter).await.unwrap()
}

async fn record(grants: &dyn Grants, all: &[Grant]) {
    for grant in all {
        grants.record(Arc::new(grant.clone())).await.unwrap();
    }
}

/// Looking for a grant that was never recorded is no error.
pub async fn an_unknown_grant_is_none(grants: &dyn Grants) {
    let id = GrantId::from_random([1; 16]);
    assert_eq!(grants.find(&id).await.unwrap(), None);
    assert!(listed(grants, &all()).await.is_empty());
}

/// No member of a grant is lost, in any state and mode.
pub async fn a_recorded_grant_is_found_whole(grants: &dyn Grants) {
    let states = [
        (GrantState::Active, Mode::Direct),
        (GrantState::Connected, Mode::Relay),
        (GrantState::Expired, Mode::Call),
        (GrantState::Revoked, Mode::Direct),
        (GrantState::Ended, Mode::Relay),
    ];
    for (number, (state, mode)) in (1..).zip(states) {
        let mut whole = grant(number, i64::from(number));
        (whole.state, whole.mode) = (state, mode);
        record(grants, std::slice::from_ref(&whole)).await;
        assert_eq!(grants.find(&whole.id).await.unwrap(), Some(whole.clone()));
        assert_eq!(listed(grants, &all()).await[0], whole);
    }
}

/// What a grant does not have, it does not get.
pub async fn absent_members_stay_absent(grants: &dyn Grants) {
    let bare = Grant {
        session_id: None,
        address: None,
        user_agent: None,
        upstream_request_id: None,
        ..grant(1, 0)
    };
    record(grants, std::slice::from_ref(&bare)).await;
    assert_eq!(grants.find(&bare.id).await.unwrap(), Some(bare));
}

/// Newest first; of one millisecond, by id.
pub async fn the_list_is_newest_first(grants: &dyn Grants) {
    let made = [grant(2, 0), grant(3, 9), grant(1, 0), grant(4, 5)];
    record(grants, &made).await;
    let seconds = [&made[1], &made[3], &made[0], &made[2]].map(|grant| grant.id.clone());
    let ids: Vec<GrantId> = listed(grants, &all())
        .await
        .into_iter()
        .map(|grant| grant.id)
        .collect();
    assert_eq!(ids, seconds);
    let two = GrantFilter { limit: 2, ..all() };
    assert_eq!(listed(grants, &two).await.len(), 2);
}

/// Each filter leaves out what is another's.
pub async fn each_filter_holds(grants: &dyn Grants) {
    let odd = Grant {
        subject: Subject::new("user-2").unwrap(),
        profile: ProfileName::new("transcription").unwrap(),
        session_id: Some(SessionId::new("interview-2").unwrap()),
        ..grant(2, 1)
    };
    let none = Grant {
        session_id: None,
        ..grant(3, 2)
    };
    record(grants, &[grant(1, 0), odd.clone(), none]).await;
    let filters = [
        GrantFilter {
            subject: Some(odd.subject.clone()),
            ..all()
        },
        GrantFilter {
            profile: Some(odd.profile.clone()),
            ..all()
        },
        GrantFilter {
            session_id: odd.session_id.clone(),
            ..all()
        },
        GrantFilter {
            lineage: Some(odd.lineage.clone()),
            ..all()
        },
    ];
    for filter in filters {
        assert_eq!(
            listed(grants, &filter).await,
            std::slice::from_ref(&odd),
            "{filter:?}"
        );
    }
}

/// Two filters leave out what either leaves out.
pub async fn filters_hold_together(grants: &dyn Grants) {
    let other = Subject::new("user-2").unwrap();
    let theirs = Grant {
        subject: other.clone(),
        ..grant(2, 1)
    };
    record(grants, &[grant(1, 0), theirs]).await;
    let filter = GrantFilter {
        subject: Some(other),
        lineage: Some(grant(1, 0).lineage),
        ..all()
    };
    assert!(listed(grants, &filter).await.is_empty());
}

/// Following the pages shows each grant once, also within one millisecond.
pub async fn pages_show_each_grant_once(grants: &dyn Grants) {
    let made: Vec<Grant> = (0..20)
        .map(|number| grant(number, i64::from(number / 7)))
        .collect();
    record(grants, &made).await;
    let whole = listed(grants, &all()).await;
    let mut paged: Vec<Grant> = Vec::new();
    loop {
        let filter = GrantFilter {
            before: paged.last().map(|last| (last.created_at, last.id.clone())),
            limit: 3,
            ..GrantFilter::default()
        };
        let page = listed(grants, &filter).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        paged.extend(page);
    }
    assert_eq!(paged.len(), made.len());
    assert_eq!(paged, whole);
}

/// A grant issued while someone pages does not shift the next page.
pub async fn a_page_goes_on_after_a_newer_grant_came(grants: &dyn Grants) {
    record(grants, &[grant(1, 0), grant(2, 1), grant(3, 2)]).await;
    let first = GrantFilter { limit: 1, ..all() };
    let last = listed(grants, &first).await.remove(0);
    record(grants, &[grant(4, 3)]).await;
    let next = GrantFilter {
        before: Some((last.created_at, last.id)),
        ..first
    };
    assert_eq!(listed(grants, &next).await[0].id, grant(2, 1).id);
}

fn at(second: i64) -> Timestamp {
    moment(1_800_000_000 + second)
}

async fn state(grants: &dyn Grants, grant: &Grant) -> GrantState {
    grants.find(&grant.id).await.unwrap().unwrap().state
}

/// A refresh keeps what it is of, and its lineage lists both.
pub async fn a_refresh_is_found_whole_and_by_its_lineage(grants: &dyn Grants) {
    let first = grant(1, 0);
    let next = Grant {
        lineage: first.lineage.clone(),
        refresh_of: Some(RefreshOf {
            grant: first.id.clone(),
            lineage_started_at: first.created_at,
        }),
        ..grant(2, 50)
    };
    record(grants, &[first.clone(), next.clone(), grant(3, 60)]).await;
    let filter = GrantFilter {
        lineage: Some(first.lineage.clone()),
        ..all()
    };
    assert_eq!(listed(grants, &filter).await, [next.clone(), first]);
    assert_eq!(grants.find(&next.id).await.unwrap(), Some(next));
}

/// Each event moves a grant as the state machine says, in reads at once.
pub async fn a_grant_goes_through_its_life(grants: &dyn Grants) {
    let made = grant(1, 0);
    record(grants, std::slice::from_ref(&made)).await;
    let steps = [
        (GrantEvent::End, GrantState::Active),
        (GrantEvent::Connect, GrantState::Connected),
        (GrantEvent::Connect, GrantState::Connected),
        (GrantEvent::End, GrantState::Ended),
        (GrantEvent::Revoke, GrantState::Ended),
    ];
    for (event, expected) in steps {
        let after = grants.apply(&made.id, event).await.unwrap().unwrap();
        assert_eq!(after.state, expected, "{event:?}");
        assert_eq!(state(grants, &made).await, expected, "{event:?}");
        assert_eq!(listed(grants, &all()).await[0].state, expected);
    }
    let none = GrantId::from_random([9; 16]);
    let applied = grants.apply(&none, GrantEvent::Revoke).await.unwrap();
    assert_eq!(applied, None);
}

/// Of several successors the first one counts.
pub async fn only_the_first_successor_takes_a_grants_place(grants: &dyn Grants) {
    let made = grant(1, 0);
    record(grants, std::slice::from_ref(&made)).await;
    let (one, two) = (GrantId::from_random([2; 16]), GrantId::from_random([3; 16]));
    assert!(grants.supersede(&made.id, &one).await.unwrap());
    assert!(!grants.supersede(&made.id, &two).await.unwrap());
    let found = grants.find(&made.id).await.unwrap().unwrap();
    assert_eq!(found.superseded_by, Some(one));
    assert!(!grants.supersede(&two, &made.id).await.unwrap(), "unknown");
}

/// Every kind of scope reaches what it covers and nothing else.
pub async fn a_withdrawal_reaches_what_its_scope_covers(grants: &dyn Grants) {
    let target = Grant {
        subject: Subject::new("target").unwrap(),
        credential: CredentialId::new("key-1").unwrap(),
        profile: ProfileName::new("transcription").unwrap(),
        session_id: Some(SessionId::new("interview-9").unwrap()),
        ..grant(1, 0)
    };
    let scopes = [
        Scope::Grant(target.id.clone()),
        Scope::Lineage(target.lineage.clone()),
        Scope::Subject(target.subject.clone()),
        Scope::Key(target.credential.clone()),
        Scope::Profile(target.profile.clone()),
        Scope::Session(SessionId::new("interview-9").unwrap()),
        Scope::Before(at(5)),
    ];
    for (number, scope) in (0..).zip(&scopes) {
        let own = Grant {
            id: GrantId::from_random([100 + number; 16]),
            lineage: target.lineage.clone(),
            ..target.clone()
        };
        let own = match scope {
            Scope::Grant(_) => target.clone(),
            _ => own,
        };
        let other = grant(10 + number, 10);
        record(grants, &[own.clone(), other.clone()]).await;
        grants.withdraw(scope, at(20)).await.unwrap();
        assert_eq!(state(grants, &own).await, GrantState::Revoked, "{scope:?}");
        assert_eq!(state(grants, &other).await, GrantState::Active, "{scope:?}");
    }
    grants.withdraw(&Scope::All, at(20)).await.unwrap();
    let left = listed(grants, &all()).await;
    assert!(left.iter().all(|grant| grant.state == GrantState::Revoked));
}

/// A secret of OpenAI's lives on, a pass does not.
pub async fn a_withdrawal_tells_what_it_could_not_reach(grants: &dyn Grants) {
    let relayed = Grant {
        mode: Mode::Relay,
        ..grant(2, 1)
    };
    let over = grant(3, -100);
    record(grants, &[grant(1, 0), relayed, over, grant(4, 5)]).await;
    let withdrawn = grants.withdraw(&Scope::All, at(10)).await.unwrap();
    let expected = Withdrawn {
        revoked: 3,
        ended: 1,
        unexpired: 2,
        unexpired_until: Some(at(65)),
    };
    assert_eq!(withdrawn, expected);
}

/// The second time nothing is revoked, and what lives on is told again.
pub async fn a_withdrawal_done_twice_does_nothing_more(grants: &dyn Grants) {
    record(grants, &[grant(1, 0), grant(2, 0)]).await;
    let first = grants.withdraw(&Scope::All, at(10)).await.unwrap();
    let again = grants.withdraw(&Scope::All, at(10)).await.unwrap();
    assert_eq!((first.revoked, again.revoked), (2, 0));
    assert_eq!((first.unexpired, again.unexpired), (2, 2));
    let later = grants.withdraw(&Scope::All, at(60)).await.unwrap();
    assert_eq!((later.unexpired, later.unexpired_until), (0, None));
}

/// Active grants expire at their end, connected ones an hour later.
pub async fn what_is_due_moves_on_and_nothing_else(grants: &dyn Grants) {
    let (due, connected, young) = (grant(1, 0), grant(2, 0), grant(3, 30));
    record(grants, &[due.clone(), connected.clone(), young.clone()]).await;
    grants
        .apply(&connected.id, GrantEvent::Connect)
        .await
        .unwrap();
    assert_eq!(grants.expire(at(59), 100).await.unwrap(), 0);
    assert_eq!(grants.expire(at(60), 100).await.unwrap(), 1);
    assert_eq!(grants.expire(at(60), 100).await.unwrap(), 0);
    assert_eq!(state(grants, &due).await, GrantState::Expired);
    assert_eq!(state(grants, &connected).await, GrantState::Connected);
    assert_eq!(state(grants, &young).await, GrantState::Active);
    assert_eq!(grants.expire(at(60 + 3600), 100).await.unwrap(), 2);
    assert_eq!(state(grants, &connected).await, GrantState::Ended);
}

/// Retention takes what is at its end, in batches, the oldest first.
pub async fn old_grants_are_forgotten_and_living_ones_kept(grants: &dyn Grants) {
    let made: Vec<Grant> = (1..=5)
        .map(|number| grant(number, i64::from(number)))
        .collect();
    record(grants, &made).await;
    grants
        .apply(&made[4].id, GrantEvent::Connect)
        .await
        .unwrap();
    grants.expire(at(100), 100).await.unwrap();
    assert_eq!(grants.prune(at(4), 2).await.unwrap(), 2);
    assert_eq!(grants.prune(at(4), 2).await.unwrap(), 1);
    assert_eq!(grants.prune(at(1000), 10).await.unwrap(), 1);
    let left = listed(grants, &all()).await;
    assert_eq!(left.len(), 1, "the connected one");
    assert_eq!(left[0].id, made[4].id);
}

/// Whatever happens to a grant, and whenever it is written, it ends as the
/// state machine says.
pub async fn any_history_ends_where_the_model_does(grants: &dyn Grants) {
    let events = [
        GrantEvent::Connect,
        GrantEvent::End,
        GrantEvent::Expire,
        GrantEvent::Revoke,
    ];
    // Every history of four events: 256.
    for number in 0..=255_u8 {
        let made = grant(number, i64::from(number));
        record(grants, std::slice::from_ref(&made)).await;
        let mut model = GrantState::Active;
        for step in 0..4 {
            let event = events[usize::from(number >> (2 * step) & 3)];
            model = model.after(event);
            let after = grants.apply(&made.id, event).await.unwrap().unwrap();
            assert_eq!(after.state, model, "history {number}");
            assert_eq!(state(grants, &made).await, model, "history {number}");
        }
    }
}
