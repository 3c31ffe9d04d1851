//! Method × `Sec-Fetch-Site` × `Origin` × kind of credential: what mints.
//!
//! The expectation is written down again here, in its own words, and held
//! against the server for every combination.

use axum::body::Body;
use http::{Method, Request, header};

use crate::service::{LISTED, MINT, MINT_ROUTES, OWN, Service, empty, get, json, post};

const METHODS: [&str; 8] = [
    "POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE",
];
const SITES: [Option<&str>; 6] = [
    None,
    Some("same-origin"),
    Some("same-site"),
    Some("cross-site"),
    Some("none"),
    Some("SAME-ORIGIN"),
];
const ORIGINS: [Option<&str>; 7] = [
    None,
    Some(LISTED),
    Some(OWN),
    Some("null"),
    Some("https://evil.test"),
    Some("https://app.example.com.evil.test"),
    Some("http://app.example.com"),
];

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Cookie,
    Token,
    CookieAndToken,
    CookieAndBadToken,
}

const KINDS: [Kind; 5] = [
    Kind::Nothing,
    Kind::Cookie,
    Kind::Token,
    Kind::CookieAndToken,
    Kind::CookieAndBadToken,
];

impl Kind {
    fn add(self, request: http::request::Builder) -> http::request::Builder {
        let cookie = |request: http::request::Builder| {
            request.header(header::COOKIE, "session=alice-candidate")
        };
        let token = |request: http::request::Builder, token: &str| {
            request.header(header::AUTHORIZATION, format!("Bearer {token}"))
        };
        match self {
            Self::Nothing => request,
            Self::Cookie => cookie(request),
            Self::Token => token(request, "bob candidate"),
            Self::CookieAndToken => token(cookie(request), "bob candidate"),
            Self::CookieAndBadToken => token(cookie(request), "invalid_credential"),
        }
    }
}

fn request(
    method: &str,
    path: &str,
    (origin, site, kind): (Option<&str>, Option<&str>, Kind),
) -> Request<Body> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = kind.add(Request::builder().method(method).uri(path));
    for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    empty(request)
}

/// A page can't make a browser add a token; it can make it add a cookie. So a
/// cookie counts only where the browser says that our own page or a listed one
/// sent the request.
fn expected(method: &str, origin: Option<&str>, site: Option<&str>, kind: Kind) -> u16 {
    if method != "POST" {
        return 405;
    }
    let ours = origin == Some(LISTED) || origin == Some(OWN) || site == Some("same-origin");
    match kind {
        Kind::Nothing | Kind::CookieAndBadToken => 401,
        Kind::Token | Kind::CookieAndToken => 201,
        Kind::Cookie if ours => 201,
        Kind::Cookie => 403,
    }
}

#[tokio::test]
async fn every_combination_mints_or_not_as_it_should() {
    let service = Service::new();
    let minted = || service.world.minter.orders().len();
    let mut asked = 0;
    for method in METHODS {
        for origin in ORIGINS {
            for site in SITES {
                for kind in KINDS {
                    let before = minted();
                    let case = format!("{method} {origin:?} {site:?} {kind:?}");
                    let answer = service
                        .ask(request(method, MINT, (origin, site, kind)))
                        .await;
                    let wanted = expected(method, origin, site, kind);
                    assert_eq!(answer.status.as_u16(), wanted, "{case}");
                    let made = minted() - before;
                    assert_eq!(made, usize::from(wanted == 201), "{case}");
                    let readable = answer.header("access-control-allow-origin");
                    let listed = origin.filter(|origin| *origin == LISTED);
                    assert_eq!(readable, listed, "{case}");
                    asked += 1;
                }
            }
        }
    }
    assert_eq!(asked, 8 * 7 * 6 * 5);
}

#[tokio::test]
async fn every_way_to_mint_is_closed_to_other_pages() {
    let service = Service::new();
    let mut minted = 0;
    for path in MINT_ROUTES {
        for origin in ORIGINS {
            for site in SITES {
                let case = (origin, site, Kind::Cookie);
                let answer = service.ask(request("POST", path, case)).await;
                let open = expected("POST", origin, site, Kind::Cookie) == 201;
                assert_eq!(answer.status.is_success(), open, "{path} {case:?}");
                minted += usize::from(open);
                assert_eq!(service.world.minter.orders().len(), minted);
            }
        }
    }
}

#[tokio::test]
async fn a_form_can_t_be_made_to_look_like_json() {
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "",
    ];
    for kind in kinds {
        let service = Service::new();
        let request = Kind::Cookie
            .add(post(MINT))
            .header(header::ORIGIN, LISTED)
            .header(header::CONTENT_TYPE, kind);
        let answer = service.ask(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 415, "{kind}");
        assert!(service.world.minter.orders().is_empty());
    }
}

#[tokio::test]
async fn the_admin_listener_takes_no_cookie_whoever_sends_it() {
    let service = Service::new();
    let cookie = |request: http::request::Builder| {
        request
            .header(header::COOKIE, "session=alice-operator")
            .header("sec-fetch-site", "same-origin")
    };
    for path in ["/api/admin/grants", "/api/admin/keys", "/api/admin/audit"] {
        let answer = service.ask_admin(empty(cookie(get(path)))).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.code(), "missing_credential", "{path}");
    }
    let create = cookie(post("/api/admin/keys")).header(header::ORIGIN, OWN);
    let body = r#"{"name":"mallory","roles":["operator"],"kind":"adm"}"#;
    assert_eq!(service.ask_admin(json(create, body)).await.status, 401);
    let token = get("/api/admin/grants").header(header::AUTHORIZATION, "Bearer alice operator");
    assert_eq!(service.ask_admin(empty(cookie(token))).await.status, 200);
}

#[tokio::test]
async fn no_page_of_another_origin_reads_the_admin_listener() {
    let service = Service::new();
    let preflight = Request::options("/api/admin/grants")
        .header(header::ORIGIN, LISTED)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    let read = get("/api/admin/grants")
        .header(header::AUTHORIZATION, "Bearer alice operator")
        .header(header::ORIGIN, LISTED);
    for request in [
        preflight,
        read,
        get("/metrics").header(header::ORIGIN, LISTED),
    ] {
        let answer = service.ask_admin(empty(request)).await;
        let head = answer.head();
        assert!(!head.contains("access-control-allow"), "{head}");
    }
}
