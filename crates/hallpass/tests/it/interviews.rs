//! Interview sessions: registered by the backend, used by one person, ended.

use serde_json::{Value, json};

use crate::support::{Answer, Process, Serve, Sim, Site, now, post, random_hex, send};

/// A server whose only profile asks for an interview.
struct World {
    _sim: Sim,
    site: Site,
    serve: Serve,
    backend: String,
}

const MORE: &str = r#"
[profiles.strict]
modes = ["direct"]
require_session_id = true
session = { type = "realtime", model = "gpt-realtime-2.1" }

[roles.candidate]
profiles = ["strict"]
permissions = ["grants:create", "grants:read:own"]

[roles.backend]
profiles = ["*"]
permissions = ["grants:*", "interviews:*"]
"#;

impl World {
    fn start() -> Self {
        let standard_key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&standard_key);
        let site = Site::new(&sim.url, &standard_key, MORE);
        let path = site.path("hallpass.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text
            .replace("default_role = \"person\"", "default_role = \"candidate\"")
            .replace(
                "max_lifetime_seconds",
                "claims = { session_id = \"session_id\" }\nmax_lifetime_seconds",
            );
        std::fs::write(path, text).unwrap();
        let backend = site.api_key("backend", "svc");
        let serve = Serve::start(&site);
        Self {
            _sim: sim,
            site,
            serve,
            backend,
        }
    }

    async fn register(&self, body: &Value) -> Answer {
        let url = self.serve.admin_url("/api/admin/interviews");
        send(post(&self.serve.client, &url, &self.backend, body)).await
    }

    async fn end(&self, id: &str) -> Answer {
        let url = self
            .serve
            .admin_url(&format!("/api/admin/interviews/{id}/end"));
        send(post(&self.serve.client, &url, &self.backend, &json!({}))).await
    }

    async fn mint(&self, bearer: &str, id: &str) -> (u16, String) {
        let url = self.serve.url("/api/generate-client-secret");
        let body = json!({"profile": "strict", "session_id": id});
        let answer = send(post(&self.serve.client, &url, bearer, &body)).await;
        (answer.status, answer.code())
    }

    fn person(&self, subject: &str) -> String {
        self.site.token(subject, 600)
    }
}

fn interview(id: &str, subject: &str) -> Value {
    json!({"session_id": id, "subject": subject, "profile": "strict", "expires_at": now() + 600})
}

fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}

#[tokio::test]
async fn an_interview_is_its_subjects_until_it_ends() {
    let world = World::start();
    let (alice, bob) = (world.person("alice"), world.person("bob"));
    assert_eq!(
        world.mint(&alice, "i-1").await,
        refused("interview_unknown")
    );
    assert_eq!(world.register(&interview("i-1", "alice")).await.status, 201);
    assert_eq!(world.mint(&alice, "i-1").await.0, 201);
    assert_eq!(
        world.mint(&bob, "i-1").await,
        refused("interview_not_yours")
    );
    let ended = world.end("i-1").await.json();
    assert_eq!(ended["grants_revoked"], 1, "{ended}");
    assert_eq!(ended["unexpired_secrets"], 1, "{ended}");
    assert_eq!(
        world.mint(&alice, "i-1").await,
        refused("interview_finished")
    );
    let codes: Vec<String> = world.site.trail().lines();
    for code in [
        "interview_unknown",
        "interview_not_yours",
        "interview_finished",
    ] {
        let recorded = codes.iter().filter(|line| line.contains(code)).count();
        assert_eq!(recorded, 1, "{code} has one record");
    }
}

#[tokio::test]
async fn as_many_grants_are_issued_as_were_allowed() {
    let world = World::start();
    let mut body = interview("i-2", "alice");
    body["max_grants"] = json!(3);
    assert_eq!(world.register(&body).await.status, 201);
    let alice = world.person("alice");
    let all = futures_util::future::join_all((0..12).map(|_| world.mint(&alice, "i-2"))).await;
    let issued = all.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(issued, 3, "{all:?}");
    assert!(all.contains(&refused("interview_exhausted")));
}

#[tokio::test]
async fn what_was_issued_is_counted_after_a_restart_too() {
    let world = World::start();
    let mut body = interview("i-3", "alice");
    body["max_grants"] = json!(2);
    world.register(&body).await;
    let alice = world.person("alice");
    assert_eq!(world.mint(&alice, "i-3").await.0, 201);
    let World {
        _sim,
        site,
        mut serve,
        backend,
    } = world;
    stop(&mut serve.process);
    let serve = Serve::start(&site);
    let world = World {
        _sim,
        site,
        serve,
        backend,
    };
    assert_eq!(world.mint(&alice, "i-3").await.0, 201);
    assert_eq!(
        world.mint(&alice, "i-3").await,
        refused("interview_exhausted")
    );
}

fn stop(process: &mut Process) {
    assert!(process.end(rustix::process::Signal::TERM).success());
}

#[tokio::test]
async fn a_registration_is_repeatable_and_never_overwritten() {
    let world = World::start();
    let body = interview("i-4", "alice");
    assert_eq!(world.register(&body).await.status, 201);
    assert_eq!(world.register(&body).await.status, 200);
    let other = world.register(&interview("i-4", "mallory")).await;
    assert_eq!(
        (other.status, other.code().as_str()),
        (409, "interview_exists")
    );
    let unknown = world.end("nobody").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (404, "not_found")
    );
    let person = send(post(
        &world.serve.client,
        &world.serve.admin_url("/api/admin/interviews"),
        &world.person("alice"),
        &body,
    ))
    .await;
    assert_eq!(
        (person.status, person.code().as_str()),
        (403, "permission_denied")
    );
}
