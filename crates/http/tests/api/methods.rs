//! Methods and paths nobody serves, and request ids.

use axum::body::Body;
use http::{Method, Request};

use crate::service::{As, DROP_IN, INTERVIEW, MINT, Service, assert_shown, empty, get, post};

fn ask(method: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn a_path_nobody_serves_is_a_404_in_its_routes_shape() {
    let service = Service::new();
    assert_shown(
        "not_found",
        service.ask(ask("GET", "/api/nosuch")).await.show(),
    );
    assert_shown(
        "not_found_drop_in",
        service
            .ask(ask("POST", "/v1/realtime/sessions"))
            .await
            .show(),
    );
    for path in [
        "/",
        "/api",
        "/api/",
        "//",
        "/.env",
        "/api/generate-client-secret/",
        "/metrics",
        "/api/admin/grants",
    ] {
        let answer = service.ask(ask("GET", path)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.code(), "not_found", "{path}");
    }
    assert!(service.world.audit.events().is_empty());
}

#[tokio::test]
async fn the_admin_listener_mints_nothing() {
    let service = Service::new();
    for path in [MINT, INTERVIEW, DROP_IN] {
        let answer = service
            .ask_admin(empty(post(path).by("alice operator")))
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_method_nobody_serves_is_a_405_that_names_those_there_are() {
    let service = Service::new();
    assert_shown(
        "method_not_allowed",
        service.ask(ask("GET", MINT)).await.show(),
    );
    assert_shown(
        "method_not_allowed_drop_in",
        service.ask(ask("DELETE", DROP_IN)).await.show(),
    );
    for method in [
        "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "HEAD", "PROPFIND", "get",
    ] {
        let answer = service.ask(ask(method, MINT)).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
}

#[tokio::test]
async fn a_refused_method_is_recorded_as_what_the_route_does() {
    for (path, action) in [
        (MINT, Some("grant.create")),
        (INTERVIEW, Some("grant.create")),
        (DROP_IN, Some("grant.create")),
        ("/api/client-secrets", Some("grant.read")),
        ("/api/client-secrets/gr_1", Some("grant.read")),
        ("/livez", None),
        ("/openapi.json", None),
    ] {
        let service = Service::new();
        let answer = service.ask(ask("PUT", path)).await;
        assert_eq!(answer.status, 405, "{path}");
        let actions: Vec<String> = service
            .world
            .audit
            .finals()
            .iter()
            .map(|event| event.action.to_string())
            .collect();
        assert_eq!(
            actions,
            action.map(str::to_owned).into_iter().collect::<Vec<_>>(),
            "{path}"
        );
    }
    let service = Service::new();
    service.ask_admin(ask("PUT", "/api/admin/grants")).await;
    assert_eq!(
        service.world.audit.finals()[0].action.to_string(),
        "admin.request"
    );
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let service = Service::new();
    for path in [
        "/livez",
        "/readyz",
        "/health",
        "/openapi.json",
        "/docs/errors",
    ] {
        let get = service.ask(ask("GET", path)).await;
        let head = service.ask(ask("HEAD", path)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
        assert_eq!(head.text(), "", "{path}");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_answered_and_recorded() {
    let service = Service::new();
    let request = post(MINT)
        .by("alice candidate")
        .header("x-request-id", "trace-7");
    let answer = service.ask(empty(request)).await;
    assert_eq!(answer.header("x-request-id"), Some("trace-7"));
    let finals = service.world.audit.finals();
    assert_eq!(finals[0].request.as_ref().unwrap().id.as_str(), "trace-7");
    assert_eq!(
        finals[0].grant.as_ref().unwrap().request_id.as_str(),
        "trace-7"
    );
}

#[tokio::test]
async fn a_request_without_an_id_or_with_a_hostile_one_gets_one_of_ours() {
    let long = "x".repeat(129);
    for given in [None, Some("a b"), Some("{\"x\":1}"), Some(long.as_str())] {
        let request = get("/livez");
        let request = match given {
            Some(id) => request.header("x-request-id", id),
            None => request,
        };
        let answer = Service::new().ask(empty(request)).await;
        assert_eq!(
            answer.header("x-request-id"),
            Some("req_00000000000000000000000000000001")
        );
    }
    let refused = Service::new().ask(empty(post(MINT))).await;
    assert_eq!(
        refused.json()["request_id"],
        refused.header("x-request-id").unwrap()
    );
}

#[tokio::test]
async fn metrics_name_routes_and_never_what_a_caller_typed() {
    let service = Service::new();
    service
        .ask(ask("GET", "/api/client-secrets/typed-by-someone"))
        .await;
    service.ask(ask("GET", "/typed/by/someone")).await;
    service
        .ask(ask(
            Method::from_bytes(b"TYPED").unwrap().as_str(),
            "/livez",
        ))
        .await;
    let page = service.ask_admin(empty(get("/metrics"))).await.text();
    assert!(
        page.contains(r#"route="/api/client-secrets/{id}",status="401""#),
        "{page}"
    );
    assert!(page.contains(r#"route="(none)",status="404""#), "{page}");
    assert!(!page.to_lowercase().contains("typed"), "{page}");
}
