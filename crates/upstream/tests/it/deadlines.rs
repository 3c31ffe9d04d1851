//! One deadline over everything, and nothing left behind it.

use std::time::Duration;

use hallpass_core::{
    code::Code,
    ports::{MintFailure, Minter as _},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, yield_now},
    time,
};

use crate::{
    scripted::{Script, Upstream, reply},
    support::{SECRET, check_told, client, client_with, order, settings},
};

/// Lets the client read what lies in its socket.
///
/// All run on one thread, and the loopback delivers before a write returns, so
/// some turns of the scheduler are enough.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

/// Moves the clock past the order's deadline.
async fn pass_deadline() {
    settle().await;
    time::pause();
    time::advance(order().deadline + Duration::from_millis(1)).await;
    time::resume();
}

type Mint = JoinHandle<Result<hallpass_core::ports::MintedSecret, Box<MintFailure>>>;

fn start(upstream: &Upstream) -> Mint {
    let client = client(upstream);
    tokio::spawn(async move { client.mint(order()).await })
}

async fn timed_out(mint: Mint) -> Box<MintFailure> {
    let failure = mint.await.unwrap().unwrap_err();
    check_told(&failure);
    assert_eq!(failure.refusal.code, Code::UpstreamTimeout);
    failure
}

#[tokio::test]
async fn a_reply_that_never_comes_ends_at_the_deadline() {
    let upstream = Upstream::start(Script::Answer(Vec::new())).await;
    let mint = start(&upstream);
    upstream.answered().await;
    assert!(!mint.is_finished());
    pass_deadline().await;
    let failure = timed_out(mint).await;
    assert!(failure.upstream.orphan_possible);
    assert_eq!(failure.upstream.status, None);
    upstream.left().await;
}

#[tokio::test]
async fn a_head_that_stops_ends_at_the_deadline() {
    let upstream = Upstream::start(Script::Answer(b"HTTP/1.1 200 OK\r\nx-req".into())).await;
    let mint = start(&upstream);
    upstream.answered().await;
    pass_deadline().await;
    assert!(timed_out(mint).await.upstream.orphan_possible);
    upstream.left().await;
}

#[tokio::test]
async fn a_body_that_stops_ends_at_the_deadline() {
    let mut part = reply(200, "x-request-id: req_2\r\n", SECRET);
    part.truncate(part.len() - 1);
    let upstream = Upstream::start(Script::Answer(part)).await;
    let mint = start(&upstream);
    upstream.answered().await;
    pass_deadline().await;
    let failure = timed_out(mint).await;
    assert!(failure.upstream.orphan_possible);
    assert_eq!(failure.upstream.status, Some(200));
    assert_eq!(failure.upstream.request_id.as_deref(), Some("req_2"));
    upstream.left().await;
}

#[tokio::test]
async fn a_refusal_whose_body_stops_is_judged_at_the_deadline() {
    let mut part = reply(401, "", SECRET);
    part.truncate(part.len() - 1);
    let upstream = Upstream::start(Script::Answer(part)).await;
    let mint = start(&upstream);
    upstream.answered().await;
    pass_deadline().await;
    let failure = mint.await.unwrap().unwrap_err();
    assert_eq!(failure.refusal.code, Code::UpstreamKeyRefused);
    upstream.left().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_leaves_no_orphan() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut settings = settings(&format!("https://{address}/v1"));
    settings.connect_timeout = Duration::from_secs(3600);
    let client = client_with(settings);
    let mint = tokio::spawn(async move { client.mint(order()).await });
    let (silent, _) = listener.accept().await.unwrap();
    pass_deadline().await;
    assert!(!timed_out(mint).await.upstream.orphan_possible);
    drop(silent);
}

#[tokio::test]
async fn a_mint_that_is_given_up_ends_its_request() {
    let upstream = Upstream::start(Script::Answer(Vec::new())).await;
    let mint = start(&upstream);
    upstream.answered().await;
    mint.abort();
    upstream.left().await;
}

#[tokio::test]
async fn a_deadline_that_is_over_at_once_sends_nothing() {
    let upstream = Upstream::start(Script::Answer(crate::support::good())).await;
    let mut order = order();
    order.deadline = Duration::ZERO;
    let failure = client(&upstream).mint(order).await.unwrap_err();
    check_told(&failure);
    assert_eq!(failure.refusal.code, Code::UpstreamTimeout);
    assert!(!failure.upstream.orphan_possible);
    settle().await;
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_deadline_that_never_comes_is_no_error() {
    let upstream = Upstream::start(Script::Answer(crate::support::good())).await;
    let mut order = order();
    order.deadline = Duration::MAX;
    assert!(client(&upstream).mint(order).await.is_ok());
}
