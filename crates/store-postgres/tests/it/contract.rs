//! The PostgreSQL store holds the contracts of its ports.

use std::sync::Arc;

use hallpass_testkit::postgres::TestDatabase;

use crate::support::{fresh as database, replica};

mod keys {
    use hallpass_store_postgres::PgKeys;

    use super::*;

    async fn fresh() -> (PgKeys, TestDatabase) {
        let (database, kept) = database().await;
        (PgKeys::load(database).await.unwrap(), kept)
    }

    hallpass_testkit::keys_contract!(fresh);
}

mod grants {
    use hallpass_store_postgres::PgGrants;

    use super::*;

    async fn fresh() -> (PgGrants, TestDatabase) {
        let (database, kept) = database().await;
        (PgGrants::new(database), kept)
    }

    hallpass_testkit::grants_contract!(fresh);
}

mod revocations {
    use hallpass_store_postgres::PgRevocations;

    use super::*;

    async fn fresh() -> (PgRevocations, TestDatabase) {
        let (database, kept) = database().await;
        (PgRevocations::load(database).await.unwrap(), kept)
    }

    hallpass_testkit::revocations_contract!(fresh);
}

mod interviews {
    use hallpass_core::interview::Interviews;
    use hallpass_store_postgres::PgInterviews;

    use super::*;

    async fn fresh() -> (Arc<dyn Interviews>, TestDatabase) {
        let (database, kept) = database().await;
        (Arc::new(PgInterviews::new(database)), kept)
    }

    hallpass_testkit::interviews_contract!(fresh);
}

mod passes {
    use hallpass_core::pass::Passes;
    use hallpass_store_postgres::PgPasses;

    use super::*;

    async fn fresh() -> (Arc<dyn Passes>, TestDatabase) {
        let (database, kept) = database().await;
        let replica = replica(&database, "a").await;
        (Arc::new(PgPasses::new(database, &replica)), kept)
    }

    hallpass_testkit::passes_contract!(fresh);
}

mod usage {
    use hallpass_core::{Timestamp, usage::UsageLedger};
    use hallpass_store_postgres::PgUsage;

    use super::*;

    async fn fresh() -> (Arc<dyn UsageLedger>, TestDatabase) {
        let (database, kept) = database().await;
        let replica = replica(&database, "a").await;
        let today = hallpass_core::usage::day_of(Timestamp::UNIX_EPOCH);
        let ledger = PgUsage::load(database, &replica, today).await.unwrap();
        (Arc::new(ledger), kept)
    }

    hallpass_testkit::usage_contract!(fresh);
}

mod calls {
    use hallpass_core::call::StandingCalls;
    use hallpass_store_postgres::PgCalls;

    use super::*;

    async fn fresh() -> (Arc<dyn StandingCalls>, TestDatabase) {
        let (database, kept) = database().await;
        let replica = replica(&database, "a").await;
        (Arc::new(PgCalls::new(database, replica)), kept)
    }

    hallpass_testkit::calls_contract!(fresh);
}
