//! A disk that neither does what it is told nor says that it can't.

use super::{Victim, upstream};
use crate::support::send;

#[tokio::test]
async fn a_disk_that_hangs_holds_nobody_and_is_forgiven() {
    let (sim, key) = upstream();
    let mut victim = Victim::start(&sim, &key);
    let (mut held, _) = victim.mint_many(1, 2).await;
    let before = victim.minted_upstream().await;

    // These wait for the disk until it counts as stalled, and no longer.
    victim.shim.hang("fdatasync", "/trail.journal$");
    let (none, refused) = victim.mint_many(1, 3).await;
    assert_eq!((none.len(), refused), (0, 3));
    let get = |url: String| send(victim.serve.client.get(url));
    assert_eq!(get(victim.serve.url("/readyz")).await.status, 503);
    assert_eq!(get(victim.serve.url("/livez")).await.status, 200);
    let metrics = get(victim.serve.admin_url("/metrics")).await.text;
    assert!(metrics.contains("hallpass_audit_writable 0"));
    // Who comes now is refused at once.
    let (none, refused) = victim.mint_many(2, 3).await;
    assert_eq!((none.len(), refused), (0, 6));
    assert_eq!(victim.minted_upstream().await, before, "nobody was asked");

    victim.shim.calm();
    victim.until_ready().await;
    let (more, refused) = victim.mint_many(1, 3).await;
    assert_eq!((more.len(), refused), (3, 0));
    held.extend(more);
    let status = victim.serve.process.end(rustix::process::Signal::INT);
    assert_eq!(status.code(), Some(0));
    assert_eq!(victim.site.trail().verified()["verdict"], "whole");
    victim.assert_recorded(&held);
    victim.assert_abandoned(9);
}
