//! The trail: one that can't be written, and places that don't take it.

use serde_json::json;

use super::House;
use crate::support::{
    Fault, Serve, Shim,
    hook::Hook,
    receiver::{Mood, Receiver},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_that_cannot_be_written_is_critical_until_a_restart_mends_it() {
    let shim = Shim::new();
    let hook = Hook::start(204).await;
    let mut house = House::open_to(hook, "", |site| {
        let mut command = site.command(&["serve"]);
        shim.before(&mut command);
        Serve::start_by(command)
    });
    shim.fail(Fault {
        call: "fdatasync",
        path: "/trail.journal$",
        error: Some(rustix::io::Errno::IO),
        skip: 0,
        times: 1,
    });
    assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 503);
    let begun = house.hook.begins("audit_failing").await;
    assert_eq!(begun["severity"], "critical");
    assert_eq!(begun["cause"]["part"], "writing");

    house.serve.process.kill_9();
    house.serve = Serve::start(&house.site);
    let ended = house.hook.ends("audit_failing").await;
    assert_eq!(ended["id"], begun["id"], "it lasted through the restart");
    assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_that_do_not_take_the_trail_are_alerts_until_they_do() {
    let (collector, witness) = (
        Receiver::start(Mood::Refuses).await,
        Receiver::start(Mood::Refuses).await,
    );
    let more = format!(
        "[audit]\nship_to = [\"{}/v1/logs\"]\ncheckpoint_to = \"{}\"\ncheckpoint_seconds = 1\n",
        collector.url, witness.url
    );
    let house = House::open(&more).await;
    assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 201);
    let lagging = house.hook.begins("audit_lagging").await;
    assert_eq!(lagging["cause"]["receiver"], "otlp-127-0-0-1");
    let undelivered = house.hook.begins("checkpoint_undelivered").await;
    assert_eq!(undelivered["cause"]["place"], "127.0.0.1");
    collector.set(Mood::Takes);
    witness.set(Mood::Takes);
    house.hook.ends("audit_lagging").await;
    house.hook.ends("checkpoint_undelivered").await;
}
