//! Each system call of the trail's write path failed in turn, in a real server.
//!
//! Afterwards `audit verify` passes or names the tail, no secret was answered
//! without its two records, and the operator was told in a sentence what to do.

mod beside;
mod hanging;
mod serving;
mod starting;

use std::sync::Arc;

use serde_json::json;

use crate::support::{Answer, Serve, Shim, Sim, Site, post, random_hex, send};

/// A disk is gone, full, or read-only.
const DISK: [rustix::io::Errno; 3] = [
    rustix::io::Errno::IO,
    rustix::io::Errno::NOSPC,
    rustix::io::Errno::ROFS,
];

/// A secret a caller was answered.
struct Held {
    id: String,
    last4: String,
}

/// A server behind the shim.
struct Victim {
    site: Site,
    sim: Arc<Sim>,
    shim: Shim,
    serve: Serve,
    bearer: String,
}

impl Victim {
    fn start(sim: &Arc<Sim>, standard_key: &str) -> Self {
        let more = "[audit]\nsegment_max_bytes = 65536\ncheckpoint_seconds = 1\n";
        let site = Site::new(&sim.url, standard_key, more);
        let (shim, bearer) = (Shim::new(), site.token("user-1", 600));
        let serve = shimmed(&site, &shim);
        Self {
            site,
            sim: sim.clone(),
            shim,
            serve,
            bearer,
        }
    }

    /// Kills the server and starts another behind the shim.
    fn restart(&mut self) {
        self.serve.process.kill_9();
        self.start_again();
    }

    fn start_again(&mut self) {
        self.serve = shimmed(&self.site, &self.shim);
    }

    async fn mint(&self) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, &self.bearer, &json!({}))).await
    }

    /// Mints, `at_once` at a time; what was answered, and how often it wasn't.
    ///
    /// # Panics
    ///
    /// When a refusal is another than that of an unwritable trail.
    async fn mint_many(&self, rounds: usize, at_once: usize) -> (Vec<Held>, usize) {
        let (mut held, mut refused) = (Vec::new(), 0);
        for _ in 0..rounds {
            let asked = (0..at_once).map(|_| self.mint());
            for answer in futures_util::future::join_all(asked).await {
                if answer.status == 201 {
                    held.push(Held::of(&answer));
                    continue;
                }
                refused += 1;
                let told = (answer.status, answer.code());
                assert_eq!(told, (503, "audit_unavailable".to_owned()));
                assert!(!answer.header("retry-after").is_empty());
                assert!(!answer.text.contains("ek_"), "{}", answer.text);
            }
        }
        (held, refused)
    }

    /// How many mints the simulator saw.
    async fn minted_upstream(&self) -> usize {
        let log = crate::support::sim::log(&self.serve.client, &self.sim.url);
        log.await.len()
    }

    /// Waits until the server says it can serve.
    async fn until_ready(&self) {
        let url = self.serve.url("/readyz");
        while send(self.serve.client.get(&url)).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// So many mints were announced and given up.
    fn assert_abandoned(&self, times: usize) {
        let records = self.site.trail().records();
        let intents = records.iter().filter(|record| record.is_intent()).count();
        let abandoned = records
            .iter()
            .filter(|record| record.outcome() == "abandoned");
        assert_eq!(abandoned.count(), times);
        let ended = records.iter().filter(|record| !record.is_intent());
        let minted =
            ended.filter(|record| record.outcome() == "success" && !record.grant().is_null());
        assert_eq!(intents, minted.count() + times, "each intent has its end");
    }

    /// Every secret that was answered has an intent and an outcome.
    fn assert_recorded(&self, held: &[Held]) {
        let records = self.site.trail().records();
        for Held { id, last4 } in held {
            let of_grant = records.iter().filter(|record| record.grant_id() == id);
            let (intents, outcomes): (Vec<_>, Vec<_>) =
                of_grant.partition(|record| record.is_intent());
            assert_eq!((intents.len(), outcomes.len()), (1, 1), "{id}");
            assert_eq!(outcomes[0].outcome(), "success");
            assert_eq!(outcomes[0].grant()["secret_last4"], **last4);
        }
    }
}

fn shimmed(site: &Site, shim: &Shim) -> Serve {
    let mut command = site.command(&["serve"]);
    shim.before(&mut command);
    Serve::start_by(command)
}

impl Held {
    fn of(answer: &Answer) -> Self {
        let json = answer.json();
        let value = json["value"].as_str().unwrap();
        Self {
            id: json["id"].as_str().unwrap().to_owned(),
            last4: value[value.len() - 4..].to_owned(),
        }
    }
}

/// A simulator for the servers of one test, and its key.
fn upstream() -> (Arc<Sim>, String) {
    let key = format!("sk-{}", random_hex(16));
    (Arc::new(Sim::start(&key)), key)
}
