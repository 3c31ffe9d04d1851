//! What every form of a port must hold to.

pub mod alerts;
pub mod calls;
pub mod grants;
pub mod interviews;
pub mod keys;
pub mod leases;
pub mod passes;
pub mod quotas;
pub mod revocations;
pub mod usage;

/// Tests that run one check each. For the suites' own macros.
#[macro_export]
#[doc(hidden)]
macro_rules! checks {
    ($suite:ident, $fresh:path, $($check:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $check() {
                let (store, _kept) = $fresh().await;
                $crate::contract::$suite::$check(&store).await;
            }
        )+
    };
}
