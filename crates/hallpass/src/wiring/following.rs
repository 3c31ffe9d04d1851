//! Following what other replicas do: calls whose replica died.

use std::{sync::Arc, time::Duration};

use hallpass_relay::call::CallDesk;
use hallpass_telemetry::Metrics;

use super::{life, lifecycle::Tasks};

/// How often it is looked whose calls nobody cares for.
const ADOPT_EVERY: Duration = Duration::from_secs(1);

const ADOPTION: &str = "call-adoption";

/// Starts taking over the calls of replicas that died.
pub(crate) fn calls(desk: &Arc<CallDesk>, metrics: &Arc<Metrics>, tasks: &Tasks) {
    let (desk, told) = (desk.clone(), metrics.clone());
    tasks.spawn(ADOPTION, |stop| {
        life::every(ADOPT_EVERY, ADOPTION, told, stop, move || {
            let desk = desk.clone();
            async move {
                let orphans = desk.take_over().await?;
                if orphans > 0 {
                    tracing::warn!(orphans, "taking over calls of a replica that died");
                }
                Ok(())
            }
        })
    });
}
