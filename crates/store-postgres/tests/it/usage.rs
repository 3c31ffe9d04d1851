//! Usage while two releases run side by side, and counts of several replicas.

use std::{collections::HashMap, sync::Arc};

use hallpass_core::{
    grant::Mode,
    ids::{ProfileName, RoleName, Subject},
    money::NanoUsd,
    usage::{
        Activity, ActivityKey, Grouping, Happening, Hour, Source, Tally, Usage, UsageKey,
        UsageLedger, UsageQuery, day_of,
    },
};
use hallpass_store_postgres::{Database, PgUsage};
use hallpass_testkit::{clock::moment, postgres::TestDatabase};

use crate::support::{fresh, open, replica};

const NOON: i64 = 1_800_014_400;

async fn ledger(database: &Database, name: &str) -> PgUsage {
    let replica = replica(database, name).await;
    let today = day_of(moment(NOON));
    let ledger = PgUsage::load(database.clone(), &replica, today).await;
    ledger.unwrap()
}

fn key(session: &str, source: Source) -> UsageKey {
    UsageKey {
        hour: Hour::of(moment(NOON)),
        session: session.to_owned(),
        subject: Subject::new("user-1").unwrap(),
        role: RoleName::new("candidate").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        mode: Some(Mode::Relay),
        model: "m".to_owned(),
        source,
    }
}

fn used(cost: u64) -> Usage {
    Usage {
        responses: 1,
        cost: NanoUsd(cost),
        ..Usage::default()
    }
}

/// What a replica of the release before writes, as it does.
fn writes_by_day(kept: &TestDatabase, session: &str, source: &str, cost: u64) {
    let day = day_of(moment(NOON));
    let _ = kept.run(&format!(
        "INSERT INTO usage (day, session, subject, role, profile, model, source, responses, \
         transcriptions, input_text, input_audio, input_image, cached_text, cached_audio, \
         cached_image, output_text, output_audio, transcribed_ms, live_ms, cost, unpriced) \
         VALUES ('{day}', '{session}', 'user-1', 'candidate', 'interview', 'm', '{source}', \
         1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {cost}, 0) \
         ON CONFLICT (day, session, subject, role, profile, model, source) DO UPDATE SET \
         responses = usage.responses + excluded.responses, cost = usage.cost + excluded.cost"
    ));
}

/// What a replica of the release before tells of the measured.
fn tells_by_day(kept: &TestDatabase) -> String {
    kept.run("SELECT SUM(cost) FROM usage WHERE source = 'measured'")
        .trim()
        .to_owned()
}

async fn costs(ledger: &PgUsage, by: Grouping) -> Vec<(String, Source, u64)> {
    let query = UsageQuery {
        by: vec![by],
        limit: 100,
        ..UsageQuery::default()
    };
    let totals = ledger.totals(&query).await.unwrap();
    let row =
        |it: &hallpass_core::usage::UsageTotal| (it.group.join(","), it.source, it.usage.cost.0);
    totals.groups.iter().map(row).collect()
}

#[tokio::test]
async fn two_releases_side_by_side_lose_and_double_nothing() {
    let (database, kept) = fresh().await;
    writes_by_day(&kept, "ls_old", "measured", 3);
    writes_by_day(&kept, "gr_1", "reported", 40);
    let ledger = ledger(&database, "a").await;
    ledger.add(&key("ls_new", Source::Measured), &used(5));
    ledger.add(&key("gr_1", Source::Reported), &used(60));
    ledger.flush().await.unwrap();
    ledger.add(&key("ls_new", Source::Measured), &used(7));
    ledger.flush().await.unwrap();
    writes_by_day(&kept, "ls_old", "measured", 1);
    writes_by_day(&kept, "gr_1", "reported", 2);

    let row = |name: &str, source, cost| (name.to_owned(), source, cost);
    assert_eq!(
        costs(&ledger, Grouping::Subject).await,
        [
            row("user-1", Source::Reported, 102),
            row("user-1", Source::Measured, 16)
        ]
    );
    // Of the other release's only the day is known.
    let (day, hour) = (day_of(moment(NOON)).to_string(), Hour::of(moment(NOON)));
    assert_eq!(
        costs(&ledger, Grouping::Hour).await,
        [
            row(&day, Source::Reported, 42),
            row(&day, Source::Measured, 4),
            row(&hour.to_string(), Source::Reported, 60),
            row(&hour.to_string(), Source::Measured, 12),
        ]
    );
    assert_eq!(tells_by_day(&kept), "16", "the other release sees it all");
}

#[tokio::test]
async fn replicas_count_their_own_trails_into_one_report() {
    let (database, kept) = fresh().await;
    let here = Arc::new(ledger(&database, "a").await);
    let there = Arc::new(ledger(&open(&kept.url()).await, "b").await);
    let minted = Happening::plain(Activity::Minted);
    let counts = |times| {
        let key = ActivityKey {
            hour: Hour::of(moment(NOON)),
            subject: "user-1".to_owned(),
            profile: "interview".to_owned(),
            mode: "direct".to_owned(),
            model: "m".to_owned(),
            source: Source::Measured,
            happening: minted.clone(),
        };
        let tally = Tally {
            times,
            ..Tally::default()
        };
        HashMap::from([(key, tally)])
    };
    // Both at once, many times, into the same row; each twice, as after an
    // answer that was lost.
    let work = |ledger: Arc<PgUsage>, trail: &'static str, times: u64| {
        let counts = counts(times);
        tokio::spawn(async move {
            for place in 0..50 {
                for _ in 0..2 {
                    let range = place..place + 1;
                    ledger.count(trail, range, &counts).await.unwrap();
                }
            }
        })
    };
    let both = (
        work(here.clone(), "of a", 1),
        work(there.clone(), "of b", 100),
    );
    both.0.await.unwrap();
    both.1.await.unwrap();
    for ledger in [&here, &there] {
        let query = UsageQuery {
            limit: 1,
            ..UsageQuery::default()
        };
        let totals = ledger.totals(&query).await.unwrap();
        assert_eq!(totals.groups[0].activity[&minted].times, 50 + 5_000);
        assert_eq!(ledger.counted("of b").await.unwrap(), 50);
    }
}
