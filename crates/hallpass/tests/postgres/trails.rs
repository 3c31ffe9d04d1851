//! The trails of all replicas, searched in one place.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::replicas::House;
use crate::support::{Run, binary};

#[tokio::test]
async fn records_of_every_replica_are_found_wherever_one_asks() {
    let house = House::open();
    let (a, b) = (
        house.shared.start(house.first.clone()),
        house.shared.node("b"),
    );
    let mut minted = BTreeSet::new();
    for node in [&a, &b] {
        let answer = node.mint(&house.service, &json!({})).await;
        minted.insert(answer.json()["id"].as_str().unwrap().to_owned());
    }
    let path = "/api/admin/audit?subject=service&action=grant.create&outcome=success";
    let found = loop {
        let page = b.admin(&house.operator, path).await.json();
        let found = page["data"].as_array().unwrap().clone();
        if found.len() >= 2 {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let replicas: BTreeSet<&str> = found
        .iter()
        .map(|it| it["replica"].as_str().unwrap())
        .collect();
    assert_eq!(replicas, BTreeSet::from(["a", "b"]));

    let search = |arguments: &[&str]| -> Vec<Value> {
        let mut command = binary();
        command.args(["audit", "search", "--json", "--action", "grant.create"]);
        command.args(["--outcome", "success"]).args(arguments);
        command.env("HALLPASS_AUDIT_STORE", house.shared.database.url());
        Run::of(command, "").json_lines()
    };
    assert_eq!(search(&[]).len(), 2);
    let own = search(&["--replica", "a"]);
    assert_eq!((own.len(), &own[0]["replica"]), (1, &json!("a")));
    for id in &minted {
        assert_eq!(search(&["--grant", id]).len(), 1);
    }
    // A restart sends nothing twice, and each trail is whole by itself.
    drop(a);
    let again = house.shared.start(house.first.clone());
    again.mint(&house.service, &json!({})).await;
    while search(&["--replica", "a"]).len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT (replica, sequence)) FROM audit_records";
    assert_eq!(house.shared.database.run(twice), "0");
    let gaps = "SELECT COUNT(*) - MAX(sequence) - 1 FROM audit_records GROUP BY replica";
    let gaps = house.shared.database.run(gaps);
    assert!(gaps.lines().all(|gap| gap == "0"), "{gaps}");
    assert_eq!(again.site.trail().verified()["verdict"], "whole");
}
