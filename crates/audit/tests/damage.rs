//! Whatever is done to a closed trail, `verify` finds it and names the place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, path::Path, process::Command};

use hallpass_audit::{BadRecord, Flaw, Link, VerifyError, verify};
use support::{check, quick_dir, segments, trail_of};
use tempfile::TempDir;

fn bad(dir: &Path) -> BadRecord {
    match check(dir) {
        Err(VerifyError::Bad(bad)) => bad,
        other => panic!("{other:?}"),
    }
}

/// A trail of one segment, and its lines.
async fn lines_of(records: usize) -> (TempDir, Vec<Vec<u8>>) {
    let dir = quick_dir();
    trail_of(dir.path(), records, u64::MAX).await;
    let bytes = fs::read(&segments(dir.path())[0]).unwrap();
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let lines = lines.map(<[u8]>::to_vec).collect();
    (dir, lines)
}

fn put(dir: &Path, lines: &[Vec<u8>]) {
    fs::write(&segments(dir)[0], lines.concat()).unwrap();
}

#[tokio::test]
async fn a_flipped_byte_is_found_and_its_record_named() {
    let (dir, lines) = lines_of(100).await;
    let path = segments(dir.path()).remove(0);
    let whole = lines.concat();
    let ends: Vec<_> = (0..whole.len()).filter(|&i| whole[i] == b'\n').collect();
    // Each line feed, and a byte here and there; each byte of each line is
    // flipped in the chain's own test.
    let places = ends.iter().copied().chain((0..whole.len()).step_by(331));
    for place in places {
        let mut changed = whole.clone();
        changed[place] ^= 1 << (place % 8);
        fs::write(&path, &changed).unwrap();
        let found = bad(dir.path());
        let record = ends.iter().filter(|&&end| end < place).count();
        assert_eq!(found.sequence, record as u64, "byte {place}");
        assert_eq!(found.line, Some(record as u64 + 1));
    }
}

#[tokio::test]
async fn a_removed_inserted_swapped_or_repeated_record_is_found() {
    let (dir, lines) = lines_of(6).await;
    let mut removed = lines.clone();
    removed.remove(2);
    put(dir.path(), &removed);
    let flaw = Flaw::Sequence {
        expected: 2,
        found: 3,
    };
    assert_eq!((bad(dir.path()).sequence, bad(dir.path()).flaw), (2, flaw));
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    put(dir.path(), &swapped);
    assert_eq!(bad(dir.path()).sequence, 2);
    let mut repeated = lines.clone();
    repeated.insert(3, lines[2].clone());
    put(dir.path(), &repeated);
    assert_eq!(bad(dir.path()).sequence, 3);
    let mut first_removed = lines;
    first_removed.remove(0);
    put(dir.path(), &first_removed);
    assert_eq!(bad(dir.path()).sequence, 0);
}

#[tokio::test]
async fn two_trails_spliced_are_found_even_where_the_numbers_fit() {
    let (dir, lines) = lines_of(6).await;
    let (_other_dir, others) = lines_of(6).await;
    let spliced = [&lines[..3], &others[3..]].concat();
    put(dir.path(), &spliced);
    let found = bad(dir.path());
    assert_eq!((found.sequence, found.flaw), (3, Flaw::Previous));
}

#[tokio::test]
async fn an_edited_record_with_a_hash_made_anew_breaks_the_next() {
    let (dir, mut lines) = lines_of(4).await;
    let text = String::from_utf8(lines[1].clone()).unwrap();
    let edited = text.replace("\"number\":\"1\"", "\"number\":\"7\"");
    assert_ne!(text, edited);
    let (hashed, _) = edited.split_at(edited.len() - 70);
    let hash = hallpass_audit::Hash::of(hashed.as_bytes());
    lines[1] = format!("{hashed}{hash}\"}}}}]}}\n").into_bytes();
    put(dir.path(), &lines);
    let found = bad(dir.path());
    assert_eq!((found.sequence, found.flaw), (2, Flaw::Previous));
}

#[tokio::test]
async fn a_missing_swapped_or_repeated_segment_is_found() {
    let dir = quick_dir();
    trail_of(dir.path(), 12, 2500).await;
    let paths = segments(dir.path());
    assert!(paths.len() > 3);
    let kept = fs::read(&paths[1]).unwrap();
    fs::remove_file(&paths[1]).unwrap();
    let found = check(dir.path());
    assert!(matches!(found, Err(VerifyError::MissingSegment { from, .. }) if from > 0));
    // The next segment under the missing one's name.
    fs::copy(&paths[2], &paths[1]).unwrap();
    assert!(matches!(bad(dir.path()).flaw, Flaw::Sequence { .. }));
    // A copy of a segment under a name that comes later.
    fs::write(&paths[1], &kept).unwrap();
    check(dir.path()).unwrap();
    let next = check(dir.path()).unwrap().records;
    fs::write(dir.path().join(format!("trail-{next:020}.jsonl")), &kept).unwrap();
    assert_eq!(bad(dir.path()).sequence, next);
    // The first segment gone.
    fs::remove_file(dir.path().join(format!("trail-{next:020}.jsonl"))).unwrap();
    fs::remove_file(&paths[0]).unwrap();
    let found = check(dir.path());
    assert!(matches!(
        found,
        Err(VerifyError::MissingSegment { from: 0, .. })
    ));
}

#[tokio::test]
async fn a_damaged_older_segment_keeps_the_trail_shut() {
    let dir = quick_dir();
    trail_of(dir.path(), 12, 2500).await;
    let paths = segments(dir.path());
    fs::remove_file(&paths[1]).unwrap();
    let error = support::open_hastily(dir.path()).err().unwrap().to_string();
    assert!(
        error.contains("damaged") && error.contains("trail-0000"),
        "{error}"
    );
}

#[tokio::test]
async fn a_rollback_shows_only_against_a_place_kept_elsewhere() {
    let (dir, lines) = lines_of(5).await;
    let known = check(dir.path()).unwrap().head;
    put(dir.path(), &lines[..3]);
    check(dir.path()).unwrap();
    let found = verify(dir.path(), known, |_| {});
    assert!(matches!(
        found,
        Err(VerifyError::RolledBack { last: Some(2), .. })
    ));
    let (other, _) = lines_of(5).await;
    let theirs = verify(other.path(), known, |_| {});
    assert!(matches!(theirs, Err(VerifyError::Replaced { .. })));
    let empty = quick_dir();
    let nothing = verify(empty.path(), known, |_| {});
    assert!(matches!(
        nothing,
        Err(VerifyError::RolledBack { last: None, .. })
    ));
    let none: Option<Link> = None;
    assert_eq!(verify(empty.path(), none, |_| {}).unwrap().records, 0);
}

#[tokio::test]
async fn a_record_a_running_server_is_writing_is_left_out() {
    let dir = quick_dir();
    let (trail, _) = support::open(dir.path());
    support::append_all(&trail, (0..3).map(support::event)).await;
    let path = segments(dir.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    assert_eq!(check(dir.path()).unwrap().records, 2);
    drop(trail);
    assert_eq!(bad(dir.path()).flaw, Flaw::Unterminated);
}

#[tokio::test]
async fn a_program_of_another_language_comes_to_the_same_verdict() {
    let dir = quick_dir();
    trail_of(dir.path(), 12, 2500).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify.py");
    let run = || {
        Command::new("python3")
            .arg(&script)
            .arg(dir.path())
            .output()
    };
    let Ok(good) = run() else {
        // A machine without Python: nothing to compare with.
        return;
    };
    let said = String::from_utf8(good.stdout).unwrap();
    let head = check(dir.path()).unwrap().head.unwrap();
    assert_eq!(
        said.trim(),
        format!("12 records, the last with hash {}", head.hash)
    );
    let path = &segments(dir.path())[1];
    let mut bytes = fs::read(path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    assert_eq!(run().unwrap().status.code(), Some(1));
}
