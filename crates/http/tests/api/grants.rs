//! Grants are read by their callers, and by operators.

use crate::service::{As, MINT, Service, assert_shown, empty, get, post};

/// A server that has issued grants to alice, bob, and alice again.
async fn issued() -> (Service, Vec<String>) {
    let service = Service::new();
    let mut ids = Vec::new();
    for who in ["alice candidate", "bob candidate", "alice candidate"] {
        let answer = service.ask(empty(post(MINT).by(who))).await;
        ids.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    (service, ids)
}

#[tokio::test]
async fn a_caller_lists_their_own_newest_first() {
    let (service, _) = issued().await;
    let answer = service
        .ask(empty(get("/api/client-secrets").by("alice reader")))
        .await;
    assert_shown("own_grants", answer.show());
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let (service, ids) = issued().await;
    let first = service
        .ask_admin(empty(get("/api/admin/grants?limit=2").by("eve operator")))
        .await;
    let first = first.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let path = format!("/api/admin/grants?limit=2&cursor={cursor}");
    let second = service
        .ask_admin(empty(get(&path).by("eve operator")))
        .await
        .json();
    assert!(second.get("next_cursor").is_none());
    let pages = [&first["data"], &second["data"]];
    let read = pages.iter().flat_map(|page| page.as_array().unwrap());
    let read: Vec<&str> = read.map(|grant| grant["id"].as_str().unwrap()).collect();
    let newest_first: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    assert_eq!(read, newest_first);
}

#[tokio::test]
async fn anothers_grant_looks_exactly_like_none() {
    let (service, ids) = issued().await;
    let show = async |id: &str| {
        let path = format!("/api/client-secrets/{id}");
        let request = get(&path).by("alice reader").header("x-request-id", "same");
        service.ask(empty(request)).await
    };
    let own = show(&ids[0]).await;
    assert_shown("own_grant", own.show());
    let others = show(&ids[1]).await;
    let none = show("gr_ffffffffffffffffffffffffffffffff").await;
    let odd = show("%00%0a").await;
    assert_shown("no_such_grant", others.show());
    assert_eq!(others.show(), none.show());
    assert_eq!(others.show(), odd.show());
}

#[tokio::test]
async fn an_operator_reads_anyones() {
    let (service, ids) = issued().await;
    let path = format!("/api/admin/grants/{}", ids[1]);
    let answer = service
        .ask_admin(empty(get(&path).by("eve operator")))
        .await;
    assert_eq!(answer.json()["subject"], "bob");
    let path = "/api/admin/grants?subject=bob";
    let answer = service.ask_admin(empty(get(path).by("eve operator"))).await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let (service, _) = issued().await;
    for (query, code, member) in [
        ("limit=0", "invalid_member", Some("limit")),
        ("limit=201", "invalid_member", Some("limit")),
        ("subject=bob", "invalid_member", Some("subject")),
        ("cursor=x", "invalid_member", Some("cursor")),
        (
            "cursor=99999999999999999999.gr_1",
            "invalid_member",
            Some("cursor"),
        ),
        ("session_id=", "invalid_member", Some("session_id")),
        ("limit=many", "invalid_member", Some("limit")),
        ("limit=-1", "invalid_member", Some("limit")),
        ("limit=2&limit=2", "invalid_member", Some("limit")),
        ("state=asleep", "invalid_member", Some("state")),
        ("page=2", "unknown_member", Some("page")),
    ] {
        let path = format!("/api/client-secrets?{query}");
        let answer = service.ask(empty(get(&path).by("alice reader"))).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.code(), code, "{query}");
        assert_eq!(answer.json()["member"].as_str(), member, "{query}");
    }
}

#[tokio::test]
async fn an_id_that_is_no_text_is_nobodys() {
    let (service, _) = issued().await;
    let own = [
        get("/api/client-secrets/gr_%ff"),
        post("/api/client-secrets/%c3%28/revoke"),
        post("/api/sessions/%80/renew"),
    ];
    for request in own {
        let answer = service.ask(empty(request.by("alice reader"))).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.code(), "not_found");
    }
    let request = get("/api/admin/interviews/%ff").by("eve operator");
    let answer = service.ask_admin(empty(request)).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.code(), "not_found");
}

#[tokio::test]
async fn reads_are_recorded_and_a_registry_that_is_away_is_a_503() {
    let (service, _) = issued().await;
    let before = service.world.audit.finals().len();
    service
        .ask(empty(get("/api/client-secrets").by("alice reader")))
        .await;
    service.world.grants.go_away();
    let answer = service
        .ask(empty(get("/api/client-secrets").by("alice reader")))
        .await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.code(), "store_unavailable");
    assert_eq!(service.world.audit.finals().len(), before + 2);
}
