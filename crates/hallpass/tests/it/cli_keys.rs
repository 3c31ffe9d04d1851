//! `hallpass keys`: made, listed, rotated, revoked; and what a server makes of them.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Dev, Run, Trail, binary, dev::data_dir};

fn keys(dir: &Path, arguments: &[&str]) -> Run {
    let mut command = binary();
    command
        .arg("keys")
        .args(arguments)
        .arg("--data-dir")
        .arg(dir);
    Run::of(command, "")
}

fn create(dir: &Path, name: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["create", "--json", "--role", "service", "--name", name];
    arguments.extend(more);
    keys(dir, &arguments).json()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

fn listed(dir: &Path) -> Vec<Value> {
    keys(dir, &["list", "--json"]).json_lines()
}

#[test]
fn a_key_is_shown_once_and_listed_without_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    let made = create(dir.path(), "backend", &["--network", "10.0.0.0/8"]);
    let key = text(&made, "key");
    assert!(key.starts_with(&format!("hp_svc_{}_", text(&made, "id"))));
    let listed = listed(dir.path());
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], made["id"]);
    assert_eq!(listed[0]["name"], "backend");
    assert_eq!(listed[0]["networks"], json!(["10.0.0.0/8"]));
    assert_eq!(listed[0]["revoked_at"], Value::Null);
    let secret = key.rsplit('_').next().unwrap();
    let table = keys(dir.path(), &["list"]).done();
    assert!(table.contains(text(&made, "id")) && !table.contains(secret));
}

#[test]
fn a_kind_is_written_into_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let made = create(
        dir.path(),
        "ops",
        &["--kind", "adm", "--expires-in-days", "90"],
    );
    assert!(text(&made, "key").starts_with("hp_adm_"));
    assert!(listed(dir.path())[0]["expires_at"].is_string());
}

#[test]
fn rotating_gives_a_successor_and_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let old = create(dir.path(), "backend", &[]);
    let new = keys(
        dir.path(),
        &["rotate", text(&old, "id"), "--json", "--overlap-hours", "2"],
    )
    .json();
    assert_ne!(old["key"], new["key"]);
    assert_eq!(new["roles"], old["roles"]);
    let listed = listed(dir.path());
    let of = |id: &Value| listed.iter().find(|key| key["id"] == *id).unwrap();
    assert_eq!(of(&old["id"])["replaced_by"], new["id"]);
    assert!(of(&old["id"])["expires_at"].is_string());
    assert_eq!(of(&new["id"])["expires_at"], Value::Null);
}

#[test]
fn what_can_not_be_done_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let made = create(dir.path(), "backend", &[]);
    for verb in ["revoke", "rotate"] {
        let run = keys(dir.path(), &[verb, "nobody"]);
        assert_eq!(run.code, 1, "{verb}");
        assert!(run.err.contains("nobody"), "{}", run.err);
    }
    keys(dir.path(), &["revoke", text(&made, "id")]).done();
    let run = keys(dir.path(), &["rotate", text(&made, "id")]);
    assert_eq!(run.code, 1, "{}", run.err);
    for bad in [
        &["create", "--role", "service"][..],
        &["create", "--name", "x"],
        &[
            "create", "--name", "x", "--role", "service", "--kind", "root",
        ],
        &["create", "--name", "", "--role", "service"],
    ] {
        assert_eq!(keys(dir.path(), bad).code, 2, "{bad:?}");
    }
}

#[test]
fn each_change_is_in_the_trail_and_names_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let made = create(dir.path(), "backend", &[]);
    keys(dir.path(), &["revoke", text(&made, "id")]).done();
    let trail = Trail::at(dir.path().join("audit"));
    let records = trail.records();
    let actions: Vec<&str> = records.iter().map(|record| record.action()).collect();
    assert_eq!(actions, ["key.create", "key.revoke"]);
    for record in &records {
        assert_eq!(record.0["entity"]["uid"], made["id"], "{:?}", record.0);
    }
    let secret = text(&made, "key").rsplit('_').next().unwrap();
    assert!(!trail.lines().concat().contains(secret));
}

#[tokio::test]
async fn a_server_takes_a_made_key_and_refuses_a_revoked_one() {
    let mut dev = Dev::start();
    let dir = dev.dir();
    let while_running = keys(&data_dir(&dir), &["list"]);
    assert_eq!(while_running.code, 2);
    assert!(
        while_running.err.contains("Stop the server first"),
        "{}",
        while_running.err
    );
    assert!(dev.process.end(Signal::INT).success());

    let kept = create(&data_dir(&dir), "kept", &[]);
    let revoked = create(&data_dir(&dir), "revoked", &[]);
    let old = create(&data_dir(&dir), "old", &[]);
    let ended = keys(
        &data_dir(&dir),
        &["rotate", text(&old, "id"), "--json", "--overlap-hours", "0"],
    )
    .json();
    keys(&data_dir(&dir), &["revoke", text(&revoked, "id")]).done();

    let dev = Dev::start_in(&dir);
    for (key, status, code) in [
        (&kept, 201, ""),
        (&revoked, 401, "revoked_credential"),
        (&old, 401, "expired_credential"),
        (&ended, 201, ""),
    ] {
        let answer = dev.mint(text(key, "key"), &json!({})).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
}

#[tokio::test]
async fn dev_makes_a_new_key_for_one_that_was_revoked_or_is_over() {
    for ending in [&["revoke"][..], &["rotate", "--overlap-hours", "0"]] {
        let mut first = Dev::start();
        assert!(first.process.end(Signal::INT).success());
        let id = first.file.api_key.split('_').nth(2).unwrap();
        let mut arguments = ending.to_vec();
        arguments.push(id);
        keys(&first.data_dir(), &arguments).done();
        let second = Dev::start_in(&first.dir());
        assert_ne!(second.file.api_key, first.file.api_key);
        second.minted().await;
    }
}
