//! The SQLite store holds the contracts of its ports.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::sync::Arc;

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantEvent},
    ids::GrantId,
    ports::{GrantFilter, Grants, StoreError, Withdrawn},
    revocation::Scope,
};
use hallpass_store_sqlite::{
    Database, Flusher, Progress, SqliteGrants, SqliteKeys, SqliteRevocations,
};
use tempfile::TempDir;

async fn database() -> (Database, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("hallpass.db")).await;
    (database.unwrap(), dir)
}

mod keys {
    use super::*;

    async fn fresh() -> (SqliteKeys, TempDir) {
        let (database, dir) = database().await;
        (SqliteKeys::load(database).await.unwrap(), dir)
    }

    hallpass_testkit::keys_contract!(fresh);
}

mod revocations {
    use super::*;

    async fn fresh() -> (SqliteRevocations, TempDir) {
        let (database, dir) = database().await;
        (SqliteRevocations::load(database).await.unwrap(), dir)
    }

    hallpass_testkit::revocations_contract!(fresh);
}

mod alerts {
    use hallpass_store_sqlite::SqliteAlerts;

    use super::*;

    async fn fresh() -> (Arc<SqliteAlerts>, TempDir) {
        let (database, dir) = database().await;
        (Arc::new(SqliteAlerts::new(database)), dir)
    }

    hallpass_testkit::alerts_contract!(fresh);
}

mod passes {
    use hallpass_core::pass::{PassRecord, Passes, Spent};
    use hallpass_store_sqlite::SqlitePasses;

    use super::*;

    async fn fresh() -> (Arc<dyn Passes>, TempDir) {
        let (database, dir) = database().await;
        (Arc::new(SqlitePasses::new(database)), dir)
    }

    hallpass_testkit::passes_contract!(fresh);

    #[tokio::test]
    async fn a_spent_pass_stays_spent_over_a_restart() {
        let (database, dir) = database().await;
        let pass = PassRecord {
            grant: GrantId::from_random([1; 16]),
            hash: hallpass_core::hash::KeyedHash::from_bytes([1; 32]),
            role: hallpass_core::ids::RoleName::new("candidate").unwrap(),
            session: "{}".to_owned(),
            expires_at: Timestamp::from_second(1_800_000_000).unwrap(),
        };
        let passes = SqlitePasses::new(database.clone());
        passes.keep(&pass).await.unwrap();
        assert_eq!(passes.spend(&pass.grant).await.unwrap(), Spent::First);
        database.close().await;
        let again = Database::open(&dir.path().join("hallpass.db"))
            .await
            .unwrap();
        let spent = SqlitePasses::new(again).spend(&pass.grant).await.unwrap();
        assert_eq!(spent, Spent::Again);
    }
}

mod interviews {
    use hallpass_core::interview::Interviews;
    use hallpass_store_sqlite::SqliteInterviews;

    use super::*;

    async fn fresh() -> (Arc<dyn Interviews>, TempDir) {
        let (database, dir) = database().await;
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let interviews = SqliteInterviews::load(database, start).await;
        (Arc::new(interviews.unwrap()), dir)
    }

    hallpass_testkit::interviews_contract!(fresh);
}

mod usage {
    use hallpass_core::usage::UsageLedger;
    use hallpass_store_sqlite::SqliteUsage;

    use super::*;

    async fn fresh() -> (Arc<dyn UsageLedger>, TempDir) {
        let (database, dir) = database().await;
        let today = hallpass_core::usage::day_of(Timestamp::UNIX_EPOCH);
        let ledger = SqliteUsage::load(database, today).await.unwrap();
        (Arc::new(ledger), dir)
    }

    hallpass_testkit::usage_contract!(fresh);
}

mod calls {
    use hallpass_core::call::StandingCalls;
    use hallpass_store_sqlite::SqliteCalls;
    use hallpass_testkit::contract::calls::call;

    use super::*;

    async fn fresh() -> (Arc<dyn StandingCalls>, TempDir) {
        let (database, dir) = database().await;
        (Arc::new(SqliteCalls::new(database)), dir)
    }

    hallpass_testkit::calls_contract!(fresh);

    #[tokio::test]
    async fn a_kept_call_is_there_after_a_restart() {
        let (database, dir) = database().await;
        let calls = SqliteCalls::new(database.clone());
        calls.keep(&call(1)).await.unwrap();
        database.close().await;
        let again = Database::open(&dir.path().join("hallpass.db"))
            .await
            .unwrap();
        assert_eq!(SqliteCalls::new(again).all().await.unwrap(), [call(1)]);
    }
}

/// Grants that wait in memory, none of them in the file.
mod waiting_grants {
    use super::*;

    async fn fresh() -> (SqliteGrants, TempDir) {
        let (database, dir) = database().await;
        (SqliteGrants::new(database), dir)
    }

    hallpass_testkit::grants_contract!(fresh);
}

/// Grants of which every second is in the file.
mod settled_grants {
    use super::*;

    /// Flushes before every second grant.
    struct HalfSettled {
        grants: Arc<SqliteGrants>,
        flusher: Flusher,
    }

    struct Nothing;

    impl Progress for Nothing {
        fn next_sequence(&self) -> u64 {
            0
        }
    }

    #[async_trait]
    impl Grants for HalfSettled {
        async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError> {
            if self.grants.waiting() > 0 {
                self.grants.record(grant).await?;
                return self.flusher.flush().await;
            }
            self.grants.record(grant).await
        }

        async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
            self.grants.find(id).await
        }

        async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
            self.grants.list(filter).await
        }

        async fn apply(
            &self,
            id: &GrantId,
            event: GrantEvent,
        ) -> Result<Option<Grant>, StoreError> {
            self.grants.apply(id, event).await
        }

        async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError> {
            self.grants.supersede(id, successor).await
        }

        async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError> {
            self.grants.withdraw(scope, now).await
        }

        async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
            self.grants.expire(now, limit).await
        }

        async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
            self.grants.prune(before, limit).await
        }
    }

    async fn fresh() -> (HalfSettled, TempDir) {
        let (database, dir) = database().await;
        let grants = Arc::new(SqliteGrants::new(database));
        let flusher = Flusher::new(grants.clone(), Arc::new(Nothing));
        (HalfSettled { grants, flusher }, dir)
    }

    hallpass_testkit::grants_contract!(fresh);
}
