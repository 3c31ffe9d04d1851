//! A trail that is at home in the database: one writer, no fork, no gap.

use std::{sync::Arc, time::Duration};

use hallpass_core::Timestamp;
use hallpass_store_postgres::{
    AppendError, ChainState, Database, PgChain, PgTrail, Replica, ReplicaName, TakeChainError,
    TrailRecord,
};
use hallpass_testkit::clock::moment;

use crate::support::{fresh, open, replica};

fn record(sequence: u64, at: i64) -> TrailRecord {
    TrailRecord {
        replica: "a".to_owned(),
        sequence,
        time: moment(at),
        action: "grant.create".to_owned(),
        outcome: "success".to_owned(),
        subject: None,
        grant: None,
        lineage: None,
        session_id: None,
        address: None,
        line: format!("{{\"n\":{sequence},\"value\":\"{}\"}}}}]}}", hash(sequence)),
    }
}

/// The hash a record's line ends with.
fn hash(sequence: u64) -> String {
    format!("{sequence:064x}")
}

fn state(records: u64) -> ChainState {
    ChainState {
        uid: "uid-1".to_owned(),
        records,
        head: records.checked_sub(1).map(hash),
        peaks: vec!["00".to_owned(); records.count_ones() as usize],
    }
}

const NOON: i64 = 1_800_000_000;

/// Appends records `from` to `to`.
async fn append(chain: &PgChain, from: u64, to: u64) -> Result<(), AppendError> {
    let records: Vec<TrailRecord> = (from..=to).map(|number| record(number, NOON)).collect();
    let before = from.checked_sub(1).map(hash);
    chain
        .append(&records, before.as_deref(), &state(to + 1))
        .await
}

async fn take(database: &Database, replica: &Replica) -> (PgChain, ChainState) {
    PgChain::take(database.clone(), replica, "uid-1")
        .await
        .unwrap()
}

#[tokio::test]
async fn a_trail_goes_on_where_it_stands_whoever_takes_it() {
    let (database, kept) = fresh().await;
    let first = replica(&database, "a").await;
    let (chain, stands) = take(&database, &first).await;
    assert_eq!(stands, state(0));
    append(&chain, 0, 4).await.unwrap();
    append(&chain, 5, 5).await.unwrap();
    let next = replica(&database, "a").await;
    let (next, stands) = PgChain::take(database, &next, "uid-of-another")
        .await
        .unwrap();
    assert_eq!(stands, state(6), "its own id stays");
    append(&next, 6, 7).await.unwrap();
    assert_eq!(kept.run("SELECT COUNT(*) FROM audit_records"), "8");
}

#[tokio::test]
async fn who_lost_its_name_adds_nothing() {
    let (database, kept) = fresh().await;
    let old = replica(&database, "a").await;
    let (old_chain, _) = take(&database, &old).await;
    append(&old_chain, 0, 0).await.unwrap();
    let new = replica(&database, "a").await;
    let (new_chain, _) = take(&database, &new).await;
    let refused = append(&old_chain, 1, 3).await;
    assert!(matches!(refused, Err(AppendError::Fenced(name)) if name == "a"));
    append(&new_chain, 1, 1).await.unwrap();
    // Nor does it where it knows how far the trail has come.
    let refused = append(&old_chain, 2, 2).await;
    assert!(matches!(refused, Err(AppendError::Fenced(_))));
    assert_eq!(kept.run("SELECT COUNT(*) FROM audit_records"), "2");
}

#[tokio::test]
async fn of_two_that_write_at_once_only_one_chain_comes_about() {
    let (database, kept) = fresh().await;
    let (old, new) = (
        replica(&database, "a").await,
        replica(&open(&kept.url()).await, "a").await,
    );
    let (old, _) = take(&database, &old).await;
    append(&old, 0, 0).await.unwrap();
    let (old, new_database) = (Arc::new(old), open(&kept.url()).await);
    let writing = tokio::spawn({
        let old = old.clone();
        async move {
            let mut next = 1;
            while append(&old, next, next).await.is_ok() {
                next += 1;
            }
            next
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (new, stands) = take(&new_database, &new).await;
    append(&new, stands.records, stands.records).await.unwrap();
    assert_eq!(
        writing.await.unwrap(),
        stands.records,
        "cut off where the new one goes on"
    );
    let rows =
        kept.run("SELECT COUNT(*), COUNT(DISTINCT sequence), MAX(sequence) FROM audit_records");
    let count = stands.records + 1;
    assert_eq!(rows, format!("{count}|{count}|{}", stands.records));
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_done_once() {
    let (database, kept) = fresh().await;
    let own = replica(&database, "a").await;
    let (chain, _) = take(&database, &own).await;
    append(&chain, 0, 2).await.unwrap();
    append(&chain, 0, 2).await.unwrap();
    append(&chain, 3, 3).await.unwrap();
    append(&chain, 3, 3).await.unwrap();
    assert_eq!(kept.run("SELECT COUNT(*) FROM audit_records"), "4");
    // One that follows another head is no repetition.
    let gap = append(&chain, 5, 5).await;
    assert!(matches!(gap, Err(AppendError::Fenced(_))));
}

#[tokio::test]
async fn many_records_are_one_transaction() {
    let (database, kept) = fresh().await;
    let own = replica(&database, "a").await;
    let (chain, _) = take(&database, &own).await;
    append(&chain, 0, 499).await.unwrap();
    let transactions = kept.run("SELECT COUNT(DISTINCT xmin::text) FROM audit_records");
    assert_eq!(transactions, "1");
}

#[tokio::test]
async fn commits_wait_for_the_disk_however_the_database_is_set() {
    let (_database, kept) = fresh().await;
    let name = kept.run("SELECT current_database()");
    for (set, is) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let _ = kept.run(&format!(
            "ALTER DATABASE {name} SET synchronous_commit = {set}"
        ));
        let connected = open(&kept.url()).await;
        assert_eq!(connected.commits_by().await.unwrap(), is, "set to {set}");
        connected.close().await;
    }
}

#[tokio::test]
async fn a_name_whose_files_were_copied_begins_no_trail_here() {
    let (database, _kept) = fresh().await;
    let own = replica(&database, "a").await;
    let copy = PgTrail::new(database.clone(), ReplicaName::new("a").unwrap());
    copy.take(&[record(0, NOON)]).await.unwrap();
    let refused = PgChain::take(database, &own, "uid-1").await.err();
    assert!(matches!(refused, Some(TakeChainError::Copied(name)) if name == "a"));
}

#[tokio::test]
async fn what_is_dropped_by_age_leaves_where_it_ended() {
    let (database, _kept) = fresh().await;
    let own = replica(&database, "a").await;
    let (chain, _) = take(&database, &own).await;
    let day = 86_400;
    let days: Vec<TrailRecord> = (0..6)
        .map(|number| record(number, NOON + day * i64::try_from(number / 2).unwrap()))
        .collect();
    chain.append(&days, None, &state(6)).await.unwrap();
    let trail = PgTrail::new(database.clone(), ReplicaName::new("a").unwrap());
    let before: Timestamp = moment(NOON + day * 2);
    assert_eq!(trail.forget(before).await.unwrap(), 2);
    let evidence = database.trail_evidence("a").await.unwrap();
    assert_eq!(evidence.joint, Some((3, hash(3))));
    let lines = database.trail_lines("a", None, 10).await.unwrap();
    let left: Vec<u64> = lines.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(left, [4, 5]);
    let next = [record(6, NOON + day * 2)];
    let before = hash(5);
    chain.append(&next, Some(&before), &state(7)).await.unwrap();
}

#[tokio::test]
async fn a_name_is_taken_over_once_its_process_is_silent() {
    let (database, kept) = fresh().await;
    let name = || ReplicaName::new("a").unwrap();
    let first = Replica::succeed(database.clone(), name(), "one disk", "0")
        .await
        .unwrap();
    first.beat().await.unwrap();
    let early = Replica::succeed(database.clone(), name(), "another disk", "0").await;
    assert!(early.is_err(), "it beats");
    let _ = kept.run("UPDATE replicas SET beat_at = beat_at - interval '7 seconds'");
    let next = Replica::succeed(database.clone(), name(), "another disk", "0")
        .await
        .unwrap();
    next.beat().await.unwrap();
    assert!(first.beat().await.is_err());
    // Where the directory lasts, another never gets the name.
    let _ = kept.run("UPDATE replicas SET beat_at = beat_at - interval '7 seconds'");
    assert!(
        Replica::register(database, name(), "a third", "0")
            .await
            .is_err()
    );
}
