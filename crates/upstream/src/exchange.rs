//! One attempt at a mint, as those see it who decide about the next.

use std::{future::Future, time::Duration};

use hallpass_core::{
    audit::UpstreamFacts,
    ports::{MintOrder, MintedSecret},
};

use crate::failure::Failure;

/// Sends one request for an order.
pub(crate) trait Exchange: Send + Sync {
    /// Asks once; nothing runs after `deadline`.
    ///
    /// The order's own deadline is the whole mint's and is not looked at.
    fn exchange(
        &self,
        order: &MintOrder,
        deadline: Duration,
    ) -> impl Future<Output = Result<MintedSecret, (Failure, UpstreamFacts)>> + Send;

    /// The host it asks, and the port there.
    fn server(&self) -> (&str, u16) {
        ("", 0)
    }
}
