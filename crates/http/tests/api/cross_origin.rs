//! Which pages may read answers, and whose cookies count.

use std::fmt::Write;

use axum::body::Body;
use http::{Request, header};

use crate::service::{As, LISTED, MINT, MINT_ROUTES, OWN, Service, assert_shown, empty, get, post};

const HOSTILE: [&str; 9] = [
    "https://app.example.com.evil.test",
    "https://evilapp.example.com",
    "https://app.example.com@evil.test",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://APP.example.com",
    "https://xn--pp-eka.example.com",
    "null",
    "*",
];

fn preflight(path: &str, origin: &str) -> Request<Body> {
    Request::options(path)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization, content-type",
        )
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_preflight_is_answered_before_any_credential_is_asked_for() {
    let service = Service::new();
    assert_shown(
        "preflight",
        service.ask(preflight(MINT, LISTED)).await.show(),
    );
    for route in MINT_ROUTES {
        let answer = service.ask(preflight(route, LISTED)).await;
        assert_eq!(answer.status, 204, "{route}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(LISTED),
            "{route}"
        );
    }
    assert!(service.world.audit.events().is_empty());
}

#[tokio::test]
async fn no_other_origin_is_let_in_on_any_route() {
    let service = Service::new();
    for origin in HOSTILE {
        for route in MINT_ROUTES {
            let asked = service.ask(preflight(route, origin)).await;
            let request = post(route)
                .by("alice service")
                .header(header::ORIGIN, origin);
            let answered = service.ask(empty(request)).await;
            for answer in [asked, answered] {
                let told = answer.head();
                assert!(
                    !told.contains("access-control-allow"),
                    "{route} {origin}: {told}"
                );
                assert!(
                    answer.header("vary").unwrap().contains("origin"),
                    "{route} {origin}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_listed_page_reads_answers_and_refusals() {
    let service = Service::new();
    let good = post(MINT)
        .by("alice candidate")
        .header(header::ORIGIN, LISTED);
    let refused = post(MINT).header(header::ORIGIN, LISTED);
    let nowhere = get("/api/nosuch").header(header::ORIGIN, LISTED);
    for request in [good, refused, nowhere] {
        let answer = service.ask(empty(request)).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(LISTED));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["retry-after", "ratelimit", "x-request-id", "x-should-retry"] {
            assert!(exposed.contains(name), "{name}");
        }
    }
}

#[tokio::test]
async fn a_cookie_counts_only_where_the_apps_own_page_sent_it() {
    let mut table = String::new();
    for origin in [
        None,
        Some(LISTED),
        Some(OWN),
        Some("https://evil.test"),
        Some("null"),
    ] {
        for site in [
            None,
            Some("same-origin"),
            Some("same-site"),
            Some("cross-site"),
            Some("none"),
        ] {
            let request = |request: http::request::Builder| {
                let headers = [("origin", origin), ("sec-fetch-site", site)];
                headers
                    .into_iter()
                    .fold(request, |request, (name, value)| match value {
                        Some(value) => request.header(name, value),
                        None => request,
                    })
            };
            let service = Service::new();
            let cookie = |builder: http::request::Builder| {
                builder.header(header::COOKIE, "session=alice-candidate")
            };
            let by_cookie = service.ask(empty(request(cookie(post(MINT))))).await;
            let by_token = service
                .ask(empty(request(post(MINT).by("alice candidate"))))
                .await;
            let read = service
                .ask(empty(request(cookie(get("/api/client-secrets")))))
                .await;
            assert_eq!(by_token.status, 201, "a page can't add a token it has not");
            assert_eq!(read.status, 200, "reading changes nothing");
            if by_cookie.status == 403 {
                assert_eq!(by_cookie.code(), "cross_site_request");
                assert_eq!(service.world.minter.orders().len(), 1, "the token's alone");
            }
            let (origin, site) = (origin.unwrap_or("-"), site.unwrap_or("-"));
            let _ = writeln!(table, "{origin:25} {site:12} {}", by_cookie.status.as_u16());
        }
    }
    assert_shown("cookies_across_sites", table);
}
