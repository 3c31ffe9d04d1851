//! `hallpass audit`: tail, search, verify, hash.

use std::{path::Path, sync::Arc};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Dev, Run, Trail, binary, dev::data_dir};

/// A trail with two services' grants, a person's, and a refusal; its server is gone.
struct Past {
    dir: Arc<TempDir>,
    trail: Trail,
    grant: Value,
    api_key: String,
}

async fn past() -> Past {
    let mut dev = Dev::start();
    let grant = dev.minted().await;
    dev.mint(&dev.file.user_jwt, &json!({ "session_id": "interview-9" }))
        .await;
    dev.mint("nonsense", &json!({})).await;
    assert!(dev.process.end(Signal::INT).success());
    Past {
        dir: dev.dir(),
        trail: dev.trail(),
        grant,
        api_key: dev.file.api_key.clone(),
    }
}

fn audit(verb: &str, dir: &Path, more: &[&str]) -> Run {
    let mut command = binary();
    command.args(["audit", verb]).arg(dir).args(more);
    Run::of(command, "")
}

#[tokio::test]
async fn the_last_records_are_shown() {
    let past = past().await;
    let lines = past.trail.lines();
    let shown = audit("tail", past.trail.dir(), &["-n", "3", "--json"]).done();
    assert!(shown.lines().eq(&lines[lines.len() - 3..]));
    let table = audit("tail", past.trail.dir(), &[]).done();
    assert!(table.contains("server.stop") && table.contains("grant.create"));
}

#[tokio::test]
async fn records_are_found_by_what_is_known_of_them() {
    let past = past().await;
    let id = past.grant["id"].as_str().unwrap();
    let found = |more: &[&str]| {
        let mut arguments = more.to_vec();
        arguments.push("--json");
        audit("search", past.trail.dir(), &arguments)
            .json_lines()
            .len()
    };
    assert_eq!(found(&["--grant", id]), 2);
    assert_eq!(found(&["--grant", id, "--outcome", "success"]), 1);
    assert_eq!(found(&["--subject", "demo-user"]), 2);
    assert_eq!(found(&["--session-id", "interview-9"]), 2);
    assert_eq!(found(&["--outcome", "refused"]), 1);
    assert_eq!(found(&["--action", "server.start"]), 1);
    assert_eq!(found(&["--until", "2020-01-01T00:00:00Z"]), 0);
    assert_eq!(
        found(&["--since", "2020-01-01T00:00:00Z"]),
        past.trail.lines().len()
    );
    assert_eq!(
        audit("search", past.trail.dir(), &["--outcome", "odd"]).code,
        2
    );
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named() {
    let past = past().await;
    let verified = past.trail.verified();
    assert_eq!(verified["records"], past.trail.lines().len());
    let segment = past.trail.segments().remove(0);
    let whole = std::fs::read(&segment).unwrap();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(
            (0..whole.len())
                .filter(|at| whole[*at] == b'\n')
                .map(|at| at + 1),
        )
        .collect();
    for number in [0, 1, starts.len() - 2] {
        let mut bad = whole.clone();
        bad[starts[number] + 40] ^= 1;
        std::fs::write(&segment, &bad).unwrap();
        let run = audit("verify", past.trail.dir(), &[]);
        assert_eq!(run.code, 1, "record {number}");
        assert!(
            run.err.contains(&format!("record {number} in trail-")),
            "{}",
            run.err
        );
    }
    std::fs::write(&segment, &whole).unwrap();
    audit("verify", past.trail.dir(), &[]).done();
}

#[tokio::test]
async fn a_missing_record_is_found_and_named() {
    let past = past().await;
    let segment = past.trail.segments().remove(0);
    let mut lines = past.trail.lines();
    lines.remove(2);
    std::fs::write(&segment, lines.join("\n") + "\n").unwrap();
    let run = audit("verify", past.trail.dir(), &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("record 2"), "{}", run.err);
}

#[test]
fn a_directory_without_a_trail_is_not_called_whole() {
    let dir = tempfile::tempdir().unwrap();
    let run = audit("verify", dir.path(), &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.err.contains("nothing was verified"), "{}", run.err);
}

#[test]
fn a_directory_without_a_trail_is_no_empty_answer() {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["tail", "search", "export"] {
        let run = audit(verb, dir.path(), &[]);
        assert_eq!(run.code, 2, "{verb}: {}", run.out);
        assert!(run.err.contains("holds no segment"), "{verb}: {}", run.err);
    }
}

#[test]
fn a_directory_that_is_not_there_is_bad_use() {
    for verb in ["verify", "tail", "search"] {
        let run = audit(verb, Path::new("/nowhere/audit"), &[]);
        assert_eq!(run.code, 2, "{verb}: {}", run.out);
        assert!(run.err.contains("/nowhere/audit"), "{verb}: {}", run.err);
    }
}

#[tokio::test]
async fn a_leaked_secret_is_traced_by_its_hash() {
    let past = past().await;
    let mut command = binary();
    command
        .args(["audit", "hash", "--data-dir"])
        .arg(data_dir(&past.dir));
    let secret = past.grant["value"].as_str().unwrap();
    let hash = Run::of(command, &format!("{secret}\n")).done();
    let hash = hash.trim();
    assert_eq!(hash.len(), 64);
    let records = past.trail.records();
    let holding: Vec<&str> = records
        .iter()
        .filter(|record| record.grant()["secret_hash"] == hash)
        .map(|record| record.grant_id())
        .collect();
    assert_eq!(holding, [past.grant["id"].as_str().unwrap()]);
    assert!(!past.trail.lines().concat().contains(&past.api_key));
}
