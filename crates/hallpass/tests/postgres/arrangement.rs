//! What these tests run on is what they say.

use serde_json::json;

use crate::support::{Serve, Sim, Site, client, post, random_hex, send};

/// Else the same tests as on a file would say nothing about Redis.
#[tokio::test]
async fn a_server_of_these_tests_counts_in_redis_and_keeps_in_postgresql() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let site = Site::new(&sim.url, &key, "");
    let serve = Serve::start(&site);
    let url = serve.url("/api/generate-client-secret");
    let token = site.token("user-1", 600);
    assert_eq!(
        send(post(&client(), &url, &token, &json!({}))).await.status,
        201
    );
    let page = send(client().get(serve.admin_url("/metrics"))).await.text;
    assert!(page.contains("hallpass_shared_store_up 1"), "{page}");
    assert!(
        !site.path("data/hallpass.db").exists(),
        "no file of its own"
    );
}
