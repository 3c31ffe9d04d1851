//! A replica whose trail is at home in the database: what was answered is there
//! after every crash, and each name has one chain.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use hallpass_testkit::postgres::Server;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    pair::{api_key, command},
    replicas::until,
};
use crate::support::{Answer, Run, Serve, Sim, Site, binary, client, post, random_hex, send};

/// A server without a disk of its own, on a database server that can be broken.
struct Place {
    database: Server,
    url: String,
    key: String,
    sim: Sim,
    site: Site,
    serve: Serve,
    service: String,
}

impl Place {
    fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let (sim, database) = (Sim::start(&key), Server::start());
        let url = database.database("hallpass");
        let store = "[store]\ndurable_file = \"durable\"\n[store.postgres]\ntrail_days = 365\npatience_ms = 500\n";
        let site = Site::new(&sim.url, &key, store);
        std::fs::write(site.path("durable"), &url).unwrap();
        std::fs::write(site.path("install-key"), random_hex(16)).unwrap();
        site.change(
            "data_dir = \"data\"",
            "data_dir = \"data\"\nreplica = \"a\"\ninstall_key_file = \"install-key\"",
        );
        std::fs::write(
            site.path("hallpass.toml"),
            format!(
                "{}\n[audit]\nprimary = \"postgres\"\n",
                std::fs::read_to_string(site.path("hallpass.toml")).unwrap()
            ),
        )
        .unwrap();
        let service = api_key(&site, "service", "svc");
        let serve = Serve::start_by(command(&site, &["serve"]));
        Self {
            database,
            url,
            key,
            sim,
            site,
            serve,
            service,
        }
    }

    async fn mint(&self) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&client(), &url, &self.service, &json!({}))).await
    }

    /// Starts again; as a container does, with nothing of what it had on disk.
    fn start_again(&mut self, without_disk: bool) {
        if without_disk {
            std::fs::remove_dir_all(self.site.path("data")).unwrap();
        }
        self.serve = Serve::start_by(command(&self.site, &["serve"]));
    }

    fn sql(&self, sql: &str) -> String {
        self.database.run("hallpass", sql)
    }

    /// `audit verify` over the database: how it ended, and what it said of "a".
    fn verified(&self) -> (i32, Value) {
        let mut command = binary();
        command.args(["audit", "verify", "--json"]);
        command.env("HALLPASS_AUDIT_STORE", &self.url);
        verdict(command)
    }

    fn assert_whole(&self) -> Value {
        let (code, said) = self.verified();
        assert_eq!((code, &said["verdict"]), (0, &json!("whole")), "{said}");
        assert_eq!(said["primary"], true);
        said
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_in_the_trail_after_a_crash_that_takes_the_disk() {
    let mut place = Place::open();
    let mut answered = BTreeSet::new();
    for takes_the_disk in [false, true] {
        for _ in 0..5 {
            let minted = place.mint().await;
            assert_eq!(minted.status, 201, "{}", minted.text);
            answered.insert(minted.json()["id"].as_str().unwrap().to_owned());
        }
        place.serve.process.kill_9();
        place.start_again(takes_the_disk);
    }
    assert_eq!(place.mint().await.status, 201);
    for id in &answered {
        let of = format!(
            "SELECT COUNT(*) FROM audit_records WHERE grant_id = '{id}' AND action = 'grant.create'"
        );
        assert_eq!(place.sql(&of), "2", "the intent and the outcome of {id}");
    }
    // One chain from its first record on, and each crash is told.
    let said = place.assert_whole();
    assert_eq!(said["first_sequence"], 0);
    let gaps = "SELECT COUNT(*) FROM audit_records WHERE action = 'trail.gap'";
    assert_eq!(place.sql(gaps), "2");
    let uids = "SELECT COUNT(DISTINCT uid) FROM audit_chains";
    assert_eq!(place.sql(uids), "1");
    // Checkpoints are signed by one key, whatever became of the disk.
    until(|| async { place.sql("SELECT COUNT(*) FROM audit_checkpoints") != "0" }).await;
    let keys = "SELECT COUNT(DISTINCT public_key) FROM audit_checkpoints";
    assert_eq!(place.sql(keys), "1");
    place.assert_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_issued_while_the_database_is_away_and_all_goes_on_after() {
    let mut place = Place::open();
    assert_eq!(place.mint().await.status, 201);
    place.database.crash();
    let refused = place.mint().await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(!refused.text.contains("ek_"), "{}", refused.text);
    let ready = || async { send(client().get(place.serve.url("/readyz"))).await.status };
    until(|| async { ready().await == 503 }).await;
    place.database.resume();
    until(|| async { place.mint().await.status == 201 }).await;
    until(|| async { send(client().get(place.serve.url("/readyz"))).await.status == 200 }).await;
    place.assert_whole();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_another_process_has_taken_writes_no_more() {
    let place = Place::open();
    assert_eq!(place.mint().await.status, 201);
    // Silent for long enough that another takes its place.
    place.serve.process.signal(Signal::STOP);
    let other = Site::new(&place.sim.url, &place.key, "");
    std::fs::copy(
        place.site.path("hallpass.toml"),
        other.path("hallpass.toml"),
    )
    .unwrap();
    for file in ["durable", "install-key", "jwt-secret"] {
        std::fs::copy(place.site.path(file), other.path(file)).unwrap();
    }
    let started = Instant::now();
    let next = Serve::start_by(command(&other, &["serve"]));
    assert!(started.elapsed() > Duration::from_secs(4), "it waited");
    let url = next.url("/api/generate-client-secret");
    let minted = send(post(&client(), &url, &place.service, &json!({}))).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    place.serve.process.signal(Signal::CONT);
    until(|| async { place.mint().await.status == 503 }).await;
    assert_eq!(place.mint().await.status, 503, "and it stays so");
    let minted = send(post(&client(), &url, &place.service, &json!({}))).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    place.assert_whole();
}

#[tokio::test]
async fn what_is_changed_in_the_database_is_found() {
    let place = Place::open();
    for _ in 0..3 {
        assert_eq!(place.mint().await.status, 201);
    }
    let whole = place.assert_whole();
    drop(place.serve);
    let last: u64 = whole["last_sequence"].as_u64().unwrap();
    assert!(last > 6);
    let place = Stopped {
        database: place.database,
        url: place.url,
    };
    let copy = "CREATE TABLE kept AS SELECT * FROM audit_records; CREATE TABLE stood AS SELECT * FROM audit_chains";
    place.sql(copy);
    for (what, change) in [
        (
            "changed",
            "UPDATE audit_records SET line = replace(line, 'hallpass', 'hellpass') WHERE sequence = 2"
                .to_owned(),
        ),
        ("missing", "DELETE FROM audit_records WHERE sequence = 3".to_owned()),
        (
            "missing at the end",
            "DELETE FROM audit_records WHERE sequence = (SELECT MAX(sequence) FROM audit_records)"
                .to_owned(),
        ),
        (
            "missing at the beginning",
            "DELETE FROM audit_records WHERE sequence = 0".to_owned(),
        ),
        (
            "twice",
            "INSERT INTO audit_records (replica, sequence, time, action, outcome, line) \
             SELECT replica, sequence, time + 1, action, outcome, line FROM kept WHERE sequence = 4"
                .to_owned(),
        ),
    ] {
        place.sql(&change);
        let (code, said) = place.verified();
        assert_eq!(code, 1, "{what}: {said}");
        let wrong = said["wrong"].as_str().unwrap_or_default();
        assert!(wrong.contains(what), "{what}: {wrong}");
        place.sql(
            "DELETE FROM audit_records; INSERT INTO audit_records (replica, sequence, time, action, outcome, subject, \
             grant_id, lineage, session_id, address, line) SELECT replica, sequence, time, action, outcome, subject, \
             grant_id, lineage, session_id, address, line FROM kept",
        );
        assert_eq!(place.verified().0, 0, "{what}: put back");
    }
}

/// How a verification ended, and what it said of the one replica.
fn verdict(command: std::process::Command) -> (i32, Value) {
    let run = Run::of(command, "");
    let said = run.out.lines().next().map(serde_json::from_str);
    (run.code, said.transpose().unwrap().unwrap_or_default())
}

/// The database alone.
struct Stopped {
    database: Server,
    url: String,
}

impl Stopped {
    fn sql(&self, sql: &str) -> String {
        self.database.run("hallpass", sql)
    }

    fn verified(&self) -> (i32, Value) {
        let mut command = binary();
        command.args(["audit", "verify", "--json"]);
        command.env("HALLPASS_AUDIT_STORE", &self.url);
        verdict(command)
    }
}

#[test]
fn a_directory_that_is_home_to_a_trail_does_not_become_a_copy() {
    let place = Place::open();
    drop(place.serve);
    // As a server on files leaves it.
    let dir = place.site.path("data/audit");
    std::fs::remove_dir_all(&dir).unwrap();
    let key = format!("sk-{}", random_hex(16));
    let files = Site::new("http://127.0.0.1:9", &key, "");
    drop(Serve::start(&files));
    std::fs::rename(files.trail().dir(), &dir).unwrap();
    let before = std::fs::read_dir(&dir).unwrap().count();
    let refused = Run::of(command(&place.site, &["serve"]), "");
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("holds a trail of its own"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), before);
}
