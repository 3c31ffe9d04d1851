//! The copy of the trails: each record once, found by what it says, dropped by
//! the day.

use hallpass_core::Timestamp;
use hallpass_store_postgres::{PgTrail, ReplicaName, TrailQuery, TrailRecord};
use hallpass_testkit::clock::moment;

use crate::support::{fresh, open};

fn record(replica: &str, sequence: u64, second: i64) -> TrailRecord {
    TrailRecord {
        replica: replica.to_owned(),
        sequence,
        time: moment(second),
        action: "grant.create".to_owned(),
        outcome: "success".to_owned(),
        subject: Some(format!("user-{sequence}")),
        grant: Some(format!("gr_{sequence}")),
        lineage: Some(format!("ln_{sequence}")),
        session_id: None,
        address: Some("192.0.2.7".to_owned()),
        line: format!("{{\"sequence\":{sequence}}}"),
    }
}

fn all() -> TrailQuery {
    TrailQuery {
        limit: 100,
        ..TrailQuery::default()
    }
}

const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

#[tokio::test]
async fn a_record_that_comes_twice_is_kept_once() {
    let (database, kept) = fresh().await;
    let other = open(&kept.url()).await;
    let here = PgTrail::new(database, ReplicaName::new("a").unwrap());
    let there = PgTrail::new(other, ReplicaName::new("b").unwrap());
    let of = |replica: &str| [record(replica, 0, START), record(replica, 1, START + 1)];
    let (one, two) = (of("a"), of("b"));
    // Both begin the day's partition at once.
    let (first, second) = tokio::join!(here.take(&one), there.take(&two));
    first.unwrap();
    second.unwrap();
    here.take(&[record("a", 1, START + 1), record("a", 2, START + 2)])
        .await
        .unwrap();
    let found = here.find(&all()).await.unwrap();
    let mut kept: Vec<(String, u64)> = found
        .into_iter()
        .map(|(_, it)| (it.replica, it.sequence))
        .collect();
    kept.sort();
    let expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)];
    assert_eq!(
        kept,
        expected.map(|(name, number)| (name.to_owned(), number))
    );
}

#[tokio::test]
async fn records_are_found_whole_and_by_what_they_say() {
    let (database, _kept) = fresh().await;
    let trail = PgTrail::new(database, ReplicaName::new("a").unwrap());
    let records: Vec<TrailRecord> = (0..5)
        .map(|number| record("a", number, START + i64::try_from(number).unwrap()))
        .collect();
    trail.take(&records).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let queries = [
        TrailQuery {
            subject: text("user-3"),
            ..all()
        },
        TrailQuery {
            grant: text("gr_3"),
            ..all()
        },
        TrailQuery {
            grant: text("ln_3"),
            ..all()
        },
        TrailQuery {
            since: Some(moment(START + 3)),
            until: Some(moment(START + 4)),
            ..all()
        },
    ];
    for query in queries {
        let found = trail.find(&query).await.unwrap();
        let found: Vec<&TrailRecord> = found.iter().map(|(_, record)| record).collect();
        assert_eq!(found, [&records[3]], "{query:?}");
    }
    for none in [
        TrailQuery {
            action: text("grant.revoke"),
            ..all()
        },
        TrailQuery {
            outcome: text("refused"),
            ..all()
        },
        TrailQuery {
            address: text("192.0.2.8"),
            ..all()
        },
        TrailQuery {
            replica: text("b"),
            ..all()
        },
        TrailQuery {
            session_id: text("i"),
            ..all()
        },
    ] {
        assert!(trail.find(&none).await.unwrap().is_empty(), "{none:?}");
    }
    let page = TrailQuery { limit: 2, ..all() };
    let first = trail.find(&page).await.unwrap();
    let from = first[1].0 + 1;
    let next = trail.find(&TrailQuery { from, ..page }).await.unwrap();
    assert_eq!(next[0].1.sequence, 2);
}

#[tokio::test]
async fn days_that_are_over_are_dropped_whole() {
    let (database, kept) = fresh().await;
    let trail = PgTrail::new(database, ReplicaName::new("a").unwrap());
    let records: Vec<TrailRecord> = (0..4_i64)
        .map(|day| record("a", day.unsigned_abs(), START + day * DAY))
        .collect();
    trail.take(&records).await.unwrap();
    let before: Timestamp = moment(START + 2 * DAY);
    assert_eq!(trail.forget(before).await.unwrap(), 2);
    assert_eq!(trail.forget(before).await.unwrap(), 0);
    let left = trail.find(&all()).await.unwrap();
    let left: Vec<u64> = left.iter().map(|(_, record)| record.sequence).collect();
    assert_eq!(left, [2, 3]);
    let partitions = "SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'audit_records'::regclass";
    assert_eq!(kept.run(partitions), "2");
    // A late record of a day that was dropped makes its partition again.
    trail.take(&records[..1]).await.unwrap();
    assert_eq!(trail.find(&all()).await.unwrap().len(), 3);
}
