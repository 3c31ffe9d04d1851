//! One record of a trail: as it was written, or not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, path::Path};

use hallpass_audit::{Flaw, Neighbour, Signed, Standing, standing};
use support::{mint, open_hastily, quick_dir};

const RECORDS: u64 = 4;

async fn trail() -> tempfile::TempDir {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let (intent, outcome) = mint();
    let more = (intent.clone(), outcome.clone());
    support::append_all(&trail, [intent, outcome, more.0, more.1]).await;
    dir
}

fn look(dir: &Path, record: u64) -> Option<Standing> {
    standing(dir, record, RECORDS).unwrap()
}

fn change(dir: &Path, record: usize, from: &str, to: &str) {
    let segment = dir.join("trail-00000000000000000000.jsonl");
    let text = fs::read_to_string(&segment).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines[record].contains(from));
    lines[record] = lines[record].replacen(from, to, 1);
    fs::write(segment, lines.join("\n") + "\n").unwrap();
}

#[tokio::test]
async fn a_record_fits_between_its_neighbours() {
    let dir = trail().await;
    for (record, before, after) in [
        (0, Neighbour::Absent, Neighbour::Fits),
        (1, Neighbour::Fits, Neighbour::Fits),
        (3, Neighbour::Fits, Neighbour::Absent),
    ] {
        let found = look(dir.path(), record).unwrap();
        assert!(found.is_good());
        assert_eq!((found.before, found.after), (before, after), "{record}");
        assert_eq!(found.record.unwrap().sequence, record);
        assert_eq!(found.signed, Signed::NotYet, "nobody signs this trail");
    }
    assert!(look(dir.path(), 4).is_none(), "it is not written yet");
}

#[tokio::test]
async fn a_changed_record_and_its_neighbours_say_so() {
    let dir = trail().await;
    change(dir.path(), 1, "\"time\":1", "\"time\":2");
    let changed = look(dir.path(), 1).unwrap();
    assert_eq!(changed.flaw, Some(Flaw::Hash));
    assert!(!changed.is_good());
    // The hash it states is the old one, so the next one still names it.
    assert!(look(dir.path(), 2).unwrap().is_good());
}

#[tokio::test]
async fn a_record_put_in_anothers_place_does_not_fit() {
    let dir = trail().await;
    let segment = dir.path().join("trail-00000000000000000000.jsonl");
    let text = fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(
        &segment,
        [lines[0], lines[2], lines[2], lines[3], ""].join("\n"),
    )
    .unwrap();
    let swapped = look(dir.path(), 1).unwrap();
    assert_eq!(
        swapped.flaw,
        Some(Flaw::Sequence {
            expected: 1,
            found: 2
        })
    );
    assert_eq!(look(dir.path(), 2).unwrap().before, Neighbour::Broken);
}
