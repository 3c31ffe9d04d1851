//! Replies made to hurt: endless, oversized, contradictory, or telling.

use hallpass_core::{code::Code, ports::Minter as _};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    scripted::{Script, Upstream, reply},
    support::{
        NOW, SECRET, check_told, client, client_with, key, mint_at, order, refused, settings,
    },
};

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

async fn is_bad_answer(script: Script) -> String {
    let shown = format!("{script:?}").chars().take(80).collect::<String>();
    let failure = mint_at(script).await.unwrap_err();
    check_told(&failure);
    assert_eq!(failure.refusal.code, Code::UpstreamBadAnswer, "{shown}");
    assert!(failure.upstream.orphan_possible, "{shown}");
    failure.refusal.internal.unwrap()
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_read() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 262145\r\n\r\n";
    // No byte of it ever comes: only the announcement can be the reason.
    let told = is_bad_answer(Script::Answer(head.into())).await;
    assert!(told.contains("over the size limit"));
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_at_the_limit() {
    let blank = " ".repeat(1024);
    let big = format!("400\r\n{blank}\r\n");
    for again in [big.as_str(), "1\r\n \r\n"] {
        let script = Script::AnswerForever(CHUNKED.into(), again.into());
        assert!(is_bad_answer(script).await.contains("over the size limit"));
    }
}

#[tokio::test]
async fn the_limit_is_the_operators() {
    let upstream = Upstream::start(Script::Answer(reply(200, "", SECRET))).await;
    for (limit, fits) in [(SECRET.len(), true), (SECRET.len() - 1, false)] {
        let mut settings = settings(&format!("http://{}/v1", upstream.address));
        settings.response_limit = limit;
        assert_eq!(client_with(settings).mint(order()).await.is_ok(), fits);
    }
}

#[tokio::test]
async fn heads_that_are_too_large_or_contradictory_are_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(300_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-many: 1\r\n".repeat(150));
    let lengths = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}";
    let negative = "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n";
    let folded = "HTTP/1.1 200 OK\r\nx-fold: a\r\n b\r\ncontent-length: 0\r\n\r\n";
    for head in [long.as_str(), &many, lengths, negative, folded] {
        is_bad_answer(Script::Answer(head.into())).await;
    }
    let endless = Script::AnswerForever(b"HTTP/1.1 200 OK\r\nx-endless: ".into(), vec![b'x'; 1024]);
    is_bad_answer(endless).await;
}

#[tokio::test]
async fn bodies_of_another_kind_are_refused() {
    let html = "<!doctype html><html><body>Sign in to the hotel's network</body></html>";
    let deep = "[".repeat(200_000);
    let gzip = "\u{1f}\u{8b}\u{8}";
    let error = r#"{"error": {"message": "no", "type": "server_error"}}"#;
    for body in ["", html, &deep, gzip, error, "null", "\"ek_0123456789\""] {
        is_bad_answer(Script::Answer(reply(200, "", body))).await;
    }
}

#[tokio::test]
async fn implausible_secrets_are_refused() {
    let session = json!({"type": "realtime"});
    for (value, expires_at, session) in [
        (json!("ek_hp_0123456789"), json!(NOW + 60), session.clone()),
        (json!(key()), json!(NOW + 60), session.clone()),
        (json!("ek_01234\r\n56789"), json!(NOW + 60), session.clone()),
        (json!("ek_0123456789"), json!(NOW), session.clone()),
        (json!("ek_0123456789"), json!(NOW + 9000), session),
        (
            json!("ek_0123456789"),
            json!(NOW + 60),
            json!({"type": "transcription"}),
        ),
        (json!("ek_0123456789"), json!(NOW + 60), json!([])),
    ] {
        let body = json!({"value": value, "expires_at": expires_at, "session": session});
        is_bad_answer(Script::Answer(reply(200, "", &body.to_string()))).await;
    }
}

#[tokio::test]
async fn a_request_id_is_cut_and_cleaned() {
    let long = "r".repeat(500);
    let cases = [
        ("req_1".to_owned(), Some("req_1".to_owned())),
        (long, Some("r".repeat(128))),
        ("req \t\u{e9} 1".to_owned(), Some("req1".to_owned())),
        (String::new(), None),
        (key(), None),
        (format!("id-{}", key()), None),
    ];
    for (id, kept) in cases {
        let failure = refused(reply(500, &format!("x-request-id: {id}\r\n"), "{}")).await;
        assert_eq!(failure.upstream.request_id, kept, "{id:?}");
    }
}

#[tokio::test]
async fn answers_before_the_answer_are_passed_over() {
    let mut bytes = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec();
    bytes.extend(reply(200, "", SECRET));
    assert!(mint_at(Script::Answer(bytes)).await.is_ok());
    let switch = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    is_bad_answer(Script::Answer(switch.into())).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_the_client(bytes in prop::collection::vec(any::<u8>(), 0..300), status in 100_u16..1000, whole in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut answer = bytes;
            if whole {
                let length = answer.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
                answer.splice(0..0, head.into_bytes());
            }
            let upstream = Upstream::start(Script::AnswerAndClose(answer)).await;
            let failure = client(&upstream).mint(order()).await.unwrap_err();
            check_told(&failure);
        });
    }
}
