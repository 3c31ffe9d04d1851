//! What lives beside the trail of a running `hallpass serve`, as an operator
//! has it: checkpoints, rotation, archive, retention, legal hold, shipping.

mod checkpoints;
mod keeping;
mod shipping;
mod stores;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, Run, Serve, Sim, Site, binary, post, random_hex, send};

/// A server with settings of its trail, its upstream and a caller.
struct Place {
    site: Site,
    serve: Serve,
    bearer: String,
    _sim: Sim,
}

impl Place {
    /// Starts one whose `[audit]` has further lines; `before` makes its past.
    fn start(audit: &str, before: impl FnOnce(&Site)) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, &format!("[audit]\n{audit}\n"));
        before(&site);
        let serve = Serve::start(&site);
        let bearer = site.token("user-1", 600);
        Self {
            site,
            serve,
            bearer,
            _sim: sim,
        }
    }

    async fn mint(&self) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, &self.bearer, &json!({}))).await
    }

    async fn mint_times(&self, times: usize) {
        for _ in 0..times {
            let answer = self.mint().await;
            assert_eq!(answer.status, 201, "{}", answer.text);
        }
    }

    async fn metrics(&self) -> String {
        let url = self.serve.admin_url("/metrics");
        send(self.serve.client.get(url)).await.text
    }

    fn restart(&mut self) {
        self.serve.process.kill_9();
        self.serve = Serve::start(&self.site);
    }

    /// How many records of an action there are.
    fn count(&self, action: &str) -> usize {
        let records = self.site.trail().all();
        let found = records.iter().filter(|record| record.action() == action);
        found.count()
    }
}

/// Waits for what files show, which tell nobody when they change.
async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !reached() {
        assert!(started.elapsed().as_secs() < 20, "waited for: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn verify(dir: &Path, more: &[&str]) -> Run {
    let mut command = binary();
    command
        .args(["audit", "verify", "--json"])
        .arg(dir)
        .args(more);
    Run::of(command, "")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A line of JSON as a value; null where it is none.
fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}
