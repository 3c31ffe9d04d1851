//! Usage of a file that an earlier release wrote.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path;

use hallpass_core::usage::{Account, Grouping, Source, Usage, UsageLedger, UsageQuery, UsageTotal};
use hallpass_store_sqlite::{Database, SqliteUsage};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

/// The migration that keeps usage by hour.
const BY_HOUR: i64 = 22;
const DAY: &str = "2026-11-22";

/// A file as the release before left it, with usage of a day.
async fn written_before(path: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    let mut migrator = sqlx::migrate!("./migrations");
    let known = migrator.migrations.iter();
    let known = known.filter(|migration| migration.version < BY_HOUR);
    migrator.migrations = known.cloned().collect();
    migrator.run(&mut file).await.unwrap();
    for (session, source, cost) in [("ls_1", "measured", 5), ("gr_1", "reported", 3)] {
        sqlx::query(
            "INSERT INTO usage VALUES (?, ?, 'user-1', 'candidate', 'interview', 'm', ?, \
             1, 0, 10, 0, 0, 0, 0, 0, 20, 0, 0, 1000, ?, 0)",
        )
        .bind(DAY)
        .bind(session)
        .bind(source)
        .bind(cost)
        .execute(&mut file)
        .await
        .unwrap();
    }
    file.close().await.unwrap();
}

#[tokio::test]
async fn usage_that_was_kept_by_day_is_told_by_its_day() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hallpass.db");
    written_before(&path).await;
    let database = Database::open(&path).await.unwrap();
    let day = DAY.parse().unwrap();
    let ledger = SqliteUsage::load(database, day).await.unwrap();
    let account = Account::Subject("user-1".to_owned().try_into().unwrap());
    let spent: Usage = ledger.spent(&account, day);
    assert_eq!((spent.cost.0, spent.tokens.output_text), (5, 20));
    let query = UsageQuery {
        from: Some(DAY.parse().unwrap()),
        to: Some(DAY.parse().unwrap()),
        by: vec![Grouping::Hour, Grouping::Mode],
        limit: 10,
        ..UsageQuery::default()
    };
    let totals = ledger.totals(&query).await.unwrap();
    let row = |it: &UsageTotal| (it.group.join(" "), it.source, it.usage.cost.0);
    let row_of = |name: &str, source, cost| (name.to_owned(), source, cost);
    assert_eq!(
        totals.groups.iter().map(row).collect::<Vec<_>>(),
        [
            row_of("2026-11-22 ", Source::Measured, 5),
            row_of("2026-11-22 direct", Source::Reported, 3)
        ],
        "of a day only its day is known"
    );
}
