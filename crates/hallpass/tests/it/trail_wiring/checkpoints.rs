//! Checkpoints at intervals, to a second place; with one, a rollback is found.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::{Place, copy, json_of, until, verify};
use crate::support::{
    Run, Serve, Stream, binary,
    receiver::{Mood, Receiver},
};

/// A moment of a trail, and a checkpoint of a later one kept elsewhere.
struct Evidence {
    old: PathBuf,
    kept: PathBuf,
    /// How many records the later moment has.
    records: u64,
}

async fn before_and_after(place: &Place) -> (PathBuf, u64) {
    place.mint_times(1).await;
    let dir = place.site.trail();
    let (old, records) = (place.site.path("old"), dir.lines().len());
    // What is signed already is old too.
    copy(dir.dir(), &old);
    place.mint_times(2).await;
    (old, records as u64 + 2)
}

fn size(line: &str) -> u64 {
    json_of(line)["size"].as_u64().unwrap_or(0)
}

/// With the checkpoint the old copy is found out; without it, it is not.
fn assert_rollback_is_found(mut place: Place, evidence: &Evidence) {
    assert!(place.serve.process.end(Signal::INT).success());
    let (trail, public) = (place.site.trail(), place.site.path("hallpass.pub"));
    std::fs::write(&public, place.site.run(&["audit", "key"]).done()).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let kept = [
        "--checkpoint",
        &text(&evidence.kept),
        "--public-key",
        &text(&public),
    ];
    let whole = verify(trail.dir(), &kept).json();
    assert_eq!(whole["verdict"], "whole");
    assert!(whole["checkpoints"].as_u64().unwrap() >= 2, "{whole}");

    let mut prove = binary();
    prove.args(["audit", "prove"]).arg(trail.dir());
    prove.args(["--since", kept[1], "--public-key", kept[3]]);
    let proof = Run::of(prove, "").json();
    let note = proof["checkpoint"].as_str().unwrap();
    let newest = note.lines().nth(1).unwrap().parse::<u64>().unwrap();
    assert!(newest >= evidence.records, "{proof}");

    std::fs::remove_dir_all(trail.dir()).unwrap();
    copy(&evidence.old, trail.dir());
    assert_eq!(verify(trail.dir(), &[]).json()["verdict"], "whole");
    let found = verify(trail.dir(), &kept);
    assert_eq!(found.code, 1, "{}", found.out);
    assert!(found.err.contains("rolled back"), "{}", found.err);

    // The server can't know either, and goes on; another trail grows.
    place.serve = Serve::start(&place.site);
    assert!(place.serve.process.end(Signal::INT).success());
    assert_eq!(verify(trail.dir(), &[]).code, 0);
    let found = verify(trail.dir(), &kept);
    assert_eq!(found.code, 1, "{}", found.out);
}

#[tokio::test]
async fn standard_output_gets_them() {
    let audit = "checkpoint_seconds = 1\ncheckpoint_to = \"stdout\"";
    let place = Place::start(audit, |_| {});
    let (old, records) = before_and_after(&place).await;
    let line = place.serve.process.wait_for(Stream::Out, |line| {
        (size(line) >= records).then(|| line.to_owned())
    });
    let kept = place.site.path("kept.jsonl");
    std::fs::write(&kept, line).unwrap();
    assert_rollback_is_found(place, &Evidence { old, kept, records });
}

#[tokio::test]
async fn a_file_gets_them() {
    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("kept.jsonl");
    let audit = format!(
        "checkpoint_seconds = 1\ncheckpoint_to = \"file:{}\"",
        kept.display()
    );
    let place = Place::start(&audit, |_| {});
    let (old, records) = before_and_after(&place).await;
    until("a checkpoint in the file", || {
        let text = std::fs::read_to_string(&kept).unwrap_or_default();
        text.lines().any(|line| size(line) >= records)
    })
    .await;
    assert_rollback_is_found(place, &Evidence { old, kept, records });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_gets_them_when_it_can_take_them() {
    let receiver = Receiver::start(Mood::Refuses).await;
    let audit = format!(
        "checkpoint_seconds = 1\ncheckpoint_to = \"{}/notes\"",
        receiver.url
    );
    let place = Place::start(&audit, |_| {});
    let (old, records) = before_and_after(&place).await;
    receiver.asked(2).await;
    receiver.set(Mood::Takes);
    let states = |note: &String| note.lines().nth(1).unwrap().parse::<u64>().unwrap();
    let notes = receiver
        .taken(|notes| notes.iter().any(|note| states(note) >= records))
        .await;
    let kept = place.site.path("kept.note");
    std::fs::write(&kept, notes.last().unwrap()).unwrap();
    assert_rollback_is_found(place, &Evidence { old, kept, records });
}

/// Segments put back under a running key: nothing more is signed over them.
#[tokio::test]
async fn a_server_whose_segments_were_put_back_signs_nothing_more() {
    let mut place = Place::start("checkpoint_seconds = 1", |_| {});
    let (old, records) = before_and_after(&place).await;
    let (trail, kept) = (place.site.trail(), "checkpoints.ndjson");
    until("a checkpoint", || {
        let text = std::fs::read_to_string(trail.dir().join(kept)).unwrap_or_default();
        text.lines().any(|line| size(line) >= records)
    })
    .await;
    place.serve.process.kill_9();
    std::fs::copy(trail.dir().join(kept), old.join(kept)).unwrap();
    std::fs::remove_dir_all(trail.dir()).unwrap();
    copy(&old, trail.dir());
    place.serve = Serve::start(&place.site);
    let told = place.serve.process.wait_for(Stream::Err, |line| {
        let line = json_of(line);
        let ended = line["message"] == "audit trail: checkpoints have ended";
        ended.then(|| line["error"].as_str().unwrap_or("").to_owned())
    });
    assert!(told.contains("Run `hallpass audit verify`"), "{told}");
    let metrics = place.metrics().await;
    assert!(metrics.contains("hallpass_audit_checkpoint_failures_total 1"));
    assert_eq!(verify(trail.dir(), &[]).code, 1);
}
