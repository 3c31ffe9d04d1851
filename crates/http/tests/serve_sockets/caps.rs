//! How many connections there may be, and whose they are.

use std::time::Duration;

use hallpass_http::serve::TrustedProxies;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, SHORT, limits, read_answer, read_to_close, start, start_with};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn beyond_the_total_cap_a_client_waits_for_a_place() {
    let mut limits = limits();
    limits.max_connections = 2;
    let server = start(limits).await;
    let mut first = server.connect_and_send(GET).await;
    let mut second = server.connect_and_send(GET).await;
    read_answer(&mut first).await;
    read_answer(&mut second).await;
    let mut third = server.connect_and_send(GET).await;
    let waiting = timeout(SHORT, read_answer(&mut third)).await;
    assert!(
        waiting.is_err(),
        "the third is not served while two are open"
    );
    drop(first);
    assert!(read_answer(&mut third).await.ends_with("hello"));
}

#[tokio::test]
async fn beyond_the_cap_per_address_a_client_is_closed() {
    let mut limits = limits();
    limits.max_connections_per_address = 2;
    let server = start(limits).await;
    let mut first = server.connect_and_send(GET).await;
    let mut second = server.connect_and_send(GET).await;
    read_answer(&mut first).await;
    read_answer(&mut second).await;
    let mut third = server.connect().await;
    assert_eq!(read_to_close(&mut third).await, "");
    assert_eq!(server.statistics.snapshot().refused, 1);
    drop(first);
    let free = async {
        while server.statistics.snapshot().open > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("the place is freed");
    let mut fourth = server.connect_and_send(GET).await;
    assert!(read_answer(&mut fourth).await.ends_with("hello"));
}

#[tokio::test]
async fn a_trusted_proxy_is_exempt_from_the_cap_per_address() {
    let mut limits = limits();
    limits.max_connections_per_address = 1;
    let proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let server = start_with(|server| server.limits(limits).trusted_proxies(proxies)).await;
    let mut first = server.connect_and_send(GET).await;
    let mut second = server.connect_and_send(GET).await;
    read_answer(&mut first).await;
    assert!(read_answer(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn a_panic_takes_one_connection_and_not_the_loop() {
    let server = start(limits()).await;
    let mut stream = server
        .connect_and_send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(read_to_close(&mut stream).await, "");
    assert_eq!(server.statistics.snapshot().panicked, 1);
    let mut next = server.connect_and_send(GET).await;
    assert!(read_answer(&mut next).await.ends_with("hello"));
}

#[tokio::test]
async fn each_request_carries_the_facts_of_its_connection() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap();
    for _ in 0..2 {
        let request = b"GET /facts HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let answer = read_answer(&mut stream).await;
        let expected = format!("{own} {} false", server.address);
        assert!(answer.ends_with(&expected), "{answer}");
    }
}
