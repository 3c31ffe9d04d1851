//! Calls: the pool makes them, the store keeps them until they are over.

use std::{sync::Arc, time::Duration};

use hallpass_core::{call::StandingCalls, pipeline::Broker, ports::Clock};
use hallpass_relay::{
    call::{CallDesk, CallParts, Patience},
    meter::Prices,
};
use hallpass_upstream::Pool;

use crate::cli::Stop;

/// How long making a call may take; an upstream's own timeout is shorter.
const MAKE: Duration = Duration::from_secs(15);

/// A desk that has taken over what earlier processes left standing.
pub(crate) async fn desk(
    broker: Arc<Broker>,
    pool: Arc<Pool>,
    standing: Arc<dyn StandingCalls>,
    clock: Arc<dyn Clock>,
    prices: Arc<Prices>,
) -> Result<Arc<CallDesk>, Stop> {
    let desk = CallDesk::new(CallParts {
        broker,
        maker: pool,
        standing,
        clock,
        prices,
        deadline: MAKE,
        patience: Patience::default(),
    });
    let orphans = desk.take_over().await?;
    if orphans > 0 {
        tracing::warn!(orphans, "taking over calls an earlier process left behind");
    }
    Ok(desk)
}
