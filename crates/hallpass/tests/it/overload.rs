//! More mints than there is room for.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::support::{Serve, Sim, Site, post, random_hex, send, sim, try_send};

/// Mints that may be under way here.
const ROOM: usize = 8;

struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    caller: String,
    operator: String,
}

impl House {
    fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let room = format!("[mint]\nmax_in_flight = {ROOM}\nmax_wait_ms = 20\n");
        let site = Site::new(&sim.url, &key, &room);
        site.change("timeout_ms = 2000", "timeout_ms = 5000");
        let caller = site.api_key("service", "svc");
        let operator = site.api_key("operator", "adm");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            caller,
            operator,
        }
    }

    fn request(&self) -> reqwest::RequestBuilder {
        let url = self.serve.url("/api/generate-client-secret");
        post(&self.serve.client, &url, &self.caller, &json!({}))
    }

    async fn asked(&self) -> usize {
        sim::log(&self.serve.client, &self.sim.url).await.len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_capacity_is_refused_at_once_and_all_else_is_served() {
    let house = House::open();
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 4000 });
    sim::fault(&house.serve.client, &house.sim.url, slow).await;
    let under_way: Vec<_> = (0..ROOM)
        .map(|_| tokio::spawn(try_send(house.request())))
        .collect();
    while house.asked().await < ROOM {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    const MORE: usize = 40;
    let refused: Vec<_> = (0..MORE)
        .map(|_| tokio::spawn(try_send(house.request())))
        .collect();
    for answer in refused {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!((answer.status, &*answer.code()), (503, "overloaded"));
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    for path in ["/livez", "/readyz", "/health"] {
        let answer = send(house.serve.client.get(house.serve.url(path))).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let grants = house.serve.admin_url("/api/admin/grants");
    let grants = house.serve.client.get(grants).bearer_auth(&house.operator);
    assert_eq!(send(grants).await.status, 200);
    assert!(
        under_way.iter().all(|mint| !mint.is_finished()),
        "all that was answered while the mints were under way"
    );
    let page = send(house.serve.client.get(house.serve.admin_url("/metrics"))).await;
    assert!(
        page.text
            .contains(&format!("hallpass_mints_shed_total {MORE}\n"))
    );
    assert_eq!(house.asked().await, ROOM, "nothing waits in a queue");

    for mint in under_way {
        assert_eq!(mint.await.unwrap().unwrap().status, 201);
    }
    assert_eq!(house.asked().await, ROOM);
    house.serve.until_told("an alert began", 1);
    let alerts = house
        .serve
        .admin_url("/api/admin/alerts?rule=mint_failures");
    let alerts = house.serve.client.get(alerts).bearer_auth(&house.operator);
    let alert = send(alerts).await.json()["data"][0].clone();
    assert!(alert["value"].as_f64().unwrap() > 50.0, "{alert}");
    let records = house.site.trail().records();
    let told: Vec<&Value> = records
        .iter()
        .filter(|record| record.code() == "overloaded")
        .map(|record| &record.0["unmapped"]["hallpass"]["facts"]["requests"])
        .collect();
    let requests: usize = told
        .iter()
        .map(|count| count.as_str().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(requests, MORE, "all are told");
    assert!(told.len() < MORE / 4, "in few records: {}", told.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_dawdle_keep_nobody_out() {
    let house = House::open();
    let mut slow = Vec::new();
    for _ in 0..2 * ROOM {
        let mut stream = TcpStream::connect(&house.serve.public).await.unwrap();
        let head = format!(
            "POST /api/generate-client-secret HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{{",
            house.caller
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let entered = async || {
        let page = send(house.serve.client.get(house.serve.admin_url("/metrics"))).await;
        let name = "hallpass_http_requests_in_flight ";
        let line = page.text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().parse::<usize>().unwrap() - 1
    };
    while entered().await < 2 * ROOM {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..ROOM {
        let answer = send(house.request()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_for_an_equal_request_keep_nobody_out() {
    let house = House::open();
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 2000, "times": 1 });
    sim::fault(&house.serve.client, &house.sim.url, slow).await;
    let equal: Vec<_> = (0..4 * ROOM)
        .map(|_| house.request().header("idempotency-key", "one"))
        .map(|request| tokio::spawn(try_send(request)))
        .collect();
    while house.asked().await < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = send(house.request()).await;
    assert_eq!(other.status, 201, "{}", other.text);
    let mut values = Vec::new();
    for answer in equal {
        let answer = answer.await.unwrap().unwrap();
        // Some found no place at first; none was minted for.
        if answer.status == 201 {
            values.push(answer.json()["value"].clone());
        } else {
            assert_eq!(answer.code(), "overloaded");
        }
    }
    values.dedup();
    assert_eq!(values.len(), 1, "one secret");
    assert_eq!(
        house.asked().await,
        2,
        "one mint for all, one for the other"
    );
}
