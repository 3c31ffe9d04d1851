//! Every record sent on, at least once, and nothing held up by a receiver.

use std::{collections::BTreeMap, time::Duration};

use super::{Place, json_of, until};
use crate::support::{
    Stream,
    receiver::{Mood, Receiver},
};

/// The records in some bodies of OTLP logs, by their number.
fn shipped(bodies: &[String]) -> BTreeMap<u64, String> {
    let logs = bodies.iter().flat_map(|body| {
        let body = json_of(body);
        let logs = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
        logs.as_array().unwrap().clone()
    });
    let line = |log: serde_json::Value| {
        let line = log["body"]["stringValue"].as_str().unwrap().to_owned();
        (number(&line).unwrap(), line)
    };
    logs.map(line).collect()
}

fn number(line: &str) -> Option<u64> {
    json_of(line)["metadata"]["sequence"].as_u64()
}

/// Every record of the trail is there, byte for byte.
fn are_all(place: &Place, shipped: &BTreeMap<u64, String>) -> bool {
    let lines = place.site.trail().lines();
    shipped.values().eq(lines.iter())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_lags_and_gets_all_of_it_later_even_after_a_crash() {
    let receiver = Receiver::start(Mood::Hangs).await;
    let audit = format!("ship_to = [\"stdout\", \"{}/v1/logs\"]", receiver.url);
    let mut place = Place::start(&audit, |_| {});
    receiver.asked(1).await;
    let minting = tokio::time::timeout(Duration::from_secs(15), place.mint_times(20));
    minting.await.expect("nobody waits for the receiver");
    // The server adds records of its own (checkpoints, alerts), so that what
    // both have is asked until it is the same.
    until("standard output has every record", || {
        are_all(&place, &printed(&place))
    })
    .await;
    let started = std::time::Instant::now();
    while lag(&place).await < 20 {
        assert!(started.elapsed().as_secs() < 9, "it shows as lag");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // It ends while the receiver has nothing: the cursor did not move.
    place.restart();
    receiver.set(Mood::Refuses);
    receiver.asked(3).await;
    receiver.set(Mood::Takes);
    place.mint_times(5).await;
    let bodies = receiver
        .taken(|bodies| are_all(&place, &shipped(bodies)))
        .await;
    let lines = shipped(&bodies).len();
    let started = std::time::Instant::now();
    while lag(&place).await > 0 {
        assert!(started.elapsed().as_secs() < 10);
    }

    // What was taken is not sent from the beginning again.
    let cursor = place.site.trail().dir().join("ship-otlp-127-0-0-1.cursor");
    let kept = || std::fs::read_to_string(&cursor).ok()?.trim().parse().ok();
    until("the cursor", || kept() >= Some(lines)).await;
    place.restart();
    place.mint_times(1).await;
    let after = receiver
        .taken(|bodies| are_all(&place, &shipped(bodies)))
        .await;
    let again = shipped(&after[bodies.len()..]);
    assert_eq!(again.keys().next(), Some(&(lines as u64)));
}

/// The records the server printed so far, by their number.
fn printed(place: &Place) -> BTreeMap<u64, String> {
    let out = place.serve.process.text(Stream::Out);
    out.lines()
        .map(|it| (number(it).unwrap(), it.to_owned()))
        .collect()
}

/// How many records the receiver lags.
async fn lag(place: &Place) -> u64 {
    let metrics = place.metrics().await;
    let of_receiver = |line: &&str| {
        line.starts_with("hallpass_audit_shipping_lag_records{") && line.contains("otlp")
    };
    let line = metrics.lines().find(of_receiver).expect("the metric");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
