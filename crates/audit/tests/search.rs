//! Finding records in a trail that is being written.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{path::Path, sync::Arc};

use hallpass_audit::{OutcomeKind, Query, TrailReader, latest, search, tail};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ids::{CredentialId, Subject},
    ports::AuditLog,
};
use support::{event, mint, open_hastily, quick_dir};

fn refusal() -> AuditEvent {
    let outcome = Outcome::Refused {
        code: Code::ExpiredCredential,
        reason: Some("exp_passed".to_owned()),
    };
    let time = Timestamp::from_second(1_795_000_100).unwrap();
    let mut event = AuditEvent::outcome(time, Action::Authenticate, outcome);
    let mut request = support::request();
    request.address = Some("2001:db8::1".parse().unwrap());
    event.request = Some(Arc::new(request));
    event.credential = Some(CredentialId::new("key-1").unwrap());
    event
}

fn found(dir: &Path, query: Query) -> Vec<u64> {
    let records = search(dir, query).unwrap();
    records.map(|record| record.unwrap().sequence).collect()
}

#[tokio::test]
async fn each_member_of_a_query_narrows_it() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let (intent, outcome) = mint();
    let mut other = outcome.clone();
    let mut caller = support::caller();
    caller.subject = Subject::new("someone-else").unwrap();
    other.caller = Some(Arc::new(caller));
    other.grant = None;
    other.draft = None;
    support::append_all(&trail, [intent, outcome, refusal(), other]).await;
    let grant = support::grant();
    let some = |text: &str| Some(text.to_owned());
    let all = Query::default();
    let cases = [
        (all.clone(), vec![0, 1, 2, 3]),
        (
            Query {
                subject: some("user-42"),
                ..all.clone()
            },
            vec![0, 1],
        ),
        (
            Query {
                grant: some(grant.id.as_str()),
                ..all.clone()
            },
            vec![0, 1],
        ),
        (
            Query {
                grant: some(grant.lineage.as_str()),
                ..all.clone()
            },
            vec![0, 1],
        ),
        (
            Query {
                session: some("session-7"),
                ..all.clone()
            },
            vec![0, 1],
        ),
        (
            Query {
                action: some("auth.check"),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Query {
                outcome: Some(OutcomeKind::Success),
                ..all.clone()
            },
            vec![1, 3],
        ),
        (
            Query {
                address: "2001:db8::1".parse().ok(),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Query {
                since: Timestamp::from_second(1_795_000_100).ok(),
                ..all.clone()
            },
            vec![2],
        ),
        (
            Query {
                until: Timestamp::from_second(1_795_000_100).ok(),
                ..all.clone()
            },
            vec![0, 1, 3],
        ),
        (
            Query {
                limit: Some(2),
                ..all.clone()
            },
            vec![0, 1],
        ),
        (
            Query {
                limit: Some(0),
                ..all.clone()
            },
            vec![],
        ),
        (
            Query {
                subject: some("nobody"),
                ..all
            },
            vec![],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(found(dir.path(), query.clone()), expected, "{query:?}");
    }
    let refused = tail(dir.path(), 2).unwrap().remove(0);
    assert_eq!(refused.credential.as_deref(), Some("key-1"));
    assert_eq!(refused.code.as_deref(), Some("expired_credential"));
    assert_eq!(refused.known_action(), Some(Action::Authenticate));
}

#[tokio::test]
async fn the_end_and_any_part_are_read_across_segments() {
    let dir = quick_dir();
    support::trail_of(dir.path(), 12, 2500).await;
    let numbers = |count| {
        let records = tail(dir.path(), count).unwrap();
        records
            .iter()
            .map(|record| record.sequence)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), [0_u64; 0]);
    assert_eq!(numbers(5), [7, 8, 9, 10, 11]);
    assert_eq!(numbers(100).len(), 12);
    for from in 0..14 {
        let reader = TrailReader::open(dir.path()).unwrap().from_sequence(from);
        let read: Vec<_> = reader.map(|record| record.unwrap().sequence).collect();
        assert_eq!(read, (from..12).collect::<Vec<_>>());
    }
    assert!(tail(quick_dir().path(), 5).unwrap().is_empty());
}

#[tokio::test]
async fn a_record_that_is_just_being_written_ends_the_reading() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    trail.append(event(0)).await.unwrap();
    let path = support::segments(dir.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"half\":");
    let copy = quick_dir();
    std::fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
    assert_eq!(found(copy.path(), Query::default()), [0]);
    assert_eq!(tail(copy.path(), 3).unwrap().len(), 1);
}

#[tokio::test]
async fn the_newest_come_first_however_far_back_they_are() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let (intent, outcome) = mint();
    support::append_all(&trail, [intent, outcome]).await;
    support::append_all(&trail, (0..700).map(|_| refusal())).await;
    let newest = |query: Query, before| {
        let found = latest(dir.path(), &query, before).unwrap();
        found
            .iter()
            .map(|record| record.sequence)
            .collect::<Vec<_>>()
    };
    let three = Query {
        limit: Some(3),
        ..Query::default()
    };
    assert_eq!(newest(three.clone(), 702), [701, 700, 699]);
    assert_eq!(newest(three.clone(), 699), [698, 697, 696], "the next page");
    let mints = Query {
        action: Some("grant.create".to_owned()),
        ..three
    };
    assert_eq!(newest(mints.clone(), 702), [1, 0], "beyond the first look");
    let from = Query {
        from_sequence: 1,
        ..mints
    };
    assert_eq!(newest(from, 702), [1]);
}
