//! API keys of a running server: over the admin API and from the command line.

use serde_json::{Value, json};

use crate::support::{Answer, Dev, Run, binary, post, send};

async fn admin(dev: &Dev, key: &str, path: &str, body: &Value) -> Answer {
    let url = format!("{}/api/admin/{path}", dev.file.admin_url);
    send(post(&dev.client, &url, key, body)).await
}

async fn create(dev: &Dev, body: Value) -> Value {
    let answer = admin(dev, &dev.file.admin_key, "keys", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

async fn mint_code(dev: &Dev, key: &Value) -> (u16, String) {
    let answer = dev.mint(key.as_str().unwrap(), &json!({})).await;
    (answer.status, answer.code())
}

#[tokio::test]
async fn a_key_works_at_once_and_is_refused_at_once() {
    let dev = Dev::start();
    let made = create(&dev, json!({"name": "backend", "roles": ["service"]})).await;
    assert_eq!(mint_code(&dev, &made["key"]).await.0, 201);
    // The server has the key in memory now.
    let revoke = format!("keys/{}/revoke", made["id"].as_str().unwrap());
    let revoked = admin(&dev, &dev.file.admin_key, &revoke, &json!({})).await;
    assert!(revoked.json()["revoked_at"].is_string());
    let refused = mint_code(&dev, &made["key"]).await;
    assert_eq!(refused, (401, "revoked_credential".to_owned()));
    let listed = dev.admin("/api/admin/keys").await;
    let secret = made["key"].as_str().unwrap().rsplit('_').next().unwrap();
    assert!(listed.text.contains(made["id"].as_str().unwrap()));
    assert!(!listed.text.contains(secret), "a key is shown once");
    let trail = dev.trail();
    assert!(!trail.lines().concat().contains(secret));
    let actions: Vec<String> = trail
        .records()
        .iter()
        .map(|record| record.action().to_owned())
        .collect();
    assert!(actions.contains(&"key.create".to_owned()));
    assert!(actions.contains(&"key.revoke".to_owned()));
}

#[tokio::test]
async fn both_keys_work_while_they_overlap_and_one_after() {
    let dev = Dev::start();
    let old = create(&dev, json!({"name": "backend", "roles": ["service"]})).await;
    let rotate = format!("keys/{}/rotate", old["id"].as_str().unwrap());
    let body = json!({"overlap_seconds": 600});
    let new = admin(&dev, &dev.file.admin_key, &rotate, &body).await;
    assert_eq!(new.status, 201, "{}", new.text);
    assert_eq!(mint_code(&dev, &old["key"]).await.0, 201);
    assert_eq!(mint_code(&dev, &new.json()["key"]).await.0, 201);
    let again = admin(&dev, &dev.file.admin_key, &rotate, &body).await;
    assert_eq!(
        (again.status, again.code()),
        (409, "key_not_active".to_owned())
    );

    let newer = format!("keys/{}/rotate", new.json()["id"].as_str().unwrap());
    let body = json!({"overlap_seconds": 0});
    let newest = admin(&dev, &dev.file.admin_key, &newer, &body).await;
    let ended = mint_code(&dev, &new.json()["key"]).await;
    assert_eq!(ended, (401, "expired_credential".to_owned()));
    assert_eq!(mint_code(&dev, &newest.json()["key"]).await.0, 201);
}

#[tokio::test]
async fn what_no_key_may_be_is_refused() {
    let dev = Dev::start();
    for (body, status, code) in [
        (
            json!({"name": "x", "roles": ["nobody"]}),
            400,
            "invalid_member",
        ),
        (json!({"name": "x", "roles": []}), 400, "invalid_member"),
        (
            json!({"name": "x", "roles": ["service"], "networks": ["10.0.0.0/33"]}),
            400,
            "invalid_member",
        ),
        (
            json!({"name": "x", "roles": ["service"], "ttl": 1}),
            400,
            "unknown_member",
        ),
    ] {
        let answer = admin(&dev, &dev.file.admin_key, "keys", &body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{body}"
        );
    }
    let body = json!({"name": "x", "roles": ["service"]});
    let service = admin(&dev, &dev.file.api_key, "keys", &body).await;
    assert_eq!(
        (service.status, service.code().as_str()),
        (403, "permission_denied")
    );
    let none = admin(&dev, &dev.file.admin_key, "keys/nobody/revoke", &json!({})).await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn a_key_is_good_in_its_networks_alone() {
    let dev = Dev::start();
    for (network, status) in [("127.0.0.0/8", 201), ("192.0.2.0/24", 401)] {
        let body = json!({"name": "backend", "roles": ["service"], "networks": [network]});
        let made = create(&dev, body).await;
        assert_eq!(mint_code(&dev, &made["key"]).await.0, status, "{network}");
    }
}

#[tokio::test]
async fn the_command_line_speaks_to_a_running_server() {
    let dev = Dev::start();
    let keys = |arguments: &[&str]| {
        let mut command = binary();
        command
            .arg("keys")
            .args(arguments)
            .env("HALLPASS_URL", &dev.file.admin_url)
            .env("HALLPASS_ADMIN_KEY", &dev.file.admin_key);
        Run::of(command, "")
    };
    let made = keys(&[
        "create",
        "--json",
        "--name",
        "cli",
        "--role",
        "service",
        "--expires-in-days",
        "1",
    ])
    .json();
    assert_eq!(mint_code(&dev, &made["key"]).await.0, 201);
    let id = made["id"].as_str().unwrap();
    assert!(keys(&["list"]).done().contains(id));
    let rotated = keys(&["rotate", id, "--json", "--overlap-hours", "1"]).json();
    assert_eq!(mint_code(&dev, &rotated["key"]).await.0, 201);
    keys(&["revoke", id]).done();
    assert_eq!(mint_code(&dev, &made["key"]).await.0, 401);
    let wrong = keys(&["create", "--name", "x", "--role", "nobody"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("nobody"), "{}", wrong.err);
}
