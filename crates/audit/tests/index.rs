//! The files beside sealed segments: what they are made of, and older ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, net::IpAddr, path::Path, sync::Arc};

use hallpass_audit::{Archive, Keeper, Progress, Query, Trail, restore, search, verify};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ids::Subject,
    ports::Clock,
};
use proptest::{option, prelude::*};
use strum::IntoEnumIterator;
use support::{Hasty, StillClock, append_all, caller, event, mint, quick_dir, segments, settings};

fn keeper(dir: &Path, written: Option<Progress>) -> Keeper {
    Keeper {
        dir: dir.to_owned(),
        archive: None,
        hot_days: 90,
        retention_days: 1_000_000,
        written,
    }
}

/// Each load of records has a segment of its own.
fn open(dir: &Path) -> Trail {
    let mut settings = settings(dir);
    settings.disk = Arc::new(Hasty);
    settings.segment_max_bytes = 1;
    Trail::open(settings).unwrap().0
}

async fn keep(keeper: &Keeper, trail: &Trail) -> usize {
    let kept = keeper.keep(StillClock.now(), trail).await.unwrap();
    kept.indexed
}

/// The files beside the segments, by name.
fn beside(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let named = named.filter(|(name, _)| name.ends_with(".index") || name.ends_with(".hashes"));
    let mut files: Vec<_> = named
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn remove_beside(dir: &Path) {
    for (name, _) in beside(dir) {
        fs::remove_file(dir.join(name)).unwrap();
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failed = || Outcome::Failed {
        code: Code::Internal,
        reason: Some("said \"so\"".into()),
    };
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Abandoned),
        Just(Outcome::Pending),
        any::<()>().prop_map(move |()| failed()),
    ]
}

fn any_event() -> impl Strategy<Value = AuditEvent> {
    let action = prop::sample::select(Action::iter().collect::<Vec<_>>());
    let subject = option::of("[a-zA-Z0-9 \"\\\\<é日\u{202e}-]{1,40}");
    let parts = (
        any::<Option<bool>>(),
        any::<bool>(),
        option::of(any::<IpAddr>()),
    );
    let named = option::of("gr_[a-z0-9\"]{1,8}");
    let time = 0..4_000_000_000_000_i64;
    (action, outcome(), subject, parts, named, time).prop_map(
        |(action, outcome, subject, (grant, requested, address), named, time)| {
            let (intent, issued) = mint();
            let mut event = match grant {
                Some(true) => issued,
                Some(false) => intent,
                None => event(1),
            };
            (event.action, event.outcome) = (action, outcome);
            event.time = Timestamp::from_millisecond(time).unwrap();
            let mut request = support::request();
            request.address = address;
            event.request = requested.then(|| Arc::new(request));
            let subject = subject.and_then(|subject| Subject::new(subject).ok());
            event.caller = subject.map(|subject| {
                Arc::new(hallpass_core::caller::Caller {
                    subject,
                    ..caller()
                })
            });
            let named = named.map(|id| ("grant", id));
            event.facts.extend(named);
            event
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_its_writer_knew_of_a_segment_makes_the_files_that_reading_it_makes(
        events in prop::collection::vec(any_event(), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = quick_dir();
            let trail = open(dir.path());
            append_all(&trail, events).await;
            append_all(&trail, [event(0)]).await;
            let sealed = segments(dir.path()).len() - 1;
            let known = keeper(dir.path(), Some(trail.progress()));
            prop_assert_eq!(keep(&known, &trail).await, sealed);
            let told = beside(dir.path());
            remove_beside(dir.path());
            prop_assert_eq!(keep(&keeper(dir.path(), None), &trail).await, sealed);
            prop_assert_eq!(told, beside(dir.path()));
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_segment_an_earlier_process_began_is_read() {
    let dir = quick_dir();
    let mut settings = settings(dir.path());
    settings.disk = Arc::new(Hasty);
    settings.segment_max_bytes = 4000;
    for _ in 0..2 {
        let (trail, _) = Trail::open(settings.clone()).unwrap();
        append_all(&trail, [event(1)]).await;
    }
    let (trail, _) = Trail::open(settings).unwrap();
    append_all(&trail, (0..9).map(event)).await;
    let known = keeper(dir.path(), Some(trail.progress()));
    assert!(keep(&known, &trail).await > 0);
    let told = beside(dir.path());
    remove_beside(dir.path());
    keep(&keeper(dir.path(), None), &trail).await;
    assert_eq!(told, beside(dir.path()));
    verify(dir.path(), None, |_| {}).unwrap();
}

#[tokio::test]
async fn damage_from_before_it_was_indexed_is_found() {
    let (dir, archive) = (quick_dir(), quick_dir());
    let trail = open(dir.path());
    append_all(&trail, (0..3).map(event)).await;
    let damaged = segments(dir.path()).remove(1);
    let text = fs::read_to_string(&damaged).unwrap();
    fs::write(
        &damaged,
        text.replace("\"number\":\"1\"", "\"number\":\"7\""),
    )
    .unwrap();
    let archive = Archive::open(archive.path().to_str().unwrap(), []).unwrap();
    let keeper = Keeper {
        archive: Some(archive),
        ..keeper(dir.path(), Some(trail.progress()))
    };
    let refused = keeper.keep(StillClock.now(), &trail).await.unwrap_err();
    assert!(refused.to_string().contains("record 1: "), "{refused}");
}

#[tokio::test]
async fn who_keeps_rarely_finds_the_newest_known_and_reads_the_rest() {
    let dir = quick_dir();
    let trail = open(dir.path());
    append_all(&trail, (0..20).map(event)).await;
    let known = keeper(dir.path(), Some(trail.progress()));
    assert_eq!(keep(&known, &trail).await, 19);
    let told = beside(dir.path());
    remove_beside(dir.path());
    assert_eq!(keep(&known, &trail).await, 19);
    assert_eq!(told, beside(dir.path()));
}

/// An index as it was kept when its filter had other terms, or besides held a
/// hash of its segment's file.
fn of_old(index: &[u8], with_hash: bool) -> Vec<u8> {
    let (head, rest) = index.split_at(64);
    assert_eq!(&head[..8], b"hpindex3");
    let blocks: [u8; 8] = *head[48..].first_chunk().unwrap();
    // Nothing is found by these.
    let filter = vec![0; usize::try_from(u64::from_le_bytes(blocks)).unwrap() * 64];
    let rest = &rest[..rest.len() - filter.len()];
    match with_hash {
        true => [b"hpindex1", &head[8..], &[7; 32], rest, &filter].concat(),
        false => [b"hpindex2", &head[8..], rest, &filter].concat(),
    }
}

#[tokio::test]
async fn an_index_of_an_older_form_is_read_and_made_anew_where_its_segment_is() {
    for with_hash in [false, true] {
        let dir = quick_dir();
        let trail = open(dir.path());
        append_all(&trail, (0..6).map(|_| mint().1)).await;
        let keeper = keeper(dir.path(), None);
        keep(&keeper, &trail).await;
        let current = beside(dir.path());
        for (name, content) in &current {
            if name.ends_with(".index") {
                let old = of_old(content, with_hash);
                fs::write(dir.path().join(name), old).unwrap();
            }
        }
        let subject = Query {
            subject: Some("user-42".to_owned()),
            ..Query::default()
        };
        let found = search(dir.path(), subject).unwrap();
        assert_eq!(found.skipped_segments(), 0);
        assert_eq!(found.count(), 6);
        // It still tells the times of what is only archived.
        let archive = quick_dir();
        let archive = Archive::open(archive.path().to_str().unwrap(), []).unwrap();
        let into = quick_dir();
        let past = Some(Timestamp::from_second(1).unwrap());
        let none = restore(dir.path(), &archive, into.path(), None, past).await;
        assert!(none.unwrap().is_empty());
        assert_eq!(keep(&keeper, &trail).await, 5);
        assert_eq!(current, beside(dir.path()));
        assert_eq!(keep(&keeper, &trail).await, 0, "none is made twice");
    }
}

#[tokio::test]
async fn what_was_kept_of_a_segment_that_was_changed_is_not_replaced_with_its_old_index() {
    let dir = quick_dir();
    let trail = open(dir.path());
    append_all(&trail, (0..3).map(event)).await;
    let keeper = keeper(dir.path(), None);
    keep(&keeper, &trail).await;
    for (name, content) in beside(dir.path()) {
        if name.ends_with(".index") {
            fs::write(dir.path().join(name), of_old(&content, false)).unwrap();
        }
    }
    let before = beside(dir.path());
    // Another hash of another record, as whoever changes one would write it.
    let changed = segments(dir.path()).remove(0);
    let other = fs::read_to_string(&segments(dir.path())[1]).unwrap();
    let text = fs::read_to_string(&changed).unwrap();
    let hash = |text: &str| text[text.len() - 70..text.len() - 6].to_owned();
    fs::write(&changed, text.replace(&hash(&text), &hash(&other))).unwrap();
    let refused = keeper.keep(StillClock.now(), &trail).await.unwrap_err();
    assert!(refused.to_string().contains("record 0: "), "{refused}");
    assert_eq!(before, beside(dir.path()));
}
