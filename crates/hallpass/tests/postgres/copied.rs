//! Moving from a file to a database: nothing is lost, and nothing is doubled.

use hallpass_testkit::postgres::{TestDatabase, database};
use serde_json::json;

use crate::support::{Run, Serve, Sim, Site, binary, client, post, random_hex, send};

/// A site that ran on a file for a while, and is stopped.
struct House {
    sim: Sim,
    site: Site,
    service: String,
    operator: String,
    minted: Vec<String>,
}

/// A command on the file, whatever other tests of this suite use.
fn on_file(site: &Site, arguments: &[&str]) -> std::process::Command {
    let mut command = site.command(arguments);
    command.env_remove("HALLPASS_STORE_DURABLE");
    command
}

fn key(site: &Site, role: &str, kind: &str) -> String {
    let arguments = [
        "keys", "create", "--json", "--name", role, "--role", role, "--kind", kind,
    ];
    let made = Run::of(on_file(site, &arguments), "");
    made.json()["key"].as_str().unwrap().to_owned()
}

impl House {
    async fn lived_in() -> Self {
        let standard = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&standard);
        let site = Site::new(&sim.url, &standard, "");
        let (service, operator) = (key(&site, "service", "svc"), key(&site, "operator", "adm"));
        let mut serve = Serve::start_by(on_file(&site, &["serve"]));
        let mut minted = Vec::new();
        for _ in 0..20 {
            let url = serve.url("/api/generate-client-secret");
            let answer = send(post(&client(), &url, &service, &json!({}))).await;
            minted.push(answer.json()["id"].as_str().unwrap().to_owned());
        }
        let admin =
            |path: &str, body| send(post(&client(), &serve.admin_url(path), &operator, &body));
        let revoked = admin(
            "/api/admin/revocations",
            json!({ "kind": "subject", "target": "user-9", "reason": "left" }),
        )
        .await;
        assert_eq!(revoked.status, 201, "{}", revoked.text);
        serve.process.signal(rustix::process::Signal::TERM);
        serve
            .process
            .ended_within(std::time::Duration::from_secs(20));
        Self {
            sim,
            site,
            service,
            operator,
            minted,
        }
    }

    fn copy(&self, to: &TestDatabase) -> Run {
        let file = format!("sqlite:{}", self.site.path("data/hallpass.db").display());
        let mut command = binary();
        command.args(["store", "copy", "--from", &file]);
        command.env("HALLPASS_STORE_DURABLE", to.url());
        Run::of(command, "")
    }
}

#[tokio::test]
async fn a_server_goes_on_where_it_was_after_moving() {
    let house = House::lived_in().await;
    let kept = database();
    let copied = house.copy(&kept).done();
    assert!(copied.contains("grants"), "{copied}");
    assert_eq!(kept.run("SELECT COUNT(*) FROM grants"), "20");
    assert_eq!(kept.run("SELECT COUNT(*) FROM copies"), "0");

    let mut moved = house.site.command(&["serve"]);
    moved.env("HALLPASS_STORE_DURABLE", kept.url());
    let serve = Serve::start_by(moved);
    for id in &house.minted {
        let path = serve.url(&format!("/api/client-secrets/{id}"));
        let found = send(client().get(path).bearer_auth(&house.service)).await;
        assert_eq!(found.status, 200, "{}", found.text);
    }
    let url = serve.url("/api/generate-client-secret");
    let gone = house.site.token("user-9", 600);
    assert_eq!(
        send(post(&client(), &url, &gone, &json!({}))).await.status,
        403
    );
    let still = house.site.token("user-1", 600);
    assert_eq!(
        send(post(&client(), &url, &still, &json!({}))).await.status,
        201
    );
    let keys = client().get(serve.admin_url("/api/admin/keys"));
    let keys = send(keys.bearer_auth(&house.operator)).await.json();
    assert_eq!(keys["data"].as_array().unwrap().len(), 2);
    let _ = &house.sim;
}

#[tokio::test]
async fn a_copy_that_was_cut_short_goes_on_and_a_used_database_is_refused() {
    let house = House::lived_in().await;
    let kept = database();
    house.copy(&kept).done();
    let again = house.copy(&kept);
    assert_eq!(again.code, 2);
    assert!(
        again.err.contains("the database is not empty"),
        "{}",
        again.err
    );
    // As after a cut: some records are there, and the mark of their kind.
    let file = house.site.path("data/hallpass.db").canonicalize().unwrap();
    let cut = format!(
        "DELETE FROM grants WHERE id > (SELECT id FROM grants ORDER BY id OFFSET 5 LIMIT 1); \
         INSERT INTO copies VALUES ('keys of {}', '')",
        file.display()
    );
    let _ = kept.run(&cut);
    house.copy(&kept).done();
    assert_eq!(kept.run("SELECT COUNT(*) FROM grants"), "20");
    // What was changed in between is not taken for a copy.
    let _ = kept.run(&format!(
        "UPDATE grants SET secret_last4 = 'none' WHERE id = (SELECT MIN(id) FROM grants); \
         INSERT INTO copies VALUES ('keys of {}', '')",
        file.display()
    ));
    let differs = house.copy(&kept);
    assert_eq!(differs.code, 1);
    assert!(
        differs.err.contains("the grants differ: 20 with digest"),
        "{}",
        differs.err
    );
}

#[tokio::test]
async fn a_running_server_is_not_copied() {
    let house = House::lived_in().await;
    let kept = database();
    let _serve = Serve::start_by(on_file(&house.site, &["serve"]));
    let refused = house.copy(&kept);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("stop it first"), "{}", refused.err);
}
