//! Headers every answer carries, whatever it is.

use std::fmt::Write;

use crate::{
    service::{Answer, As, MINT, MINT_ROUTES, Service, assert_shown, empty, get, json, post},
    unauthorised::{Listener, operations},
};

/// An answer's headers less those that say what only it can.
fn constant(answer: &Answer) -> String {
    let own = ["x-request-id: ", "content-length: ", "ratelimit"];
    let head = answer.head();
    let lines = head
        .lines()
        .filter(|line| !own.iter().any(|name| line.starts_with(name)));
    lines.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "  {line}");
        text
    })
}

#[tokio::test]
async fn the_headers_of_every_route_granted_and_refused() {
    let mut table = String::new();
    for operation in operations() {
        let service = Service::new();
        for who in [Some("alice operator"), None] {
            let request = operation.request();
            let request = match who {
                Some(who) => request.by(who),
                None => request,
            };
            let answer = match operation.listener() {
                Listener::Public => service.ask(empty(request)).await,
                Listener::Admin => service.ask_admin(empty(request)).await,
            };
            let _ = writeln!(
                table,
                "{operation} {}\n{}",
                answer.status.as_u16(),
                constant(&answer)
            );
        }
    }
    assert_shown("headers", table);
}

fn assert_hardened(answer: &Answer, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {name}");
    }
    assert!(answer.headers.contains_key("x-request-id"), "{what}");
    for name in ["server", "x-powered-by", "strict-transport-security"] {
        assert!(!answer.headers.contains_key(name), "{what}: {name}");
    }
}

#[tokio::test]
async fn no_answer_of_a_route_that_hands_out_secrets_may_be_kept_or_framed() {
    for route in MINT_ROUTES {
        let service = Service::counting();
        for _ in 0..6 {
            let answer = service.ask(empty(post(route).by("alice candidate"))).await;
            assert_hardened(&answer, route);
        }
        let refused = [
            empty(post(route)),
            empty(post(route).by("invalid_credential")),
            empty(post(route).by("alice locked")),
            json(post(route).by("alice service"), "{"),
            empty(get(route)),
        ];
        for request in refused {
            assert_hardened(&service.ask(request).await, route);
        }
    }
    assert_hardened(&Service::new().ask(empty(get("/api/nosuch"))).await, "404");
}

#[tokio::test]
async fn a_secret_is_in_no_header_and_no_get_answers_with_one() {
    let service = Service::new();
    let minted = service.ask(empty(post(MINT).by("alice operator"))).await;
    assert!(!minted.head().contains("ek_"));
    for operation in operations().filter(|operation| operation.method == "GET") {
        let request = empty(operation.request().by("alice operator"));
        let answer = match operation.listener() {
            Listener::Public => service.ask(request).await,
            Listener::Admin => service.ask_admin(request).await,
        };
        let value = minted.json()["value"].as_str().unwrap().to_owned();
        assert!(!answer.text().contains(&value), "{operation}");
    }
}
