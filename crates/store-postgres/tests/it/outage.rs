//! The database goes away and comes back.

use std::time::Duration;

use hallpass_core::ports::Grants;
use hallpass_store_postgres::{Database, PgGrants, PgSettings};
use hallpass_testkit::{
    chaos::{Chaos, ChaosProxy},
    contract::grants::grant,
    postgres::{Server, database},
};

use crate::support::{open, settings};

#[tokio::test]
async fn what_is_asked_while_it_restarts_waits_and_is_answered() {
    let mut server = Server::start();
    let url = server.database("hallpass");
    let grants = PgGrants::new(open(&url).await);
    grants.record(grant(1, 0).into()).await.unwrap();
    server.stop();
    let asked = tokio::spawn(async move {
        grants.record(grant(2, 0).into()).await.unwrap();
        grants.find(&grant(1, 0).id).await.unwrap().unwrap();
    });
    let server = tokio::task::spawn_blocking(move || {
        server.resume();
        server
    });
    let server = server.await.unwrap();
    asked.await.unwrap();
    assert_eq!(server.run("hallpass", "SELECT COUNT(*) FROM grants"), "2");
}

#[tokio::test]
async fn away_for_too_long_is_an_error_and_no_more_than_that() {
    let mut server = Server::start();
    let url = server.database("hallpass");
    let impatient = PgSettings {
        patience: Duration::from_secs(1),
        ..settings(&url)
    };
    let database = Database::connect(impatient).await.unwrap();
    database.migrate().await.unwrap();
    let grants = PgGrants::new(database);
    grants.record(grant(1, 0).into()).await.unwrap();
    server.crash();
    let error = grants.find(&grant(1, 0).id).await.unwrap_err();
    assert!(error.0.starts_with("PostgreSQL"), "{error}");
    let error = grants.record(grant(2, 0).into()).await.unwrap_err();
    assert!(error.0.starts_with("PostgreSQL"), "{error}");
    server.resume();
    // Nothing was restarted here: the next question is answered.
    while let Err(error) = grants.record(grant(3, 0).into()).await {
        eprintln!("still away: {error}");
    }
    assert!(grants.find(&grant(3, 0).id).await.unwrap().is_some());
}

/// Whether a statement was done is not known when its connection breaks: sent
/// again, it is done once.
#[tokio::test]
async fn a_broken_connection_leaves_nothing_undone_and_nothing_done_twice() {
    let kept = database();
    let proxy = ChaosProxy::start(kept.address()).await;
    let grants = std::sync::Arc::new(PgGrants::new(
        open(&kept.url_at(proxy.address().port())).await,
    ));
    let writers: Vec<_> = (0..100)
        .map(|number| {
            let grants = grants.clone();
            tokio::spawn(
                async move { grants.record(grant(number, i64::from(number)).into()).await },
            )
        })
        .collect();
    for _ in 0..20 {
        proxy.set(Chaos::None);
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(kept.run("SELECT COUNT(*) FROM grants"), "100");
}

/// A server that is gone without a word, as after a failover, holds up who
/// asked it then and nobody after.
#[tokio::test]
async fn who_says_nothing_is_left_for_another_connection() {
    let kept = database();
    let proxy = ChaosProxy::start(kept.address()).await;
    let url = kept.url_at(proxy.address().port());
    open(&kept.url()).await;
    let short = PgSettings {
        statement_timeout: Duration::from_millis(100),
        max_connections: 1,
        ..settings(&url)
    };
    let grants = PgGrants::new(Database::connect(short).await.unwrap());
    grants.record(grant(1, 0).into()).await.unwrap();
    let asking = async { grants.find(&grant(1, 0).id).await.unwrap() };
    proxy.set(Chaos::Silence);
    let (found, ()) = tokio::join!(asking, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.set(Chaos::None);
    });
    assert_eq!(found, Some(grant(1, 0)));
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let secret = format!("canary-{}", std::process::id());
    let kept = database();
    let addresses = [
        format!("postgres://user:{secret}@127.0.0.1:1/x"),
        format!(
            "postgres://nobody:{secret}@{}/x?sslmode=disable",
            kept.address()
        ),
        format!("postgres://user:{secret}@127.0.0.1:port/x"),
    ];
    for address in addresses {
        let settings = PgSettings {
            patience: Duration::from_millis(200),
            ..PgSettings::new(address.into())
        };
        let shown = format!("{settings:?}");
        let error = Database::connect(settings).await.unwrap_err();
        let said = format!("{shown} {error} {error:?}");
        assert!(!said.contains(&secret), "{said}");
    }
}
