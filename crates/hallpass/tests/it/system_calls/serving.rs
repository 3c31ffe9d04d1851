//! Calls that fail while secrets are minted.

use rustix::{io::Errno, process::Signal};

use super::{DISK, Victim, upstream};
use crate::support::{Fault, Run, Stream, binary, send};

/// The segment that is written.
const SEGMENT: &str = ".jsonl$";

/// The journal, where records are durable first.
const JOURNAL: &str = "/trail.journal$";

fn fault(call: &'static str, error: impl Into<Option<Errno>>, skip: i32) -> Fault {
    Fault {
        call,
        path: SEGMENT,
        error: error.into(),
        skip,
        times: 1,
    }
}

fn in_journal(call: &'static str, error: impl Into<Option<Errno>>, skip: i32) -> Fault {
    Fault {
        path: JOURNAL,
        ..fault(call, error, skip)
    }
}

/// The server stops issuing, tells what to do, and loses nothing.
async fn assert_survived(fault: Fault) {
    let (sim, key) = upstream();
    let mut victim = Victim::start(&sim, &key);
    let (mut held, _) = victim.mint_many(1, 2).await;
    victim.shim.fail(fault);
    // As many as make a segment full, so that the next one is begun.
    let (more, refused) = victim.mint_many(6, 6).await;
    held.extend(more);
    assert!(victim.shim.failed() > 0, "{fault:?} never came to pass");
    assert!(refused > 0, "{fault:?}");
    victim.shim.calm();
    assert_closed(&victim, fault).await;
    assert_ends(&mut victim, fault);
    victim.serve = crate::support::Serve::start(&victim.site);
    assert_eq!(victim.site.trail().verified()["verdict"], "whole");
    victim.assert_recorded(&held);
    let (after, refused) = victim.mint_many(1, 2).await;
    assert_eq!((after.len(), refused), (2, 0), "{fault:?}");
}

/// Nothing is issued and OpenAI not asked, though the disk is well again.
async fn assert_closed(victim: &Victim, fault: Fault) {
    let before = victim.minted_upstream().await;
    let (held, refused) = victim.mint_many(1, 3).await;
    assert_eq!((held.len(), refused), (0, 3), "{fault:?}");
    assert_eq!(victim.minted_upstream().await, before, "{fault:?}");
    let get = |url: String| send(victim.serve.client.get(url));
    assert_eq!(get(victim.serve.url("/readyz")).await.status, 503);
    assert_eq!(get(victim.serve.url("/livez")).await.status, 200);
    let metrics = get(victim.serve.admin_url("/metrics")).await.text;
    assert!(metrics.contains("hallpass_audit_writable 0"), "{fault:?}");
}

/// It ends when told, and says what to do; `verify` passes or names the tail.
fn assert_ends(victim: &mut Victim, fault: Fault) {
    let status = victim.serve.process.end(Signal::INT);
    assert_eq!(status.code(), Some(1), "{fault:?}");
    let said = victim.serve.process.text(Stream::Err);
    let todo = "Free or repair the disk, run `hallpass audit verify`, then restart the server.";
    assert!(said.contains(todo), "{fault:?}: {said}");
    assert!(said.contains("the server's end is not recorded"), "{said}");
    let trail = victim.site.trail();
    let last = trail.lines().len();
    let mut verify = binary();
    verify.args(["audit", "verify"]).arg(trail.dir());
    let verified = Run::of(verify, "");
    let named = verified.err.contains(&format!("record {last} in trail-"));
    assert!(verified.code == 0 || named, "{fault:?}: {}", verified.err);
}

#[tokio::test]
async fn each_write_that_fails_closes_the_trail() {
    // The intent's, the outcome's, and one among many.
    for (error, skip) in [(Errno::IO, 0), (Errno::NOSPC, 1), (Errno::ROFS, 5)] {
        assert_survived(fault("write", error, skip)).await;
        assert_survived(in_journal("pwrite", error, skip)).await;
    }
}

#[tokio::test]
async fn each_sync_that_fails_closes_the_trail() {
    for (error, skip) in [(Errno::IO, 0), (Errno::NOSPC, 1), (Errno::ROFS, 5)] {
        assert_survived(in_journal("fdatasync", error, skip)).await;
    }
    // The segment's own, when the next one begins.
    assert_survived(fault("fdatasync", Errno::IO, 0)).await;
}

#[tokio::test]
async fn each_step_of_a_new_segment_that_fails_closes_the_trail() {
    for error in DISK {
        assert_survived(fault("create", error, 0)).await;
        let folder = Fault {
            path: "/audit$",
            ..fault("fsync", error, 0)
        };
        assert_survived(folder).await;
    }
}

#[tokio::test]
async fn a_disk_that_stays_full_closes_the_trail() {
    let full = Fault {
        times: i32::MAX,
        ..fault("write", Errno::NOSPC, 2)
    };
    assert_survived(full).await;
}

/// Signals, and writes that take half of the bytes, are gone on from; a
/// descriptor that fails to close was synced before.
#[tokio::test]
async fn what_can_be_gone_on_from_is_gone_on_from() {
    let (sim, key) = upstream();
    let mut victim = Victim::start(&sim, &key);
    let (mut held, mut seen) = (Vec::new(), 0);
    let passing = [
        fault("write", Errno::INTR, 0),
        fault("write", None, 0),
        fault("write", None, 3),
        fault("fdatasync", Errno::INTR, 0),
        in_journal("fdatasync", Errno::INTR, 0),
        in_journal("pwrite", Errno::INTR, 0),
        in_journal("pwrite", None, 1),
        fault("create", Errno::INTR, 0),
        fault("close", Errno::IO, 0),
    ];
    for fault in passing {
        victim.shim.fail(fault);
        let (more, refused) = victim.mint_many(6, 6).await;
        assert_eq!(refused, 0, "{fault:?}");
        assert_eq!(victim.shim.failed(), 1, "{fault:?}");
        held.extend(more);
        seen += 1;
    }
    assert_eq!(held.len(), seen * 36);
    assert!(victim.serve.process.end(Signal::INT).success());
    assert_eq!(victim.site.trail().verified()["verdict"], "whole");
    victim.assert_recorded(&held);
}
