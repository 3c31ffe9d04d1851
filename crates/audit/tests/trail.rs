//! A trail on a real disk: order, durability, recovery, one writer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, sync::Arc};

use hallpass_audit::{Flaw, OpenError, Trail, TrailReader};
use hallpass_core::ports::AuditLog;
use support::{append_all, check, event, mint, open, open_hastily, segments, settings, trail_of};
use tempfile::tempdir;

#[tokio::test]
async fn records_are_numbered_in_the_order_of_appending() {
    let dir = tempdir().unwrap();
    let (trail, recovery) = open(dir.path());
    assert_eq!(recovery.last_sequence, None);
    let receipts = append_all(&trail, (0..5).map(event)).await;
    let numbers: Vec<_> = receipts.iter().map(|receipt| receipt.sequence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(trail.writable());
    drop(trail);
    let (_, recovery) = open(dir.path());
    assert_eq!(recovery.last_sequence, Some(4));
    assert_eq!(recovery.cut, None);
    assert_eq!(check(dir.path()).unwrap().records, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_lose_nothing_and_the_receipts_are_right() {
    let dir = tempdir().unwrap();
    let (trail, _) = open(dir.path());
    let trail = Arc::new(trail);
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let trail = trail.clone();
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for number in 0..20 {
                    let number = writer * 20 + number;
                    let receipt = trail.append(event(number)).await.unwrap();
                    kept.push((receipt.sequence, number.to_string()));
                }
                kept
            })
        })
        .collect();
    let mut kept = Vec::new();
    for writer in writers {
        kept.extend(writer.await.unwrap());
    }
    kept.sort();
    // Read without closing: an acknowledged record is there.
    let found: Vec<_> = TrailReader::open(dir.path())
        .unwrap()
        .map(|record| record.unwrap())
        .map(|record| (record.sequence, record.facts["number"].clone()))
        .collect();
    assert_eq!(found, kept);
    assert_eq!(check(dir.path()).unwrap().records, 1280);
}

#[tokio::test]
async fn a_dropped_future_does_not_take_the_record_back() {
    let dir = tempdir().unwrap();
    let (trail, _) = open(dir.path());
    drop(trail.append(event(0)));
    drop(trail);
    assert_eq!(check(dir.path()).unwrap().records, 1);
}

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused_by_name() {
    let dir = tempdir().unwrap();
    let (first, _) = open(dir.path());
    let Err(error) = Trail::open(settings(dir.path())) else {
        panic!("opened twice");
    };
    let ours = std::process::id();
    assert!(matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == ours));
    assert!(error.to_string().contains(&format!("process {ours}")));
    drop(first);
    open(dir.path());
}

#[tokio::test]
async fn a_closed_trail_says_so() {
    let dir = tempdir().unwrap();
    let (trail, _) = open(dir.path());
    trail.close();
    let error = trail.append(event(0)).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
}

#[tokio::test]
async fn segments_are_named_by_their_first_record_and_go_on_after_a_restart() {
    let dir = tempdir().unwrap();
    trail_of(dir.path(), 10, 3000).await;
    let before = segments(dir.path());
    assert!(before.len() > 2);
    let report = check(dir.path()).unwrap();
    assert_eq!((report.segments, report.records), (before.len() as u64, 10));
    let (trail, recovery) = open(dir.path());
    assert_eq!(recovery.last_sequence, Some(9));
    append_all(&trail, [event(10)]).await;
    assert_eq!(check(dir.path()).unwrap().head.unwrap().sequence, 10);
    assert_eq!(segments(dir.path()), before);
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_of_the_last_three_records_is_cut_and_the_cut_recorded() {
    let dir = support::quick_dir();
    trail_of(dir.path(), 6, u64::MAX).await;
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let ends: Vec<_> = (0..whole.len()).filter(|&i| whole[i] == b'\n').collect();
    for length in ends[2] + 1..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let complete = ends.iter().filter(|&&end| end < length).count();
        let (trail, recovery) = open_hastily(dir.path()).unwrap();
        assert_eq!(
            recovery.last_sequence,
            Some(complete as u64 - 1),
            "at {length}"
        );
        let torn = length - ends[complete - 1] - 1;
        assert_eq!(recovery.cut.map_or(0, |cut| cut.bytes), torn as u64);
        drop(trail);
        let repairs = usize::from(torn > 0);
        assert_eq!(
            check(dir.path()).unwrap().records as usize,
            complete + repairs
        );
        let last = hallpass_audit::tail(dir.path(), 1).unwrap().remove(0);
        assert_eq!(last.action == "trail.repair", torn > 0);
    }
}

#[tokio::test]
async fn damage_before_the_last_line_refuses_and_names_the_place() {
    let dir = tempdir().unwrap();
    trail_of(dir.path(), 4, u64::MAX).await;
    let path = segments(dir.path()).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    bytes[second + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Err(OpenError::Damaged(bad)) = Trail::open(settings(dir.path())) else {
        panic!("opened a damaged trail");
    };
    assert_eq!(
        (bad.sequence, bad.offset, bad.flaw),
        (1, second as u64, Flaw::Hash)
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "damage is evidence");
}

#[tokio::test]
async fn a_whole_record_is_never_cut() {
    let dir = tempdir().unwrap();
    trail_of(dir.path(), 3, u64::MAX).await;
    let path = segments(dir.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    let ends: Vec<_> = (0..bytes.len()).filter(|&i| bytes[i] == b'\n').collect();
    for end in ends {
        let mut changed = bytes.clone();
        changed[end] = b' ';
        fs::write(&path, &changed).unwrap();
        assert!(matches!(
            Trail::open(settings(dir.path())),
            Err(OpenError::Damaged(_))
        ));
    }
}

#[tokio::test]
async fn a_mints_records_read_back_as_they_were() {
    let dir = tempdir().unwrap();
    let (trail, _) = open(dir.path());
    let (intent, outcome) = mint();
    append_all(&trail, [intent, outcome]).await;
    let records: Vec<_> = TrailReader::open(dir.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        records[0].draft.as_ref().unwrap().id,
        support::draft().id.as_str()
    );
    assert_eq!(records[0].grant, None);
    assert_eq!(records[1].grant, Some(support::grant()));
    assert_eq!(records[1].draft, None);
    assert_eq!(records[0].grant_id(), records[1].grant_id());
    assert_eq!(records[1].subject.as_deref(), Some("user-42"));
    assert_eq!(records[1].session_id.as_deref(), Some("session-7"));
    assert_eq!(records[1].upstream.as_ref().unwrap().status, Some(200));
}
