//! Alerts over HTTP: pages, filters, acknowledgement.

use hallpass_core::{
    Timestamp,
    alert::{Alert, AlertBook, AlertId, Cause, Fingerprint, Rule, RuleKind},
};

use crate::service::{As, Service, empty, get, json, post};

fn alert(number: u8, kind: RuleKind) -> Alert {
    let rule = Rule::standard(kind);
    let cause = Cause::from([("about".to_owned(), number.to_string())]);
    let begun = Timestamp::from_second(1_800_000_000 + i64::from(number)).unwrap();
    Alert {
        id: AlertId::from_random([number; 16]),
        fingerprint: Fingerprint::of(&rule.name, &cause),
        rule: rule.name.clone(),
        kind,
        severity: rule.severity,
        cause,
        summary: "It happened <b>here</b>".to_owned(),
        value: 1.0,
        threshold: 1.0,
        started_at: begun,
        last_seen_at: begun,
        ended_at: None,
        acknowledged: None,
    }
}

async fn with_alerts() -> Service {
    let service = Service::new();
    let mut ended = alert(1, RuleKind::TokensPerUser);
    ended.ended_at = Some(ended.started_at);
    let all = [
        ended,
        alert(2, RuleKind::BreakerOpen),
        alert(3, RuleKind::KeyInClientCode),
    ];
    service.alerts.keep(&all, &[]).await.unwrap();
    service
}

async fn page(service: &Service, query: &str) -> serde_json::Value {
    let request = get(&format!("/api/admin/alerts{query}")).by("alice operator");
    let answer = service.ask_admin(empty(request)).await;
    assert_eq!(answer.status, 200, "{query} {}", answer.text());
    answer.json()
}

fn rules(page: &serde_json::Value) -> Vec<&str> {
    let data = page["data"].as_array().unwrap().iter();
    data.map(|alert| alert["rule"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn alerts_are_told_newest_first_by_filter_and_page() {
    let service = with_alerts().await;
    let all = page(&service, "").await;
    assert_eq!(
        rules(&all),
        ["key_in_client_code", "breaker_open", "tokens_per_user"]
    );
    assert_eq!(all["active"]["critical"], 1);
    assert_eq!(all["active"]["info"], 0, "it ended");
    assert_eq!(all["data"][2]["state"], "ended");
    assert!(all["data"][0]["remedy"].as_str().unwrap().len() > 20);
    let first = page(&service, "?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = page(&service, &format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(rules(&second), ["tokens_per_user"]);
    assert!(second.get("next_cursor").is_none());
    let active = page(&service, "?state=active&severity=critical").await;
    assert_eq!(rules(&active), ["key_in_client_code"]);
    for name in ["state", "limit", "cursor", "severity", "since", "x"] {
        let path = format!("/api/admin/alerts?{name}=dead");
        let request = get(&path).by("alice operator");
        let answer = service.ask_admin(empty(request)).await;
        assert_eq!(answer.status, 400, "{name}");
        assert_eq!(answer.json()["member"], name);
    }
}

#[tokio::test]
async fn whoever_acknowledges_first_stays_and_is_recorded() {
    let service = with_alerts().await;
    let path = format!(
        "/api/admin/alerts/{}/acknowledge",
        AlertId::from_random([2; 16])
    );
    let seen = |who: &'static str, note: &'static str| {
        let body = serde_json::json!({ "note": note }).to_string();
        json(post(&path).by(who), body)
    };
    let answer = service.ask_admin(seen("alice operator", "looking")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["acknowledged"]["by"], "alice");
    let again = service.ask_admin(seen("bob operator", "me too")).await;
    assert_eq!(again.json()["acknowledged"]["note"], "looking");
    let listed = page(&service, "?rule=breaker_open").await;
    assert_eq!(listed["data"][0]["acknowledged"]["by"], "alice");
    let unknown = post("/api/admin/alerts/al_none/acknowledge").by("alice operator");
    assert_eq!(service.ask_admin(json(unknown, "{}")).await.status, 404);
}
