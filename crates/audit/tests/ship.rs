//! Records sent elsewhere: all of them, in order, however the receiver behaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use hallpass_audit::{Receiver, Shipper, ShippingObserver, Trail, otlp_logs};
use hallpass_core::ports::AuditLog;
use serde_json::Value;
use support::{append_all, event, mint, open_hastily, quick_dir};
use tokio::sync::Notify;

/// Keeps what it is sent, and may fail first.
#[derive(Default)]
struct Keeping {
    lines: Mutex<Vec<String>>,
    refusals: AtomicU64,
    came: Notify,
}

#[async_trait]
impl Receiver for Keeping {
    async fn take(&self, lines: &[String]) -> Result<(), String> {
        self.lines.lock().unwrap().extend_from_slice(lines);
        self.came.notify_one();
        let refused = self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        refused.map_or(Ok(()), |_| Err("the answer was lost".to_owned()))
    }
}

/// Never answers.
struct Hanging(Notify);

#[async_trait]
impl Receiver for Hanging {
    async fn take(&self, _: &[String]) -> Result<(), String> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[derive(Default)]
struct Lag(AtomicU64);

impl ShippingObserver for Lag {
    fn lag(&self, records: u64) {
        self.0.store(records, Ordering::SeqCst);
    }

    fn failed(&self, _: &str) {}
}

fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["metadata"]["sequence"].as_u64().unwrap()
    };
    lines.iter().map(number).collect()
}

/// Ships until so many lines have come.
async fn ship_until(dir: &Path, trail: &Trail, receiver: &Keeping, count: usize) {
    let enough = async {
        while receiver.lines.lock().unwrap().len() < count {
            receiver.came.notified().await;
        }
        // The cursor is kept after the answer: the next round begins then.
        while !dir.join("ship-test.cursor").exists() {
            tokio::task::yield_now().await;
        }
    };
    let shipper = Shipper::open(dir, "test").unwrap();
    let lag = Lag::default();
    shipper.run(receiver, &trail.progress(), &lag, enough).await;
}

#[tokio::test]
async fn every_record_comes_in_order_over_segments_and_restarts() {
    let dir = quick_dir();
    support::trail_of(dir.path(), 12, 2500).await;
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let receiver = Keeping::default();
    ship_until(dir.path(), &trail, &receiver, 12).await;
    assert_eq!(
        numbers(&receiver.lines.lock().unwrap()),
        (0..12).collect::<Vec<_>>()
    );
    append_all(&trail, (12..15).map(event)).await;
    // Goes on after the cursor; a cut between answer and cursor sends again.
    let again = Keeping::default();
    ship_until(dir.path(), &trail, &again, 3).await;
    let came = numbers(&again.lines.lock().unwrap());
    assert!(came.ends_with(&[12, 13, 14]), "{came:?}");
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    append_all(&trail, (0..3).map(event)).await;
    let receiver = Keeping {
        refusals: AtomicU64::new(1),
        ..Keeping::default()
    };
    ship_until(dir.path(), &trail, &receiver, 6).await;
    assert_eq!(numbers(&receiver.lines.lock().unwrap()), [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_receiver_that_hangs_lags_and_holds_nobody_up() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let trail = Arc::new(trail);
    append_all(&trail, (0..3).map(event)).await;
    let hanging = Hanging(Notify::new());
    let lag = Lag::default();
    let shipper = Shipper::open(dir.path(), "hanging").unwrap();
    let appended = async {
        hanging.0.notified().await;
        append_all(&trail, (3..200).map(event)).await;
    };
    shipper
        .run(&hanging, &trail.progress(), &lag, appended)
        .await;
    assert_eq!(trail.progress().durable(), 200);
    assert_eq!(lag.0.load(Ordering::SeqCst), 3);
    assert!(trail.writable());
}

#[tokio::test]
async fn an_otlp_log_holds_the_record_as_it_stands() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let (intent, outcome) = mint();
    append_all(&trail, [intent, outcome]).await;
    let text = std::fs::read_to_string(&support::segments(dir.path())[0]).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let body: Value = serde_json::from_str(&otlp_logs(&lines, "1.2.3")).unwrap();
    let logs = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    for (log, line) in logs.as_array().unwrap().iter().zip(&lines) {
        assert_eq!(log["body"]["stringValue"], line.as_str());
        assert_eq!(log["timeUnixNano"], "1795000000123000000");
        assert_eq!(
            (&log["severityNumber"], &log["severityText"]),
            (&9.into(), &"INFO".into())
        );
        let attributes = log["attributes"].to_string();
        assert!(attributes.contains("grant.create") && attributes.contains("user-42"));
    }
}
