//! Who is told of attempts and breakers.

use std::{sync::Arc, time::Duration};

use hallpass_core::code::Code;

use crate::breaker::BreakerState;

/// A breaker that changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerChange {
    /// The upstream's name in the configuration.
    pub upstream: Arc<str>,
    /// The standard key's public mark.
    pub key: Arc<str>,
    /// The state before.
    pub from: BreakerState,
    /// The state now.
    pub to: BreakerState,
    /// The code of the failure that opened it.
    pub cause: Option<Code>,
    /// Whether an operator wanted it so.
    pub forced: bool,
    /// How long it stays open, where that is certain.
    pub open_for: Option<Duration>,
}

/// Is told what a pool does; must not block.
pub trait PoolObserver: Send + Sync {
    /// An attempt ended: "success", or the code of its failure.
    fn attempted(&self, upstream: &str, outcome: &'static str, duration: Duration);

    /// A breaker changed its state.
    fn breaker_changed(&self, change: &BreakerChange);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl PoolObserver for Unobserved {
    fn attempted(&self, _: &str, _: &'static str, _: Duration) {}

    fn breaker_changed(&self, _: &BreakerChange) {}
}
