//! A process that is killed while it writes: what it was told is kept, is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's failure is a panic, and the child tells its parent on standard output"
)]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use hallpass_audit::{Trail, TrailReader};
use hallpass_core::ports::AuditLog;
use support::{check, event, open, settings};
use tempfile::tempdir;

const DIR: &str = "HALLPASS_TEST_TRAIL";

/// The child's part: writes until it is killed, and says each receipt.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(write_for_ever(Path::new(&dir)));
}

async fn write_for_ever(dir: &Path) {
    let mut settings = settings(dir);
    settings.segment_max_bytes = 20_000;
    let trail = Arc::new(Trail::open(settings).unwrap().0);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let trail = trail.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    let number = number * 8 + writer;
                    let receipt = trail.append(event(number)).await.unwrap();
                    let line = format!("\nkept {} {number}\n", receipt.sequence);
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Starts a child, kills it after some receipts, and gives all it said.
fn killed_after(dir: &Path, receipts: usize) -> BTreeMap<u64, String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut kept = BTreeMap::new();
    let said = BufReader::new(child.stdout.take().unwrap());
    for line in said.lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        if let ["kept", sequence, number] = words.as_slice() {
            kept.insert(sequence.parse().unwrap(), (*number).to_owned());
        }
        if kept.len() == receipts {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    kept
}

#[test]
fn a_killed_writer_keeps_all_it_was_told_is_kept() {
    let dir = tempdir().unwrap();
    let mut kept = BTreeMap::new();
    for round in 1..=20 {
        kept.extend(killed_after(dir.path(), round * 7));
        drop(open(dir.path()));
        check(dir.path()).unwrap();
    }
    let stored: BTreeMap<_, _> = TrailReader::open(dir.path())
        .unwrap()
        .map(Result::unwrap)
        .filter_map(|mut record| Some((record.sequence, record.facts.remove("number")?)))
        .collect();
    for (sequence, number) in &kept {
        assert_eq!(stored.get(sequence), Some(number));
    }
    assert!(kept.len() >= 20 * 21 / 2 * 7);
}
