//! `hallpass grants` against a running server.

use serde_json::Value;

use crate::support::{Dev, Run, binary};

fn grants(dev: &Dev, key: &str, arguments: &[&str]) -> Run {
    let mut command = binary();
    command
        .arg("grants")
        .args(arguments)
        .env("HALLPASS_URL", &dev.file.admin_url)
        .env("HALLPASS_ADMIN_KEY", key);
    Run::of(command, "")
}

#[tokio::test]
async fn the_operator_lists_and_shows_grants() {
    let dev = Dev::start();
    let (first, second) = (dev.minted().await, dev.minted().await);
    let listed = grants(&dev, &dev.file.admin_key, &["list", "--json"]).json_lines();
    let ids: Vec<&Value> = listed.iter().map(|grant| &grant["id"]).collect();
    assert_eq!(ids, [&second["id"], &first["id"]], "newest first");

    let one = grants(
        &dev,
        &dev.file.admin_key,
        &["list", "--json", "--limit", "1"],
    )
    .json_lines();
    assert_eq!(one.len(), 1);
    let id = first["id"].as_str().unwrap();
    let shown = grants(&dev, &dev.file.admin_key, &["show", id]).json();
    assert_eq!(shown["id"], id);
    assert_eq!(shown["state"], "active");

    let table = grants(&dev, &dev.file.admin_key, &["list"]).done();
    assert!(table.contains(id) && table.contains("interview"));
    for answer in [&first, &second] {
        assert!(!table.contains(answer["value"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn filters_leave_out_what_is_anothers() {
    let dev = Dev::start();
    dev.minted().await;
    let own = dev
        .mint(&dev.file.user_jwt, &serde_json::json!({}))
        .await
        .json();
    let listed = grants(
        &dev,
        &dev.file.admin_key,
        &["list", "--json", "--subject", "demo-user"],
    );
    let listed = listed.json_lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], own["id"]);
}

#[tokio::test]
async fn grants_are_listed_by_their_state() {
    let dev = Dev::start();
    let (kept, gone) = (dev.minted().await, dev.minted().await);
    let key = &dev.file.admin_key;
    grants(&dev, key, &["revoke", gone["id"].as_str().unwrap()]).done();
    for (state, expected) in [
        ("active", vec![&kept["id"]]),
        ("revoked", vec![&gone["id"]]),
        ("ended", vec![]),
    ] {
        let listed = grants(&dev, key, &["list", "--json", "--state", state]).json_lines();
        let ids: Vec<&Value> = listed.iter().map(|grant| &grant["id"]).collect();
        assert_eq!(ids, expected, "{state}");
    }
    let odd = grants(&dev, key, &["list", "--state", "odd"]);
    assert_eq!(odd.code, 2, "{}", odd.out);
    assert!(odd.err.contains("state"), "{}", odd.err);
}

#[test]
fn a_refusal_is_exit_code_1_with_its_code() {
    let dev = Dev::start();
    let run = grants(&dev, &dev.file.admin_key, &["show", "gr_none"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("not_found"), "{}", run.err);
    let run = grants(&dev, &dev.file.user_jwt, &["list"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("permission_denied"), "{}", run.err);
    assert!(!run.err.contains(&dev.file.user_jwt));
}

#[test]
fn a_server_that_is_away_is_exit_code_2() {
    let mut command = binary();
    command
        .args(["grants", "list"])
        .env("HALLPASS_URL", "http://127.0.0.1:9")
        .env("HALLPASS_ADMIN_KEY", "hp_adm_x");
    let run = Run::of(command, "");
    assert_eq!(run.code, 2);
    assert!(run.err.contains("127.0.0.1:9"), "{}", run.err);
    assert!(!run.err.contains("hp_adm_x"));
}
