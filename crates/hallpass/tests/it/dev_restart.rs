//! Ends and second starts of a development server.

use std::{sync::Arc, time::Duration};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Dev, Run, Stream, dev};

/// A person does not wait longer for Ctrl-C to work.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_second_start_goes_on_where_the_first_ended() {
    let mut first = Dev::start();
    let before = first.minted().await;
    assert!(first.process.end(Signal::INT).success());
    let ended = first.trail().verified();

    let second = Dev::start_in(&first.dir());
    assert_eq!(second.file.api_key, first.file.api_key);
    assert_eq!(second.file.admin_key, first.file.admin_key);
    let listed = second.get("/api/client-secrets").await.json();
    assert_eq!(listed["data"][0]["id"], before["id"]);
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);

    let after = second.minted().await;
    let listed = second.get("/api/client-secrets").await.json();
    assert_eq!(listed["data"][0]["id"], after["id"]);
    assert_eq!(listed["data"][1]["id"], before["id"]);

    let records = second.trail().all();
    let sequences: Vec<u64> = records.iter().map(|record| record.sequence()).collect();
    let whole: Vec<u64> = (0..).take(sequences.len()).collect();
    assert_eq!(sequences, whole);
    let verified = second.trail().verified();
    assert!(verified["records"].as_u64() > ended["records"].as_u64());
}

#[tokio::test]
async fn earlier_credentials_open_the_door_after_a_restart() {
    let mut first = Dev::start();
    assert!(first.process.end(Signal::INT).success());
    let second = Dev::start_in(&first.dir());
    let answer = second.mint(&first.file.user_jwt, &json!({})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

#[tokio::test]
async fn ctrl_c_and_sigterm_end_it_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut dev = Dev::start();
        dev.minted().await;
        dev.process.signal(signal);
        // The client still holds its connection open.
        let status = dev.process.ended_within(PATIENCE);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert_eq!(dev.process.text(Stream::Err), "");
        assert_eq!(dev.trail().verified()["verdict"], "whole");
        let records = dev.trail().records();
        assert_eq!(records.last().unwrap().action(), "server.stop");
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_and_changes_nothing() {
    let first = Dev::start();
    let kept = |name: &str| std::fs::read(first.data_dir().join(name)).unwrap();
    let files = ["dev.json", "dev.toml", "tls/cert.pem", "tls/key.pem"];
    let before = files.map(kept);
    let run = Run::of(dev::command(&first.data_dir()), "");
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(
        run.err.contains("another") && run.err.contains("data"),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    assert!(files.map(kept) == before, "the running server's files stay");
    first.minted().await;
}

#[tokio::test]
async fn a_killed_server_leaves_a_directory_that_starts() {
    let mut first = Dev::start();
    let before = first.minted().await;
    first.process.kill_9();
    let second = Dev::start_in(&first.dir());
    let found = second
        .get(&format!(
            "/api/client-secrets/{}",
            before["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(found.status, 200, "{}", found.text);
    assert_eq!(second.trail().verified()["verdict"], "whole");
}

#[tokio::test]
async fn two_directories_do_not_know_each_other() {
    let (one, other) = (Dev::start(), Dev::start());
    assert!(!Arc::ptr_eq(&one.dir(), &other.dir()));
    for credential in [&one.file.api_key, &one.file.user_jwt] {
        let answer = other.mint(credential, &json!({})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "invalid_credential")
        );
    }
}
