//! Health and admin, asked while the server is busy.
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use tokio::time::{sleep, timeout};

use crate::ask;

/// The time between two probes.
const EVERY: Duration = Duration::from_millis(100);
/// How long an orchestrator waits for an answer, as a rule.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the probes were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Probes {
    pub(super) sent: u64,
    /// Not answered well within a second.
    pub(super) failed: u64,
    pub(super) slowest: Duration,
}

/// Probes both listeners while some work goes on.
pub(super) async fn beside<T>(
    work: impl Future<Output = Result<T>>,
    public: SocketAddr,
    admin: SocketAddr,
) -> Result<(T, Probes)> {
    let mut probes = Probes::default();
    let done = {
        let probing = async {
            loop {
                probes.ask(public, "/readyz").await;
                probes.ask(admin, "/metrics").await;
                sleep(EVERY).await;
            }
        };
        tokio::select! {
            done = work => done?,
            () = probing => bail!("the probes ended before the load"),
        }
    };
    Ok((done, probes))
}

impl Probes {
    async fn ask(&mut self, address: SocketAddr, path: &str) {
        let begun = Instant::now();
        let answer = timeout(PATIENCE, ask::text(address, "GET", path, "")).await;
        self.sent += 1;
        self.failed += u64::from(!matches!(answer, Ok(Ok(_))));
        self.slowest = self.slowest.max(begun.elapsed());
    }
}
