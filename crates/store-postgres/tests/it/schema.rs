//! Migrations: by one at a time, once, and with newer ones beside.

use hallpass_core::{
    grant::GrantState,
    ids::{GrantId, LineageId, SessionId, Subject},
    ports::{GrantFilter, Grants},
};
use hallpass_store_postgres::{Database, OpenError, PgGrants};
use hallpass_testkit::{clock::moment, contract::grants::grant, postgres::database};

use crate::support::{fresh, settings};

#[tokio::test]
async fn of_many_that_start_together_one_migrates() {
    let kept = database();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let url = kept.url();
            tokio::spawn(async move {
                let database = Database::connect(settings(&url)).await.unwrap();
                database.migrate().await.unwrap()
            })
        })
        .collect();
    let mut worked = 0;
    for start in starts {
        let migrated = start.await.unwrap();
        worked += usize::from(!migrated.applied.is_empty());
        assert!(migrated.version >= 1);
    }
    assert_eq!(worked, 1);
}

#[tokio::test]
async fn a_newer_database_is_used_as_it_is() {
    let (database, kept) = fresh().await;
    let _ = kept.run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of a later release', true, '\\x00', 0)",
    );
    let migrated = database.migrate().await.unwrap();
    assert_eq!((migrated.applied.len(), migrated.version), (0, 9999));
}

#[tokio::test]
async fn a_migration_that_was_edited_is_refused() {
    let (database, kept) = fresh().await;
    let _ = kept.run("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1");
    let error = database.migrate().await.unwrap_err();
    assert!(matches!(error, OpenError::Migrate(_)), "{error}");
}

/// No list walks the whole table: with many grants there, what the planner
/// chooses names an index.
#[tokio::test]
async fn every_list_of_grants_has_its_index() {
    let (database, kept) = fresh().await;
    let _ = kept.run(
        "INSERT INTO grants (id, lineage, state, subject, credential, profile, session_id, mode, \
         created_at, expires_at, refresh_after, due_at, secret_last4, secret_hash, request_id) \
         SELECT 'gr_' || lpad(to_hex(n), 32, '0'), 'ln_' || lpad(to_hex(n), 32, '0'), \
         CASE n % 1000 WHEN 0 THEN 0 ELSE 2 END, 'user-' || n % 5000, 'app', 'interview', \
         'i-' || n % 7000, 'direct', 1800000000000 + n, 1800000060000 + n, 1800000048000 + n, \
         CASE n % 1000 WHEN 0 THEN 1800000060000 + n END, 'wxyz', '', 'req' \
         FROM generate_series(1, 50000) AS n; ANALYZE grants",
    );
    let scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'grants'";
    let before = kept.run(scans);
    let at = moment(1_800_000_020);
    let all = GrantFilter {
        limit: 50,
        ..GrantFilter::default()
    };
    let filters = [
        all.clone(),
        GrantFilter {
            subject: Some(Subject::new("user-7").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            session_id: Some(SessionId::new("i-7").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            lineage: Some(LineageId::from_random([0; 16])),
            ..all.clone()
        },
        GrantFilter {
            state: Some((GrantState::Active, at)),
            ..all.clone()
        },
        GrantFilter {
            before: Some((at, GrantId::from_random([1; 16]))),
            ..all
        },
    ];
    let grants = PgGrants::new(database.clone());
    for filter in &filters {
        grants.list(filter).await.unwrap();
    }
    grants.find(&grant(1, 0).id).await.unwrap();
    grants.expire(at, 100).await.unwrap();
    grants.prune(moment(1_700_000_000), 100).await.unwrap();
    // What a connection counted is there for others once it is closed.
    database.close().await;
    assert_eq!(kept.run(scans), before, "no question read the whole table");
}
