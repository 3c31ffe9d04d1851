//! Probes, metrics and documents.

use hallpass_core::audit::Phase;

use crate::service::{Service, assert_shown, empty, get};

#[tokio::test]
async fn probes_answer_on_both_listeners() {
    let service = Service::new();
    for path in ["/livez", "/readyz"] {
        assert_eq!(service.ask(empty(get(path))).await.json()["status"], "ok");
        assert_eq!(
            service.ask_admin(empty(get(path))).await.json()["status"],
            "ok"
        );
    }
    assert_shown("health", service.ask(empty(get("/health"))).await.show());
}

#[tokio::test]
async fn a_server_that_can_t_record_is_alive_and_not_ready() {
    let service = Service::new();
    service.world.audit.lose(Phase::Intent);
    assert_eq!(service.ask(empty(get("/livez"))).await.status, 200);
    let ready = service.ask(empty(get("/readyz"))).await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["status"], "audit trail unwritable");
    let health = service.ask(empty(get("/health"))).await.json();
    assert_eq!(health["audit"]["writable"], false);
}

#[tokio::test]
async fn a_server_that_is_stopping_is_not_ready() {
    let service = Service::new();
    service.app.drain();
    let ready = service.ask(empty(get("/readyz"))).await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["status"], "draining");
}

#[tokio::test]
async fn metrics_are_on_the_admin_listener_alone() {
    let service = Service::new();
    assert_eq!(service.ask(empty(get("/metrics"))).await.status, 404);
    let page = service.ask_admin(empty(get("/metrics"))).await;
    assert_eq!(
        page.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(page.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_page_of_errors_has_every_code() {
    let page = Service::new().ask(empty(get("/docs/errors"))).await.text();
    for code in hallpass_core::code::Code::all() {
        assert!(page.contains(&format!("<tr id=\"{code}\">")), "{code}");
    }
}

#[tokio::test]
async fn the_documents_pages_need_nothing_from_elsewhere() {
    let service = Service::new();
    let page = service.ask(empty(get("/docs/"))).await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("://"), "{}", page.text());
}
