//! A trail that can't be written: nothing is issued and OpenAI is not called.

use std::{process::Command, sync::Arc};

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::json;

use crate::support::{Dev, Stream, dev, post, process::clean, send};

const MINTS: [&str; 3] = [
    "/api/generate-client-secret",
    "/api/interview/realtime-token",
    "/v1/realtime/client_secrets",
];

/// Starts a server that is told "file too large" where it would be killed.
fn start() -> Dev {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let ours = dev::command(&dev::data_dir(&dir));
    let mut shell = clean(Command::new("sh"));
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(ours.get_program())
        .args(ours.get_args());
    Dev::start_as(&dir, shell)
}

/// Leaves room for so many more bytes of the trail, as a full disk would.
fn leave_room(dev: &Dev, bytes: u64) {
    let segment = dev.trail().segments().pop().unwrap();
    let most = segment.metadata().unwrap().len() + bytes;
    let limit = Rlimit {
        current: Some(most),
        maximum: None,
    };
    prlimit(Some(dev.process.pid()), Resource::Fsize, limit).unwrap();
}

/// No route gives a secret, and OpenAI hears of none of them.
async fn assert_closed(dev: &Dev) {
    let before = dev.upstream_log().await.len();
    for path in MINTS {
        let request = post(&dev.client, &dev.url(path), &dev.file.api_key, &json!({}));
        let answer = send(request).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert_eq!(answer.code(), "audit_unavailable");
        assert!(!answer.header("retry-after").is_empty());
        assert!(!answer.text.contains("ek_"), "{path}");
    }
    assert_eq!(dev.upstream_log().await.len(), before);
}

async fn assert_unready(dev: &Dev) {
    assert_eq!(dev.get("/readyz").await.status, 503);
    assert_eq!(dev.get("/livez").await.status, 200);
    let health = dev.get("/health").await.json();
    assert_eq!(health["audit"]["writable"], false);
}

/// After a restart with room, the trail is whole and mints go on.
async fn assert_mended(dev: &mut Dev, kept: &serde_json::Value) {
    dev.process.signal(Signal::INT);
    let status = dev.process.ended_within(std::time::Duration::from_secs(10));
    assert_ne!(status.code(), Some(0), "its end could not be recorded");
    assert!(dev.process.text(Stream::Err).contains("audit trail"));

    let after = Dev::start_in(&dev.dir());
    assert_eq!(after.trail().verified()["verdict"], "whole");
    assert_eq!(after.get("/readyz").await.status, 200);
    after.minted().await;
    let path = format!("/api/client-secrets/{}", kept["id"].as_str().unwrap());
    assert_eq!(after.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_full_disk_closes_every_route_until_it_is_mended() {
    let mut dev = start();
    let kept = dev.minted().await;
    leave_room(&dev, 0);
    assert_closed(&dev).await;
    assert_unready(&dev).await;
    assert_mended(&mut dev, &kept).await;
}

#[tokio::test]
async fn a_record_half_written_is_cut_and_never_counted() {
    let mut dev = start();
    let kept = dev.minted().await;
    leave_room(&dev, 100);
    assert_closed(&dev).await;
    assert_mended(&mut dev, &kept).await;
}

/// Room for the intent and not for the outcome: OpenAI minted, and still no
/// secret leaves.
#[tokio::test]
async fn a_secret_whose_outcome_can_not_be_written_does_not_leave() {
    let mut dev = start();
    let kept = dev.minted().await;
    let lines = dev.trail().lines();
    let intent = lines.len() - 2;
    let room = lines[intent].len() as u64 + 100;
    leave_room(&dev, room);
    let minted = dev.upstream_log().await.len();
    let answer = dev.mint(&dev.file.api_key, &json!({})).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "audit_unavailable")
    );
    assert!(!answer.text.contains("ek_"));
    assert_eq!(dev.upstream_log().await.len(), minted + 1);
    assert_closed(&dev).await;
    assert_mended(&mut dev, &kept).await;
}

#[tokio::test]
async fn room_that_comes_back_is_used_only_after_a_restart() {
    let mut dev = start();
    let kept = dev.minted().await;
    leave_room(&dev, 0);
    assert_closed(&dev).await;
    leave_room(&dev, 1 << 30);
    // What a failed write left on the disk is known only once it is verified.
    assert_closed(&dev).await;
    assert_mended(&mut dev, &kept).await;
}
