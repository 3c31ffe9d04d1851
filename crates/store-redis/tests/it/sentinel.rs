//! A primary that dies: the next one is found by the Sentinels.

use hallpass_core::{
    ports::Quotas,
    quota::{Charge, Rate},
};
use hallpass_store_redis::RedisQuotas;
use hallpass_testkit::redis::RedisSet;
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENT, told_link, until};

#[tokio::test]
async fn counting_goes_on_at_the_next_primary() {
    let mut set = RedisSet::start().await;
    let (link, told) = told_link(&set.url(), PATIENT);
    assert!(link.connect().await, "{:?}", told.all());
    let quotas = RedisQuotas::new(link.clone());
    let charges = [Charge {
        name: "caller-day",
        key: "caller-day:a".to_owned(),
        rate: Rate::per_day(1000),
    }];
    quotas.take(&charges).await.unwrap();
    let stop = CancellationToken::new();
    let keeping = tokio::spawn(link.clone().keep(stop.clone().cancelled_owned()));
    set.primary.kill();
    until("the loss is seen", async || {
        let _ = quotas.take(&charges).await;
        !link.is_up()
    })
    .await;
    set.until_failed_over().await;
    until("the next primary counts", async || {
        quotas.take(&charges).await.is_ok()
    })
    .await;
    assert_eq!(told.all().last().unwrap(), "regained");
    stop.cancel();
    keeping.await.unwrap();
}

#[tokio::test]
async fn a_sentinel_with_a_password_of_its_own_is_asked_with_it() {
    let set = RedisSet::start().await;
    let password = ["guarded", "&", "more"].concat();
    set.guard_sentinel(&password).await;
    let (link, told) = told_link(&set.url(), PATIENT);
    assert!(!link.connect().await, "not without it");
    assert!(!told.all()[0].contains(&password));
    // Sentinels have no databases; the servers have.
    let encoded = password.replace('&', "%26");
    let url = format!("{}/3?sentinel_password={encoded}", set.url());
    let (link, told) = told_link(&url, PATIENT);
    assert!(link.connect().await, "{:?}", told.all());
    let keys = set.primary.ask("INFO keyspace").await;
    assert!(keys.contains("db3:"), "{keys}");
}
