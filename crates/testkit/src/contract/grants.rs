//! The contract of [`Grants`].

use hallpass_core::{
    grant::{Grant, GrantState, Mode},
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, SessionId, Subject},
    ports::{GrantFilter, Grants},
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
        grants.record(grant).await.unwrap();
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
