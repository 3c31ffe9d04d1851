//! Reading the trail through the API, which the trail records.

use hallpass_core::audit::Action;

use crate::service::{As, Service, empty, get};

#[tokio::test]
async fn pages_follow_each_other_and_each_reading_is_recorded() {
    let service = Service::new();
    let mut path = "/api/admin/audit?limit=4&action=grant.create".to_owned();
    let mut read = Vec::new();
    loop {
        let answer = service
            .ask_admin(empty(get(&path).by("eve operator")))
            .await;
        assert_eq!(answer.status, 200);
        let page = answer.json();
        let records = page["data"].as_array().unwrap();
        read.extend(records.iter().map(|record| record.as_u64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_u64() else {
            break;
        };
        path = format!("/api/admin/audit?limit=4&action=grant.create&cursor={cursor}");
    }
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    let events = service.world.audit.events();
    let readings = events
        .iter()
        .filter(|event| event.action == Action::AuditRead);
    let asked = readings.map(|event| event.facts.clone()).next().unwrap();
    assert!(asked.contains(&("action", "grant.create".to_owned())));
    assert!(asked.contains(&("count", "4".to_owned())));
}

#[tokio::test]
async fn what_is_not_understood_is_refused() {
    let service = Service::new();
    for (query, status) in [
        ("limit=0", 400),
        ("limit=1001", 400),
        ("outcome=maybe", 400),
        ("since=yesterday", 400),
        ("nonsense=1", 400),
        ("address=here", 400),
        ("subject=broken", 503),
        ("address=2001:db8::1&since=2026-11-01T00:00:00Z", 200),
    ] {
        let path = format!("/api/admin/audit?{query}");
        let answer = service
            .ask_admin(empty(get(&path).by("eve operator")))
            .await;
        assert_eq!(answer.status, status, "{query}");
        if status == 400 {
            let (name, _) = query.split_once('=').unwrap();
            assert_eq!(answer.json()["member"], name);
        }
    }
}
