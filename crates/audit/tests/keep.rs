//! Segments over time: index, archive, removal, and what still verifies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use hallpass_audit::{
    Archive, Evidence, Keeper, LEGAL_HOLD, Query, Trail, TrailSettings, VerifyError, restore,
    search, verify, verify_against,
};
use hallpass_core::{
    Timestamp,
    ids::Subject,
    ports::{AuditLog, Clock},
};
use support::{Hasty, event, quick_dir, segments};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A clock that is set by hand.
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(
            Timestamp::from_second(1_795_000_000).unwrap(),
        )))
    }

    fn next_day(&self) {
        let mut now = self.0.lock().unwrap();
        *now += DAY;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn open(dir: &Path, clock: &Arc<SetClock>) -> Trail {
    let mut settings = TrailSettings::new(dir, clock.clone(), "1.2.3");
    settings.disk = Arc::new(Hasty);
    settings.segment_max_age = Duration::from_secs(20 * 3600);
    Trail::open(settings).unwrap().0
}

fn keeper(dir: &Path, archive: Option<&Path>) -> Keeper {
    let open = |path: &Path| Archive::open(path.to_str().unwrap(), []).unwrap();
    Keeper {
        dir: dir.to_owned(),
        archive: archive.map(open),
        hot_days: 90,
        retention_days: 365,
        written: None,
    }
}

/// One day: some records, then a round of keeping.
async fn live_a_day(trail: &Trail, clock: &SetClock, keeper: &Keeper, day: usize) {
    for number in 0..3 {
        let mut event = event(number);
        event.time = clock.now();
        let mut caller = support::caller();
        caller.subject = Subject::new(format!("user-{day}")).unwrap();
        event.caller = Some(Arc::new(caller));
        trail.append(event).await.unwrap();
    }
    keeper.keep(clock.now(), trail).await.unwrap();
    clock.next_day();
}

fn names(dir: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

#[tokio::test]
async fn four_hundred_days_stay_whole_at_every_step() {
    let (dir, archive, clock) = (quick_dir(), quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = keeper(dir.path(), Some(archive.path()));
    let mut originals = Vec::new();
    for day in 0..400 {
        live_a_day(&trail, &clock, &keeper, day).await;
        if day < 20 {
            let newest = segments(dir.path()).pop().unwrap();
            originals.push((newest.clone(), fs::read(newest).unwrap()));
        }
        if day % 40 == 39 {
            let report = verify(dir.path(), None, |_| {}).unwrap();
            let days = segments(dir.path()).len();
            assert!(days <= 93, "{days} segments at hand on day {day}");
            assert!(report.records >= (day as u64 + 1) * 3);
        }
    }
    let archived = names(archive.path(), ".jsonl.zst").len();
    assert!((360..=367).contains(&archived), "{archived} archived");
    let report = verify(dir.path(), None, |_| {}).unwrap();
    assert!(report.hash_only > 900, "{report:?}");
    // And it opens again, though it begins long after its first record.
    drop(trail);
    open(dir.path(), &clock).append(event(1)).await.unwrap();
    verify(dir.path(), None, |_| {}).unwrap();
}

#[tokio::test]
async fn a_restored_segment_is_the_same_byte_for_byte_and_verifies() {
    let (dir, archive, clock) = (quick_dir(), quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = keeper(dir.path(), Some(archive.path()));
    let mut first = None;
    for day in 0..120 {
        live_a_day(&trail, &clock, &keeper, day).await;
        first = first.or_else(|| segments(dir.path()).first().cloned());
        if day == 1 {
            let path = first.clone().unwrap();
            fs::copy(&path, archive.path().join("original")).unwrap();
        }
    }
    let first = first.unwrap();
    assert!(!first.exists(), "it is archived only");
    let back = quick_dir();
    let brought = restore(
        dir.path(),
        keeper.archive.as_ref().unwrap(),
        back.path(),
        None,
        None,
    );
    assert!(brought.await.unwrap().len() > 100);
    let restored = back.path().join(first.file_name().unwrap());
    assert_eq!(
        fs::read(restored).unwrap(),
        fs::read(archive.path().join("original")).unwrap()
    );
    let partial = Evidence {
        partial: true,
        ..Evidence::default()
    };
    verify_against(back.path(), &partial, |_| {}).unwrap();
}

#[tokio::test]
async fn a_legal_hold_keeps_everything() {
    let (dir, clock) = (quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = Keeper {
        retention_days: 2,
        ..keeper(dir.path(), None)
    };
    fs::write(dir.path().join(LEGAL_HOLD), "case 7").unwrap();
    for day in 0..6 {
        live_a_day(&trail, &clock, &keeper, day).await;
    }
    assert_eq!(segments(dir.path()).len(), 6);
    fs::remove_file(dir.path().join(LEGAL_HOLD)).unwrap();
    let kept = keeper.keep(clock.now(), &trail).await.unwrap();
    assert_eq!((kept.removed_here, kept.held), (4, false));
    assert_eq!(hallpass_audit::hold(dir.path()), None);
    verify(dir.path(), None, |_| {}).unwrap();
}

#[tokio::test]
async fn a_segment_whose_archived_copy_was_changed_stays_here() {
    let (dir, archive, clock) = (quick_dir(), quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = keeper(dir.path(), Some(archive.path()));
    for day in 0..3 {
        live_a_day(&trail, &clock, &keeper, day).await;
    }
    let object = archive.path().join(&names(archive.path(), ".zst")[0]);
    let other = names(archive.path(), ".zst").pop().unwrap();
    fs::copy(archive.path().join(other), &object).unwrap();
    for _ in 0..100 {
        clock.next_day();
    }
    let before = segments(dir.path()).len();
    let error = keeper.keep(clock.now(), &trail).await.unwrap_err();
    assert!(error.to_string().contains("is not the segment"), "{error}");
    assert_eq!(segments(dir.path()).len(), before);
}

/// Changes one byte of a segment that was indexed.
fn spoil(segment: &Path) {
    let mut bytes = fs::read(segment).unwrap();
    let at = bytes.windows(6).position(|text| text == b"user-0").unwrap();
    bytes[at] = b'x';
    fs::write(segment, bytes).unwrap();
}

#[tokio::test]
async fn a_segment_that_was_changed_here_is_neither_archived_nor_removed() {
    let (dir, archive, clock) = (quick_dir(), quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let here = keeper(dir.path(), None);
    for day in 0..3 {
        live_a_day(&trail, &clock, &here, day).await;
    }
    let first = segments(dir.path())[0].clone();
    let whole = fs::read(&first).unwrap();
    let keeper = keeper(dir.path(), Some(archive.path()));
    spoil(&first);
    let error = keeper.keep(clock.now(), &trail).await.unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");
    assert!(names(archive.path(), ".zst").is_empty());
    // And once it is archived, what is wrong is the one here.
    fs::write(&first, whole).unwrap();
    keeper.keep(clock.now(), &trail).await.unwrap();
    spoil(&first);
    for _ in 0..100 {
        clock.next_day();
    }
    let error = keeper.keep(clock.now(), &trail).await.unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");
    assert!(first.exists());
}

#[tokio::test]
async fn segments_removed_by_hand_are_missed() {
    let (dir, clock) = (quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = keeper(dir.path(), None);
    for day in 0..5 {
        live_a_day(&trail, &clock, &keeper, day).await;
    }
    let paths = segments(dir.path());
    for removed in [&paths[..2], &paths[2..3]] {
        let copy = quick_dir();
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if !removed.contains(&path) {
                fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let found = verify(copy.path(), None, |_| {});
        assert!(
            matches!(found, Err(VerifyError::Removed { .. })),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_search_reads_only_the_segments_that_may_hold_it() {
    let (dir, clock) = (quick_dir(), SetClock::new());
    let trail = open(dir.path(), &clock);
    let keeper = keeper(dir.path(), None);
    for day in 0..90 {
        live_a_day(&trail, &clock, &keeper, day).await;
    }
    let subject = Query {
        subject: Some("user-17".to_owned()),
        ..Query::default()
    };
    let found = search(dir.path(), subject.clone()).unwrap();
    assert!(
        found.skipped_segments() >= 85,
        "{}",
        found.skipped_segments()
    );
    assert_eq!(found.count(), 3);
    let all = search(
        dir.path(),
        Query {
            without_index: true,
            ..subject.clone()
        },
    );
    let all = all.unwrap();
    assert_eq!(all.skipped_segments(), 0);
    assert_eq!(all.count(), 3);
    // A day by its time.
    let start = Timestamp::from_second(1_795_000_000).unwrap() + DAY * 40;
    let day = Query {
        since: Some(start),
        until: Some(start + DAY),
        ..Query::default()
    };
    let found = search(dir.path(), day).unwrap();
    assert_eq!(found.skipped_segments(), 88);
    assert_eq!(found.count(), 3);
    // An index that no longer fits is not believed, and is made again.
    let index = names(dir.path(), ".index");
    fs::write(dir.path().join(&index[17]), "nonsense").unwrap();
    assert_eq!(search(dir.path(), subject.clone()).unwrap().count(), 3);
    let kept = keeper.keep(clock.now(), &trail).await.unwrap();
    assert_eq!(kept.indexed, 1);
    assert_eq!(search(dir.path(), subject).unwrap().count(), 3);
}
