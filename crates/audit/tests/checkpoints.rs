//! Signed checkpoints: made, kept, and held against a trail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use hallpass_audit::{
    CheckpointKey, Evidence, Notary, NotaryError, PublicKey, SignedCheckpoint, Trail, VerifyError,
    verify_against,
};
use hallpass_core::ports::Clock;
use support::{StillClock, append_all, event, open_hastily, quick_dir, segments};

const SEED: [u8; 32] = [7; 32];

fn notary(dir: &Path, trail: &Trail) -> Notary {
    let key = CheckpointKey::new(&SEED, trail.progress().chain_uid()).unwrap();
    Notary::open(dir, key, &trail.progress()).unwrap()
}

/// Appends records and signs after each.
async fn signed(dir: &Path, records: usize) -> (Trail, Vec<SignedCheckpoint>) {
    let (trail, _) = open_hastily(dir).unwrap();
    let mut notary = notary(dir, &trail);
    let mut made = Vec::new();
    for number in 0..records {
        append_all(&trail, [event(number)]).await;
        assert_eq!(notary.catch_up(trail.progress().durable()).unwrap(), 1);
        made.extend(notary.sign(StillClock.now()).unwrap());
    }
    (trail, made)
}

fn elsewhere(checkpoint: &SignedCheckpoint) -> Evidence {
    Evidence {
        checkpoints: vec![("elsewhere".to_owned(), checkpoint.note.clone())],
        ..Evidence::default()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn a_trail_and_its_checkpoints_agree() {
    let dir = quick_dir();
    let (trail, made) = signed(dir.path(), 9).await;
    assert_eq!(made.len(), 9);
    let report = verify_against(dir.path(), &elsewhere(&made[4]), |_| {}).unwrap();
    assert_eq!((report.checkpoints, report.signed), (10, 9));
    // Nothing new is not signed again, by this notary or the next.
    let mut next = notary(dir.path(), &trail);
    assert_eq!(next.catch_up(trail.progress().durable()).unwrap(), 0);
    assert_eq!(next.sign(StillClock.now()).unwrap(), None);
}

#[tokio::test]
async fn a_rollback_is_found_with_a_checkpoint_kept_elsewhere_and_not_without() {
    let (dir, old) = (quick_dir(), quick_dir());
    let (trail, _) = signed(dir.path(), 3).await;
    copy(dir.path(), old.path());
    let mut notary = notary(dir.path(), &trail);
    append_all(&trail, [event(3), event(4)]).await;
    notary.catch_up(trail.progress().durable()).unwrap();
    let newest = notary.sign(StillClock.now()).unwrap().unwrap();
    verify_against(old.path(), &Evidence::default(), |_| {}).unwrap();
    let found = verify_against(old.path(), &elsewhere(&newest), |_| {});
    assert!(
        matches!(found, Err(VerifyError::SignedRollback { size: 5, .. })),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_rewritten_trail_is_found_by_its_own_checkpoints() {
    let (dir, forged) = (quick_dir(), quick_dir());
    let (trail, _) = signed(dir.path(), 4).await;
    drop(trail);
    // Another chain, whole in itself, under the same trail's checkpoints.
    let (other, _) = open_hastily(forged.path()).unwrap();
    append_all(&other, (0..6).map(|number| event(number + 100))).await;
    drop(other);
    let (ours, theirs) = (segments(dir.path()), segments(forged.path()));
    fs::copy(&theirs[0], &ours[0]).unwrap();
    let found = verify_against(dir.path(), &Evidence::default(), |_| {});
    assert!(
        matches!(found, Err(VerifyError::SignedOtherwise { size: 1, .. })),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_checkpoint_of_another_key_does_not_count() {
    let dir = quick_dir();
    let (_, made) = signed(dir.path(), 2).await;
    let other: PublicKey = CheckpointKey::new(&[9; 32], "other")
        .unwrap()
        .public()
        .clone();
    let evidence = Evidence {
        key: Some(other),
        ..elsewhere(&made[1])
    };
    let found = verify_against(dir.path(), &evidence, |_| {});
    assert!(matches!(found, Err(VerifyError::Note { .. })), "{found:?}");
}

#[tokio::test]
async fn nothing_is_signed_that_contradicts_what_was() {
    let dir = quick_dir();
    let (trail, _) = signed(dir.path(), 4).await;
    let uid = trail.progress().chain_uid().to_owned();
    drop(trail);
    let path = &segments(dir.path())[0];
    let text = fs::read_to_string(path).unwrap();
    let cut: String = text.split_inclusive('\n').take(2).collect();
    fs::write(path, cut).unwrap();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    assert_eq!(trail.progress().chain_uid(), uid);
    let mut notary = notary(dir.path(), &trail);
    let refused = notary.catch_up(trail.progress().durable());
    assert!(
        matches!(refused, Err(NotaryError::Contradiction { signed: 4, .. })),
        "{refused:?}"
    );
    append_all(&trail, (10..14).map(event)).await;
    let refused = notary.catch_up(trail.progress().durable());
    assert!(
        matches!(refused, Err(NotaryError::Contradiction { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_torn_checkpoint_is_passed_over() {
    let dir = quick_dir();
    let (trail, _) = signed(dir.path(), 2).await;
    let path = dir.path().join("checkpoints.ndjson");
    let mut text = fs::read_to_string(&path).unwrap();
    text.truncate(text.len() - 20);
    fs::write(&path, text).unwrap();
    let mut notary = notary(dir.path(), &trail);
    assert_eq!(notary.catch_up(trail.progress().durable()).unwrap(), 1);
    notary.sign(StillClock.now()).unwrap().unwrap();
    let report = verify_against(dir.path(), &Evidence::default(), |_| {}).unwrap();
    assert_eq!((report.checkpoints, report.signed), (2, 2));
}

/// What `hallpass audit prove` prints.
fn printed(dir: &Path, record: u64) -> serde_json::Value {
    let proof = hallpass_audit::prove(dir, record).unwrap();
    let nodes: Vec<String> = proof.nodes.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "record": record, "hash": proof.hash.to_string(),
        "checkpoint": proof.note, "proof": nodes,
    })
}

/// What another program, which shares no line with this crate, says of a proof.
fn python(dir: &Path, proof: &serde_json::Value) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint.py");
    let mut child = Command::new("python3")
        .arg(script)
        .arg(dir.join("checkpoint.pub"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = proof.to_string();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(told(&output.stdout));
    }
    Err(told(&output.stderr))
}

#[tokio::test]
async fn another_program_checks_signature_and_proof() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let mut notary = notary(dir.path(), &trail);
    append_all(&trail, (0..7).map(event)).await;
    notary.catch_up(trail.progress().durable()).unwrap();
    notary.sign(StillClock.now()).unwrap().unwrap();
    for record in [0, 3, 6] {
        let said = python(dir.path(), &printed(dir.path(), record)).unwrap();
        assert!(said.starts_with(&format!("record {record} is among the 7")));
    }
    let good = printed(dir.path(), 3);
    let mut moved = good.clone();
    moved["record"] = 2.into();
    assert!(python(dir.path(), &moved).is_err());
    let mut resized = good.clone();
    let note = good["checkpoint"]
        .as_str()
        .unwrap()
        .replace("\n7\n", "\n8\n");
    resized["checkpoint"] = note.into();
    let said = python(dir.path(), &resized).unwrap_err();
    assert!(said.contains("the signature is wrong"), "{said}");
}

/// What `hallpass audit prove --since` prints.
fn growth(dir: &Path, old: &str) -> Result<serde_json::Value, hallpass_audit::NoProof> {
    let key: hallpass_audit::PublicKey = fs::read_to_string(dir.join("checkpoint.pub"))
        .unwrap()
        .parse()
        .unwrap();
    let grown = hallpass_audit::prove_growth(dir, &key.open(old).unwrap())?;
    let nodes: Vec<String> = grown.nodes.iter().map(ToString::to_string).collect();
    Ok(serde_json::json!({
        "old_checkpoint": old, "checkpoint": grown.note, "proof": nodes,
    }))
}

#[tokio::test]
async fn another_program_checks_that_the_trail_only_grew() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let mut notary = notary(dir.path(), &trail);
    let mut notes = Vec::new();
    for records in [3, 1, 4, 5] {
        append_all(&trail, (0..records).map(event)).await;
        notary.catch_up(trail.progress().durable()).unwrap();
        notes.push(notary.sign(StillClock.now()).unwrap().unwrap().note);
    }
    for (note, size) in notes.iter().zip([3, 4, 8, 13]) {
        let said = python(dir.path(), &growth(dir.path(), note).unwrap()).unwrap();
        let expected = format!("the 13 records begin with the {size} that");
        assert!(said.starts_with(&expected), "{said}");
    }
    let mut other = growth(dir.path(), &notes[0]).unwrap();
    other["old_checkpoint"] = notes[2].clone().into();
    assert!(python(dir.path(), &other).is_err());

    // A checkpoint of another trail's records, under the same name and key.
    let key = CheckpointKey::new(&SEED, trail.progress().chain_uid()).unwrap();
    let forged = key.sign(3, hallpass_audit::Hash::of(b"other records"));
    let error = growth(dir.path(), &forged).unwrap_err().to_string();
    assert!(error.contains("is not the one that was signed"), "{error}");
}
