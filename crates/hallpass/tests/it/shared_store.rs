//! Two servers that count in one Redis, and what they do without it.

use hallpass_testkit::redis::RedisServer;
use serde_json::{Value, json};

use crate::support::{Serve, Sim, Site, post, random_hex, send, sim};

const LIMIT: usize = 6;

/// Two servers that know the same people.
fn servers(sim: &Sim, key: &str, redis: &RedisServer) -> [(Site, Serve); 2] {
    let store = "[store]\nshared_file = \"redis-url\"\nshared_timeout_ms = 2000\n";
    let sites = [
        Site::new(&sim.url, key, store),
        Site::new(&sim.url, key, store),
    ];
    std::fs::write(sites[1].path("jwt-secret"), &sites[0].jwt_secret).unwrap();
    sites.map(|site| {
        std::fs::write(site.path("redis-url"), format!("{}\n", redis.url())).unwrap();
        site.change(
            "permissions = [\"grants:create\", \"grants:read:own\"]",
            &format!(
                "permissions = [\"grants:create\", \"grants:read:own\"]\nlimits = {{ per_day = {LIMIT} }}"
            ),
        );
        let serve = Serve::start(&site);
        (site, serve)
    })
}

async fn mints(serve: &Serve, bearer: &str, times: usize) -> usize {
    let url = serve.url("/api/generate-client-secret");
    let mut minted = 0;
    for _ in 0..times {
        let answer = send(post(&serve.client, &url, bearer, &json!({}))).await;
        assert!(matches!(answer.status, 201 | 429), "{}", answer.text);
        minted += usize::from(answer.status == 201);
    }
    minted
}

async fn metric(serve: &Serve, name: &str) -> String {
    let page = send(serve.client.get(serve.admin_url("/metrics")))
        .await
        .text;
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {page}"))
        .trim()
        .to_owned()
}

fn alarms(site: &Site) -> Vec<(String, Value)> {
    let records = site.trail().all();
    let ours = records
        .iter()
        .map(|record| (record, &record.0["unmapped"]["hallpass"]));
    let told = ours.filter(|(record, ours)| {
        record.action() == "security.anomaly" && ours["facts"]["alarm"] == "shared_store"
    });
    told.map(|(_, ours)| {
        (
            ours["facts"]["state"].as_str().unwrap().to_owned(),
            ours.clone(),
        )
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_those_of_both_and_without_redis_each_goes_by_its_share() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let mut redis = RedisServer::start().await;
    let servers = servers(&sim, &key, &redis);
    let [(site, here), (_, there)] = &servers;
    let bearer = |subject: &str| site.token(subject, 600);

    let first = bearer("user-1");
    let (a, b) = (mints(here, &first, 4).await, mints(there, &first, 4).await);
    assert_eq!((a, b), (4, 2), "six of both together");
    assert_eq!(metric(here, "hallpass_shared_store_up ").await, "1");

    redis.kill();
    let second = bearer("user-2");
    for server in [here, there] {
        let minted = mints(server, &second, LIMIT + 3).await;
        assert_eq!(minted, LIMIT, "each is the only replica it knows of");
        assert_eq!(metric(server, "hallpass_shared_store_up ").await, "0");
        server.until_told("Redis is away", 1);
    }
    assert_eq!(
        mints(here, &first, 4).await,
        2,
        "what it let through counts"
    );

    redis.restart().await;
    for server in [here, there] {
        server.until_told("Redis is back", 1);
        assert_eq!(metric(server, "hallpass_shared_store_up ").await, "1");
    }
    let third = bearer("user-3");
    let (a, b) = (mints(here, &third, 4).await, mints(there, &third, 4).await);
    assert_eq!((a, b), (4, 2), "and together again");

    let at_openai = sim::log(&here.client, &sim.url).await.len();
    assert_eq!(
        at_openai,
        6 + 2 * LIMIT + 2 + 6,
        "what was refused was not asked for"
    );
    for (site, _) in &servers {
        let told = alarms(site);
        let states: Vec<&str> = told.iter().map(|(state, _)| state.as_str()).collect();
        assert_eq!(states, ["raised", "ended"]);
        assert_eq!(told[0].1["code"], "store_unavailable");
        let policy = told[0].1["facts"]["policy"].as_str().unwrap();
        assert!(policy.contains("share"), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_without_redis_and_finds_it_later() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let mut redis = RedisServer::start().await;
    redis.kill();
    let servers = servers(&sim, &key, &redis);
    let [(site, here), _] = &servers;
    let bearer = site.token("user-1", 600);
    assert_eq!(mints(here, &bearer, LIMIT + 1).await, LIMIT);
    redis.restart().await;
    here.until_told("Redis is back", 1);
    assert_eq!(
        mints(here, &bearer, LIMIT + 1).await,
        LIMIT,
        "what it counts is new"
    );
}

#[test]
fn what_several_replicas_lack_is_said_before_they_start() {
    let site = Site::new("http://127.0.0.1:1", "sk-x", "[store]\nreplicas = 3\n");
    let checked = site.run(&["config", "check"]);
    assert_eq!(checked.code, 2, "{}", checked.err);
    for words in [
        "store.shared: each of the 3 replicas would count alone",
        "store.durable: each of the 3 replicas would keep its own keys",
        "Set `store.shared = \"redis://…\"`",
        "Set `store.durable = \"postgres://…\"`",
    ] {
        assert!(checked.err.contains(words), "{words} in {}", checked.err);
    }
}
