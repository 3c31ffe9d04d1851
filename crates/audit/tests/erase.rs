//! Records whose content is erased while chain, tree and checkpoints hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use hallpass_audit::{
    Archive, CheckpointKey, Erased, Erasure, KeepError, Keeper, LEGAL_HOLD, Notary, Query, Trail,
    VerifyError, erase, restore, search, verify,
};
use hallpass_core::{
    Timestamp,
    ids::Subject,
    ports::{AuditLog, Clock},
};
use support::{StillClock, append_all, event, quick_dir, segments, settings};

const NUMBER: usize = 24;

/// A signed trail of two people's records in several segments.
async fn signed(dir: &Path) -> Trail {
    let mut settings = settings(dir);
    settings.segment_max_bytes = 6000;
    let (trail, _) = Trail::open(settings).unwrap();
    let key = CheckpointKey::new(&[7; 32], trail.progress().chain_uid()).unwrap();
    let mut notary = Notary::open(dir, key, &trail.progress()).unwrap();
    for number in 0..NUMBER {
        let mut event = event(number);
        let mut caller = support::caller();
        let person = format!("person-{}", number % 2);
        // Theirs, about them, or odd.
        match number % 3 {
            0 => caller.subject = Subject::new(person).unwrap(),
            1 => event.facts.push(("target", person)),
            _ => event.facts.push(("about", format!("subject {person}"))),
        }
        event.caller = Some(Arc::new(caller));
        append_all(&trail, [event]).await;
        notary.catch_up(trail.progress().durable()).unwrap();
        notary.sign(StillClock.now()).unwrap().unwrap();
    }
    trail
}

fn erasure() -> Erasure {
    Erasure {
        subject: Some("person-1".to_owned()),
        reason: "request 17".to_owned(),
        ..Erasure::default()
    }
}

/// As the command does it: its record begins another segment.
async fn erased(dir: &Path, archive: Option<&Archive>) -> Result<Erased, KeepError> {
    let mut settings = settings(dir);
    settings.segment_max_bytes = 1;
    let (trail, _) = Trail::open(settings).unwrap();
    erase(dir, archive, &erasure(), StillClock.now(), &trail).await
}

fn after(days: u64) -> Timestamp {
    StillClock.now() + Duration::from_secs(days * 86_400)
}

/// Whether a text is in any file of a folder.
fn mentions(dir: &Path, text: &str) -> bool {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file())
        .any(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(text))
}

fn found(dir: &Path, subject: &str) -> usize {
    let query = Query {
        subject: Some(subject.to_owned()),
        ..Query::default()
    };
    search(dir, query).unwrap().map(Result::unwrap).count()
}

fn python(dir: &Path) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let run = Command::new("python3").arg(script).arg(dir).output();
    run.unwrap().status.success()
}

#[tokio::test]
async fn a_persons_records_are_gone_and_everything_still_holds() {
    let dir = quick_dir();
    drop(signed(dir.path()).await);
    let before = verify(dir.path(), None, |_| {}).unwrap();
    let done = erased(dir.path(), None).await.unwrap();
    assert_eq!(done.records, NUMBER / 2);
    assert!(done.segments > 2, "{done:?}");

    let report = verify(dir.path(), None, |_| {}).unwrap();
    assert_eq!(report.erased, NUMBER as u64 / 2);
    assert_eq!(report.records, before.records + 1);
    assert_eq!(report.checkpoints, before.checkpoints, "each still holds");
    assert!(!mentions(dir.path(), "person-1"));
    assert_eq!(found(dir.path(), "person-1"), 0);
    assert_eq!(found(dir.path(), "person-0"), NUMBER / 6);
    assert!(python(dir.path()), "another program agrees");

    assert_eq!(erased(dir.path(), None).await.unwrap(), Erased::default());
    let (trail, _) = support::open(dir.path());
    append_all(&trail, [event(1)]).await;
    verify(dir.path(), None, |_| {}).unwrap();
}

#[tokio::test]
async fn the_archive_forgets_too_what_is_only_there_included() {
    let (dir, there) = (quick_dir(), quick_dir());
    let trail = signed(dir.path()).await;
    let archive = Archive::open(there.path().to_str().unwrap(), []).unwrap();
    let keeper = |hot_days| Keeper {
        dir: dir.path().to_owned(),
        archive: Some(archive.clone()),
        hot_days,
        retention_days: 90,
        written: None,
    };
    keeper(30).keep(after(1), &trail).await.unwrap();
    let whole = segments(dir.path()).len();
    keeper(30).keep(after(31), &trail).await.unwrap();
    assert!(segments(dir.path()).len() < whole, "some are only there");
    drop(trail);
    let done = erased(dir.path(), Some(&archive)).await.unwrap();
    assert_eq!(done.records, NUMBER / 2);
    assert!(!mentions(dir.path(), "person-1"));
    assert!(!dir.path().join("erase.tmp").exists());

    let back = quick_dir();
    restore(dir.path(), &archive, back.path(), None, None)
        .await
        .unwrap();
    assert!(!mentions(back.path(), "person-1"), "compressed or not");
    verify(dir.path(), None, |_| {}).unwrap();
    // And keeping goes on: the archived copies are what is known of them.
    let (trail, _) = support::open(dir.path());
    let kept = keeper(0).keep(after(40), &trail).await.unwrap();
    assert!(kept.removed_here > 0, "{kept:?}");
}

#[tokio::test]
async fn a_legal_hold_forbids_it() {
    let dir = quick_dir();
    drop(signed(dir.path()).await);
    fs::write(dir.path().join(LEGAL_HOLD), "case 7").unwrap();
    let error = erased(dir.path(), None).await.unwrap_err().to_string();
    assert!(
        error.contains("legal hold") && error.contains("case 7"),
        "{error}"
    );
    assert!(mentions(dir.path(), "person-1"));
}

/// Who may write the folder can blank a record; not without being found.
#[tokio::test]
async fn an_erasure_nobody_recorded_is_found() {
    let (dir, honest) = (quick_dir(), quick_dir());
    drop(signed(dir.path()).await);
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, honest.path().join(path.file_name().unwrap())).unwrap();
    }
    erased(honest.path(), None).await.unwrap();
    let first = &segments(dir.path())[0];
    let blank = honest.path().join(first.file_name().unwrap());
    fs::copy(blank, first).unwrap();
    let error = verify(dir.path(), None, |_| {}).unwrap_err();
    assert!(
        matches!(error, VerifyError::Erased { sequence: 1 }),
        "{error}"
    );
    assert!(!python(dir.path()));
}

#[tokio::test]
async fn a_kind_of_record_is_kept_for_a_shorter_time() {
    let dir = quick_dir();
    drop(signed(dir.path()).await);
    let erasure = Erasure {
        action: Some("admin.request".to_owned()),
        before: Some(after(1)),
        reason: "kept a day".to_owned(),
        ..Erasure::default()
    };
    let mut settings = settings(dir.path());
    settings.segment_max_bytes = 1;
    let (trail, _) = Trail::open(settings).unwrap();
    let now = StillClock.now();
    let none = Erasure {
        before: Some(now),
        ..erasure.clone()
    };
    assert_eq!(
        erase(dir.path(), None, &none, now, &trail)
            .await
            .unwrap()
            .records,
        0
    );
    let done = erase(dir.path(), None, &erasure, now, &trail)
        .await
        .unwrap();
    assert_eq!(done.records, NUMBER);
    trail.append(event(0)).await.unwrap();
    assert_eq!(
        verify(dir.path(), None, |_| {}).unwrap().erased,
        NUMBER as u64
    );
}
