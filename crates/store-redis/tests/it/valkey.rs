//! Valkey in Redis's place: the same contracts, and replicas that order each
//! other about.

use std::sync::Arc;

use hallpass_store_redis::Link;
use hallpass_testkit::redis::RedisServer;

use crate::{peers, support::link};

#[allow(clippy::duplicate_mod, reason = "the same tests on another server")]
#[path = "contract.rs"]
mod contract;

async fn with_server() -> (Arc<Link>, RedisServer) {
    let server = RedisServer::start_valkey().await;
    (link(&server.url()).await, server)
}

#[tokio::test]
async fn it_is_valkey_that_is_asked() {
    let server = RedisServer::start_valkey().await;
    let info = server.ask("INFO server").await;
    assert!(info.contains("server_name:valkey"), "{info}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_seen_ended_and_renewed_from_another_replica() {
    peers::seen_ended_and_renewed(RedisServer::start_valkey().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_revokes_hears_from_each_replica_or_counts_it_as_silent() {
    peers::heard_or_silent(RedisServer::start_valkey().await).await;
}
