//! Two servers behind a load balancer, restarted in turn under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    Serve, Sim, Site, Stream,
    balancer::{balancer, until_it_answers},
    client, post, random_hex, send, sim, try_send,
};

/// Callers who ask again as soon as they were answered.
const CALLERS: usize = 8;

/// A server that comes back at its address.
struct Node {
    site: Site,
    serve: Serve,
}

impl Node {
    fn start(site: Site) -> Self {
        site.change("drain_delay_seconds = 0", "drain_delay_seconds = 1");
        let serve = Serve::start(&site);
        let address = format!("\nlisten = \"{}\"", serve.public);
        site.change("\nlisten = \"127.0.0.1:0\"", &address);
        Self { site, serve }
    }

    /// As an orchestrator does: asks it to stop, waits, starts the next.
    async fn restart(&mut self, bearer: &str) {
        self.serve.process.signal(Signal::TERM);
        self.serve.process.wait_for(Stream::Err, |line| {
            line.contains("requests are still taken").then_some(())
        });
        let ready = send(client().get(self.serve.url("/readyz"))).await;
        assert_eq!(ready.status, 503, "load balancers are told at once");
        let url = self.serve.url("/api/generate-client-secret");
        let late = send(post(&client(), &url, bearer, &json!({}))).await;
        assert_eq!(late.status, 201, "and who comes all the same is served");
        assert_eq!(late.header("connection"), "close", "but not again");
        let status = self.serve.process.ended_within(Duration::from_secs(10));
        assert_eq!(status.code(), Some(0));
        self.serve = Serve::start(&self.site);
    }

    fn successes(&self) -> usize {
        let records = self.site.trail().records();
        let minted = records
            .iter()
            .filter(|it| it.action() == "grant.create" && it.outcome() == "success");
        minted.count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_two_servers_are_restarted_in_turn() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let sites = [Site::new(&sim.url, &key, ""), Site::new(&sim.url, &key, "")];
    // Both know the same people.
    std::fs::write(sites[1].path("jwt-secret"), &sites[0].jwt_secret).unwrap();
    let bearer = sites[0].token("user-1", 600);
    let mut nodes = sites.map(Node::start);
    let folder = tempfile::tempdir().unwrap();
    let servers: Vec<String> = nodes.iter().map(|node| node.serve.public.clone()).collect();
    let (_nginx, url) = balancer(folder.path(), &servers);
    until_it_answers(&url).await;
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 30 });
    sim::fault(&client(), &sim.url, slow).await;

    let (stop, minted) = (
        Arc::new(AtomicBool::new(false)),
        Arc::<AtomicUsize>::default(),
    );
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (stop, minted) = (stop.clone(), minted.clone());
        let (url, bearer) = (format!("{url}/api/generate-client-secret"), bearer.clone());
        callers.spawn(async move {
            let client = client();
            while !stop.load(Ordering::SeqCst) {
                let answer = try_send(post(&client, &url, &bearer, &json!({}))).await;
                let answer = answer.map_err(|error| error.to_string())?;
                if answer.status != 201 {
                    return Err(format!("{} {}", answer.status, answer.text));
                }
                minted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        });
    }
    let more = async |by: usize| {
        let goal = minted.load(Ordering::SeqCst) + by;
        while minted.load(Ordering::SeqCst) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    more(CALLERS).await;
    for node in &mut nodes {
        node.restart(&bearer).await;
        more(10 * CALLERS).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        assert_eq!(ended.unwrap(), Ok(()), "no request fails");
    }

    // Each node took one more, past the load balancer.
    let asked_for = minted.load(Ordering::SeqCst) + nodes.len();
    let at_openai = sim::log(&client(), &sim.url).await.len();
    let recorded: usize = nodes.iter().map(Node::successes).sum();
    assert_eq!((at_openai, recorded), (asked_for, asked_for));
}
