//! What a power cut takes from the last segment, the journal gives back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use hallpass_audit::{Flaw, OpenError, Trail, TrailReader, VerifyError, verify};
use support::{append_all, check, event, open, open_hastily, quick_dir, segments, settings};
use tempfile::TempDir;

fn journal(dir: &Path) -> PathBuf {
    dir.join("trail.journal")
}

/// A copy of a trail of so many records, as it stands while its server runs.
async fn running(records: usize, segment_max_bytes: u64, journal_bytes: u64) -> TempDir {
    let dir = quick_dir();
    let mut settings = settings(dir.path());
    settings.segment_max_bytes = segment_max_bytes;
    settings.journal_bytes = Some(journal_bytes);
    let (trail, _) = Trail::open(settings).unwrap();
    append_all(&trail, (0..records).map(event)).await;
    copy(dir.path())
}

fn copy(dir: &Path) -> TempDir {
    let copy = quick_dir();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    copy
}

fn numbers(dir: &Path) -> Vec<u64> {
    let records = TrailReader::open(dir).unwrap();
    records.map(|record| record.unwrap().sequence).collect()
}

#[tokio::test]
async fn whatever_a_power_cut_leaves_of_the_last_segment_comes_back() {
    let dir = running(5, u64::MAX, 1 << 20).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    for length in (0..=whole.len()).step_by(61) {
        let dir = copy(dir.path());
        let segment = dir.path().join(segment.file_name().unwrap());
        fs::write(&segment, &whole[..length]).unwrap();
        let found = check(dir.path()).unwrap();
        assert_eq!(found.records, 5, "{length} bytes left");
        let (trail, recovery) = open_hastily(dir.path()).unwrap();
        assert_eq!((recovery.restored, recovery.cut), (found.journaled, None));
        drop(trail);
        assert_eq!(fs::read(&segment).unwrap(), whole);
        assert_eq!(check(dir.path()).unwrap().journaled, 0);
    }
}

#[tokio::test]
async fn a_hole_in_the_last_segment_is_filled() {
    let dir = running(6, u64::MAX, 1 << 20).await;
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let mut holed = whole.clone();
    holed[700..2500].fill(0);
    fs::write(&segment, &holed).unwrap();
    assert!(check(dir.path()).unwrap().journaled >= 3);
    assert!(open_hastily(dir.path()).unwrap().1.restored >= 3);
    assert_eq!(fs::read(&segment).unwrap(), whole);
}

#[tokio::test]
async fn a_journal_that_began_again_often_still_holds_the_end() {
    let dir = running(60, 9000, 3000).await;
    let last = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&last).unwrap();
    // The last line, which the journal holds wherever it stands.
    let end = whole[..whole.len() - 1].iter().rposition(|&b| b == b'\n');
    let end = end.map_or(0, |end| end + 1);
    fs::write(&last, &whole[..end + 20]).unwrap();
    let (trail, recovery) = open_hastily(dir.path()).unwrap();
    assert_eq!(recovery.restored, 1);
    drop(trail);
    assert_eq!(numbers(dir.path()), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_torn_journal_gives_what_is_whole_in_it() {
    let dir = running(4, u64::MAX, 1 << 20).await;
    let kept = fs::read(journal(dir.path())).unwrap();
    let third = kept.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let third = third.map(|(place, _)| place).nth(2).unwrap();
    let mut torn = kept;
    torn[third + 40..].fill(0);
    fs::write(journal(dir.path()), torn).unwrap();
    fs::write(segments(dir.path()).remove(0), "").unwrap();
    assert_eq!(open_hastily(dir.path()).unwrap().1.restored, 3);
    assert_eq!(numbers(dir.path()), [0, 1, 2]);
}

#[tokio::test]
async fn damage_the_journal_does_not_hold_is_still_damage() {
    let dir = running(40, u64::MAX, 3000).await;
    let segment = segments(dir.path()).remove(0);
    let mut changed = fs::read(&segment).unwrap();
    changed[300] ^= 1;
    fs::write(&segment, &changed).unwrap();
    assert!(matches!(check(dir.path()), Err(VerifyError::Bad(bad)) if bad.sequence == 0));
    let refused = open_hastily(dir.path()).err().unwrap();
    assert!(
        matches!(&refused, OpenError::Damaged(bad) if bad.flaw == Flaw::Hash),
        "{refused}"
    );
    assert_eq!(fs::read(&segment).unwrap(), changed, "untouched");
}

#[tokio::test]
async fn another_trails_journal_is_left_alone() {
    let dir = quick_dir();
    support::trail_of(dir.path(), 3, u64::MAX).await;
    let other = running(9, u64::MAX, 1 << 20).await;
    fs::copy(journal(other.path()), journal(dir.path())).unwrap();
    assert_eq!(check(dir.path()).unwrap().records, 3);
    assert_eq!(open(dir.path()).1.restored, 0);
    assert_eq!(numbers(dir.path()), [0, 1, 2]);
}

#[tokio::test]
async fn a_trail_that_is_closed_leaves_no_journal() {
    let dir = quick_dir();
    let (trail, _) = open(dir.path());
    append_all(&trail, (0..3).map(event)).await;
    assert!(journal(dir.path()).exists());
    trail.close();
    assert!(!journal(dir.path()).exists());
    assert_eq!(verify(dir.path(), None, |_| {}).unwrap().records, 3);
}
