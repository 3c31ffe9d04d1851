//! The runbook: every command of `docs/incidents.md` is run as it stands.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Run, Serve, Sim, Site, binary, post, random_hex, send};

const RUNBOOK: &str = include_str!("../../../../docs/incidents.md");

/// The commands of the page's console blocks, in order.
fn commands() -> Vec<&'static str> {
    let mut blocks = RUNBOOK.split("```console\n").skip(1);
    let of_block = |block: &'static str| {
        let (block, _) = block.split_once("```").expect("the block ends");
        block.lines().map(|line| {
            line.strip_prefix("$ ")
                .unwrap_or_else(|| panic!("no command: {line}"))
        })
    };
    blocks.by_ref().flat_map(of_block).collect()
}

/// A server with a caller, and the variables of the page.
struct Case {
    site: Site,
    serve: Serve,
    operator: String,
    variables: Vec<(&'static str, String)>,
    _sim: Sim,
}

impl Case {
    async fn start() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "");
        let service = site.api_key("service", "svc");
        let operator = site.api_key("operator", "adm");
        let serve = Serve::start(&site);
        let url = serve.url("/api/generate-client-secret");
        let user = site.token("user-42", 600);
        let minted = send(post(&serve.client, &url, &user, &json!({}))).await;
        let grant = minted.json();
        let text = |name: &str| grant[name].as_str().unwrap().to_owned();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = vec![
            ("SUBJECT", "user-42".to_owned()),
            ("SINCE", "2026-01-01T00:00:00Z".to_owned()),
            ("LEAKED", text("value")),
            ("GRANT", text("id")),
            ("LINEAGE", text("lineage")),
            ("KEY_ID", service["hp_svc_".len()..][..12].to_owned()),
            ("CONFIG", path(&site.path("hallpass.toml"))),
            ("AUDIT", path(site.trail().dir())),
            ("COPY", path(&site.path("copy"))),
        ];
        Self {
            site,
            serve,
            operator,
            variables,
            _sim: sim,
        }
    }

    fn shell(&self, line: &str) -> Run {
        let hallpass = binary();
        let folder = Path::new(hallpass.get_program()).parent().unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-ec", line])
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("OPENAI_API_KEY", &self.site.standard_key)
            .env("HALLPASS_URL", self.serve.admin_url(""))
            .env("HALLPASS_ADMIN_KEY", &self.operator)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        Run::of(command, "")
    }

    /// The newest revocation in force of a kind.
    fn revocation(&self, kind: &str) -> Option<String> {
        let listed = self.shell("hallpass revocations list --json").json_lines();
        let found = listed.iter().find(|it| it["kind"] == kind)?;
        Some(found["id"].as_str()?.to_owned())
    }

    /// Keeps what the operator would read off the screen.
    fn look(&mut self) {
        for (name, kind) in [("REVOCATION", "subject"), ("ALL", "all")] {
            let found = self.revocation(kind);
            self.variables.retain(|(known, _)| *known != name);
            self.variables.extend(found.map(|id| (name, id)));
        }
    }

    async fn may_mint(&self) -> bool {
        let url = self.serve.url("/api/generate-client-secret");
        let user = self.site.token("user-42", 600);
        let answer = send(post(&self.serve.client, &url, &user, &json!({}))).await;
        answer.status == 201
    }
}

#[tokio::test]
async fn every_command_of_the_runbook_works() {
    let mut case = Case::start().await;
    let all = commands();
    assert!(all.len() > 20, "{}", all.len());
    for line in all {
        let run = case.shell(line);
        assert_eq!(run.code, 0, "$ {line}\n{}{}", run.out, run.err);
        let stops = ["add --subject", "add --all"];
        if stops.iter().any(|stop| line.contains(stop)) {
            assert!(!case.may_mint().await, "after {line}");
        }
        if line.contains(" lift ") {
            assert!(case.may_mint().await, "after {line}");
        }
        if line.contains("revocations add") {
            case.look();
        }
    }
}

#[tokio::test]
async fn the_leaked_secrets_hash_is_in_its_record() {
    let case = Case::start().await;
    let hash = "printf %s \"$LEAKED\" | hallpass audit hash --config \"$CONFIG\"";
    let hash = case.shell(hash).done();
    let search = "hallpass audit search \"$AUDIT\" --action grant.create --json";
    let records: Vec<Value> = case.shell(search).json_lines();
    let held = |record: &Value| {
        let kept = &record["unmapped"]["hallpass"]["grant"]["secret_hash"];
        kept.as_str().is_some_and(|kept| hash.contains(kept))
    };
    assert_eq!(records.iter().filter(|record| held(record)).count(), 1);
}
