//! Connections that fail, break, or carry something else than HTTP.

use std::time::Duration;

use hallpass_core::{
    code::Code,
    ports::{MintFailure, Minter as _},
};
use tokio::net::TcpListener;

use crate::{
    scripted::{Script, reply},
    support::{SECRET, check_told, client_with, good, mint_at, order, settings},
};

async fn failure_at(base_url: &str) -> Box<MintFailure> {
    let failure = client_with(settings(base_url))
        .mint(order())
        .await
        .unwrap_err();
    check_told(&failure);
    failure
}

fn internal(failure: &MintFailure) -> &str {
    failure.refusal.internal.as_deref().unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = failure_at(&format!("http://{address}/v1")).await;
    assert_eq!(failure.refusal.code, Code::UpstreamUnreachable);
    assert!(internal(&failure).contains("was refused"));
    assert!(!failure.upstream.orphan_possible);
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    // A label over 63 characters is refused without asking any name server.
    let host = "h".repeat(70);
    let failure = failure_at(&format!("http://{host}/v1")).await;
    assert_eq!(failure.refusal.code, Code::UpstreamUnreachable);
    assert!(internal(&failure).contains("host name has no address"));
}

#[tokio::test]
async fn connecting_has_a_limit_of_its_own() {
    // Accepts TCP, but never answers the TLS handshake.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut settings = settings(&format!("https://{address}/v1"));
    settings.connect_timeout = Duration::from_millis(50);
    let failure = client_with(settings).mint(order()).await.unwrap_err();
    assert_eq!(failure.refusal.code, Code::UpstreamUnreachable);
    assert!(internal(&failure).contains("connecting took too long"));
    assert!(!failure.upstream.orphan_possible);
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_may_leave_an_orphan() {
    let part = good()[..40].to_vec();
    for script in [
        Script::AnswerAndClose(Vec::new()),
        Script::AnswerAndReset(Vec::new()),
        Script::AnswerAndClose(part.clone()),
        Script::AnswerAndReset(part),
    ] {
        let failure = mint_at(script.clone()).await.unwrap_err();
        check_told(&failure);
        assert_eq!(failure.refusal.code, Code::UpstreamBadAnswer, "{script:?}");
        assert!(failure.upstream.orphan_possible);
        assert_eq!(failure.upstream.status, None);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_may_leave_an_orphan() {
    let cut = good()[..good().len() - 1].to_vec();
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"val\r\n";
    for script in [
        Script::AnswerAndClose(cut.clone()),
        Script::AnswerAndReset(cut),
        Script::AnswerAndClose(chunked.into()),
        Script::AnswerAndClose(format!("{chunked}nonsense\r\n").into()),
    ] {
        let failure = mint_at(script.clone()).await.unwrap_err();
        check_told(&failure);
        assert_eq!(failure.refusal.code, Code::UpstreamBadAnswer, "{script:?}");
        assert!(failure.upstream.orphan_possible);
        assert_eq!(failure.upstream.status, Some(200));
    }
}

#[tokio::test]
async fn something_else_than_http_is_a_bad_answer() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\0\0\0\0",
        "HTTP/9.9 200 OK\r\n\r\n",
    ] {
        let failure = mint_at(Script::Answer(bytes.into())).await.unwrap_err();
        check_told(&failure);
        assert_eq!(failure.refusal.code, Code::UpstreamBadAnswer, "{bytes:?}");
        assert!(internal(&failure).contains("not HTTP"), "{bytes:?}");
        assert!(failure.upstream.orphan_possible);
    }
}

#[tokio::test]
async fn a_refusal_whose_body_is_cut_is_still_judged() {
    let mut cut = reply(401, "", SECRET);
    cut.truncate(cut.len() - 10);
    let failure = mint_at(Script::AnswerAndClose(cut)).await.unwrap_err();
    assert_eq!(failure.refusal.code, Code::UpstreamKeyRefused);
}
