//! What goes wrong, one after the other.
use std::{net::SocketAddr, time::Duration};

use anyhow::Result;

use crate::ask;

const FAULTS: &str = "/_sim/faults";

/// Each is in force for a part of its period; then all is well for the rest.
const KINDS: &[&str] = &[
    r#""kind":"status","status":500"#,
    r#""kind":"reset""#,
    r#""kind":"status","status":429,"headers":{"retry-after-ms":"100"}"#,
    r#""kind":"hang""#,
    r#""kind":"truncate""#,
    r#""kind":"status","status":503"#,
    r#""kind":"delay","delay_ms":400"#,
    r#""kind":"malformed""#,
    r#""kind":"status","status":401"#,
    r#""kind":"close""#,
    r#""kind":"status","status":500,"probability":0.3"#,
    r#""kind":"status","status":400"#,
];

/// Breaks the simulated OpenAI again and again, until dropped.
pub(super) async fn inject(upstream: SocketAddr, period: Duration) -> Result<()> {
    for kind in KINDS.iter().cycle() {
        tokio::time::sleep(period * 2 / 3).await;
        let fault = format!(r#"{{"route":"client_secrets",{kind}}}"#);
        ask::text(upstream, "POST", FAULTS, &fault).await?;
        tokio::time::sleep(period / 3).await;
        note(upstream).await?;
    }
    Ok(())
}

/// Ends all faults. How often they struck is in the simulator's log.
async fn note(upstream: SocketAddr) -> Result<()> {
    ask::text(upstream, "DELETE", FAULTS, "").await.map(drop)
}

/// Ends what is still in force; how many requests met a fault.
pub(super) async fn injected(upstream: SocketAddr) -> Result<u64> {
    note(upstream).await?;
    let log = ask::json(upstream, "GET", "/_sim/log?limit=100000", "").await?;
    let entries = log.as_array().map_or(&[][..], Vec::as_slice);
    let met = entries.iter().filter(|entry| !entry["fault"].is_null());
    Ok(met.count() as u64)
}
