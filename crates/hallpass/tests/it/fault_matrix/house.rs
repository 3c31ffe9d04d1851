//! A server, its upstream, and what breaks the way between them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use hallpass_testkit::chaos::{Chaos, ChaosProxy};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::rows::{Breaks, Row, Seen};
use crate::support::{Answer, Serve, Sim, Site, now, post, random_hex, send, sim};

/// How long a request may take here.
const DEADLINE: Duration = Duration::from_millis(700);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);
/// Failures in a row that open the breaker here.
pub(super) const FAILURES: usize = 2;
/// Grants that a refresh can be asked of; a refreshed one is used up.
const GRANTS: usize = 20;

/// What is asked for while OpenAI fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Mint,
    Refresh,
}

impl Operation {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Refresh => "refresh",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Mint => "grant.create",
            Self::Refresh => "grant.refresh",
        }
    }
}

pub(super) struct House {
    operation: Operation,
    serve: Serve,
    sim: Sim,
    site: Site,
    proxy: ChaosProxy,
    key: String,
    operator: String,
    caller: String,
    grants: VecDeque<String>,
}

impl House {
    pub(super) async fn open(operation: Operation) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let proxy = ChaosProxy::start(sim.url["http://".len()..].parse().unwrap()).await;
        let url = format!("http://{}", proxy.address());
        // The environment's key would outdo the file's, which a row changes.
        let site = Site::new(&url, "", "[mint]\nretry_budget_percent = 100\n");
        let upstream = format!(
            "api_key = \"{key}\"\ntimeout_ms = {}\nconnect_timeout_ms = 100\nbreaker = {{ consecutive_failures = {FAILURES} }}",
            DEADLINE.as_millis()
        );
        site.change("timeout_ms = 2000", &upstream);
        site.change(
            "max_expires_after_seconds = 600",
            "max_expires_after_seconds = 600\nrefresh_grace_seconds = 600",
        );
        let operator = site.api_key("operator", "svc");
        let caller = site.api_key("service", "svc");
        let mut house = Self {
            operation,
            serve: Serve::start(&site),
            sim,
            site,
            proxy,
            key,
            operator,
            caller,
            grants: VecDeque::new(),
        };
        if operation == Operation::Refresh {
            house.stock_grants().await;
        }
        house
    }

    /// Mints grants and waits until they may be refreshed.
    async fn stock_grants(&mut self) {
        let shortest = json!({ "expires_after": { "anchor": "created_at", "seconds": 10 } });
        let mut last = 0;
        for _ in 0..GRANTS {
            let answer = self.post("/api/generate-client-secret", &shortest).await;
            let grant = answer.json();
            self.grants
                .push_back(grant["id"].as_str().unwrap().to_owned());
            last = grant["refresh_after"].as_i64().unwrap();
        }
        let wait = u64::try_from(last + 1 - now()).unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }

    /// What a row's fault does.
    pub(super) async fn see(&mut self, row: &Row) -> Seen {
        self.repair().await;
        let whole = self.site.configuration();
        self.break_by(&row.breaks).await;
        // Let the server notice which connections are gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let records = self.site.trail().records().len();
        let asked = sim::log(&self.serve.client, &self.sim.url).await.len();
        let (status, code) = self.ask().await;
        let (attempts, orphan) = self.recorded(records);
        let minted = self.minted(asked).await;
        for turn in 1..FAILURES {
            self.again(&row.breaks, turn).await;
            self.ask().await;
        }
        let breaker = self.breaker().await;
        self.nothing_under_way().await;
        let stated = row.stated.connections;
        let settled = self.proxy.until_open_at_most(stated);
        // What stays open for so long stays for good, and is told as it is.
        let _ = tokio::time::timeout(SLACK, settled).await;
        let connections = self.proxy.open();
        if self.site.configuration() != whole {
            self.reconfigure(&whole);
        }
        Seen {
            status,
            code,
            attempts,
            minted,
            orphan,
            breaker,
            connections,
        }
    }

    /// What `audit verify` says of the trail.
    pub(super) fn trail_verdict(&self) -> String {
        let verdict = self.site.trail().verified();
        verdict["verdict"].as_str().unwrap().to_owned()
    }

    async fn break_by(&self, breaks: &Breaks) {
        match breaks {
            Breaks::Sim(fault) | Breaks::EverySecond(fault) => {
                sim::fault(&self.serve.client, &self.sim.url, fault.clone()).await;
            }
            Breaks::Proxy(chaos) => self.proxy.set(chaos.clone()),
            Breaks::At(url, _) => {
                let proxy = format!("http://{}", self.proxy.address());
                self.reconfigure(&self.site.configuration().replace(&proxy, url));
            }
            Breaks::BadKeyOfTwo => {
                let (good, bad) = (&self.key, random_hex(16));
                let url = format!("http://{}", self.proxy.address());
                let text = self.site.configuration();
                let text = text.replace(good, &format!("sk-{bad}"));
                self.reconfigure(&format!(
                    "{text}\n[[upstream]]\nname = \"second\"\nbase_url = \"{url}/v1\"\nweight = 0\napi_key = \"{good}\"\n"
                ));
            }
        }
    }

    /// Breaks what is broken only now and then, for the turn after the first.
    async fn again(&self, breaks: &Breaks, turn: usize) {
        if let Breaks::EverySecond(fault) = breaks
            && turn.is_multiple_of(2)
        {
            sim::fault(&self.serve.client, &self.sim.url, fault.clone()).await;
        }
    }

    /// Nothing is broken any more, and the breaker starts anew.
    async fn repair(&self) {
        sim::no_faults(&self.serve.client, &self.sim.url).await;
        self.proxy.set(Chaos::None);
        let url = self.serve.admin_url("/api/admin/upstreams/openai/breaker");
        let wish = json!({ "state": "auto" });
        let answer = send(post(&self.serve.client, &url, &self.operator, &wish)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        let url = self.serve.url(path);
        send(post(&self.serve.client, &url, &self.caller, body)).await
    }

    /// Asks once, in time.
    async fn ask(&mut self) -> (u16, String) {
        let started = Instant::now();
        let answer = match self.operation {
            Operation::Mint => self.post("/api/generate-client-secret", &json!({})).await,
            Operation::Refresh => {
                let grant = self.grants.front().expect("a grant that is left");
                let path = format!("/api/client-secrets/{grant}/refresh");
                self.post(&path, &json!({})).await
            }
        };
        let took = started.elapsed();
        assert!(took < DEADLINE + SLACK, "{took:?}: {}", answer.text);
        if answer.status == 201 {
            self.grants.pop_front();
        }
        (answer.status, answer.code())
    }

    /// The attempts of one request, and whether a secret may be lost.
    ///
    /// Exactly one record announces it, and exactly one ends it.
    fn recorded(&self, before: usize) -> (usize, bool) {
        let new = self.site.trail().records().split_off(before);
        let action = self.operation.action();
        let of_it: Vec<&Value> = new
            .iter()
            .filter(|record| record.action() == action)
            .map(|record| &record.0["unmapped"]["hallpass"])
            .collect();
        let count = |phase: &str| of_it.iter().filter(|it| it["phase"] == phase).count();
        assert_eq!((count("intent"), count("outcome")), (1, 1), "{of_it:?}");
        let orphan = |it: &&Value| it["upstream"]["orphan_possible"] == true;
        (count("attempt") + 1, of_it.iter().any(orphan))
    }

    /// Secrets the simulator made since.
    async fn minted(&self, before: usize) -> usize {
        let log = sim::log(&self.serve.client, &self.sim.url).await;
        let new = log[before..].iter();
        new.filter(|it| !it["secret_last_four"].is_null()).count()
    }

    async fn breaker(&self) -> String {
        let url = self.serve.admin_url("/api/admin/upstreams");
        let request = self.serve.client.get(url).bearer_auth(&self.operator);
        let list = send(request).await.json();
        list["data"][0]["breaker"].as_str().unwrap().to_owned()
    }

    /// No mint is under way, and none left a task behind.
    async fn nothing_under_way(&self) {
        let page = self.serve.client.get(self.serve.admin_url("/metrics"));
        let page = send(page).await.text;
        let value = |name: &str| -> i64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse().ok())
                .expect(name)
        };
        assert_eq!(value("hallpass_upstream_requests_in_flight "), 0);
        assert_eq!(value("hallpass_http_requests_in_flight "), 1, "this one");
    }

    /// Puts another configuration in force.
    fn reconfigure(&self, text: &str) {
        std::fs::write(self.site.path("hallpass.toml"), text).unwrap();
        let told = self.serve.told("the configuration was read again");
        self.serve.process.signal(Signal::HUP);
        self.serve
            .until_told("the configuration was read again", told + 1);
    }
}
