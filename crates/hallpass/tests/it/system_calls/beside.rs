//! Calls that fail beside the trail: nothing is held up, nothing is lost.

use rustix::{io::Errno, process::Signal};
use serde_json::json;

use super::{Victim, upstream};
use crate::support::{Fault, post, send};

fn fault(call: &'static str, path: &'static str, error: impl Into<Option<Errno>>) -> Fault {
    Fault {
        call,
        path,
        error: error.into(),
        skip: 0,
        times: 1,
    }
}

/// Waits until the fault came to pass, minting on.
async fn mint_until_failed(victim: &Victim, fault: Fault) {
    victim.shim.fail(fault);
    let started = std::time::Instant::now();
    while victim.shim.failed() == 0 {
        let (_, refused) = victim.mint_many(1, 4).await;
        assert_eq!(refused, 0, "{fault:?}");
        assert!(started.elapsed().as_secs() < 15, "{fault:?}");
    }
    victim.shim.calm();
}

#[tokio::test]
async fn checkpoints_and_indexes_that_can_not_be_kept_are_made_again() {
    let (sim, key) = upstream();
    let mut victim = Victim::start(&sim, &key);
    let faults = [
        fault("create", "/checkpoints.ndjson$", Errno::IO),
        fault("write", "/checkpoints.ndjson$", Errno::NOSPC),
        fault("write", "/checkpoints.ndjson$", None),
        fault("create", ".index.new$", Errno::NOSPC),
        fault("fsync", ".index.new$", Errno::IO),
        fault("rename", ".hashes$", Errno::ROFS),
    ];
    for fault in faults {
        mint_until_failed(&victim, fault).await;
    }
    assert!(victim.serve.process.end(Signal::INT).success());
    let verified = victim.site.trail().verified();
    assert_eq!(verified["verdict"], "whole");
    // The last is made at the end, over everything but the record of the end.
    assert!(verified["checkpoints"].as_u64().unwrap() > 2, "{verified}");
    victim.serve = crate::support::Serve::start(&victim.site);
}

/// A revocation is answered only when it is on disk.
#[tokio::test]
async fn a_revocation_that_can_not_be_kept_is_not_answered_as_done() {
    let (sim, key) = upstream();
    let mut victim = Victim::start(&sim, &key);
    victim.serve.process.kill_9();
    let operator = victim.site.api_key("operator", "adm");
    victim.start_again();
    let client = victim.serve.client.clone();
    let url = victim.serve.admin_url("/api/admin/revocations");
    let body = json!({ "kind": "subject", "target": "user-1", "reason": "a test" });
    for (call, error) in [("pwrite", Errno::IO), ("pwrite", Errno::NOSPC)] {
        victim.shim.fail(Fault {
            times: i32::MAX,
            ..fault(call, "/hallpass.db-wal$", error)
        });
        let answer = send(post(&client, &url, &operator, &body)).await;
        assert_eq!((answer.status, &*answer.code()), (503, "store_unavailable"));
        assert!(victim.shim.failed() > 0);
        victim.shim.calm();
        assert_eq!(victim.mint().await.status, 201, "not in force, not half");
    }
    let added = send(post(&client, &url, &operator, &body)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(victim.mint().await.status, 403);
    victim.restart();
    assert_eq!(victim.mint().await.status, 403);
}
